// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "test/side/live_owner.h"
#include "test/side/side_builder.h"
#include "test/support/seed.h"
#include "test/support/temp_dir.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "uringfs/log_store.h"
#include "uringfs/recovery.h"

namespace uringfs {
namespace {

using test::LiveOwner;
using test::Random;
using test::ReadWholeFile;
using test::SeedOr;
using test::SeedTrace;
using test::SideBuilder;
using test::Stream;
using test::TempDir;
using test::WriteWholeFile;

std::unique_ptr<LogView> OpenView(const std::string& log_path) {
  std::unique_ptr<LogView> view;
  const Status status = LogView::Open(log_path, nullptr, &view);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return view;
}

uint64_t SizeOf(const LogView& view) {
  uint64_t size = ~uint64_t{0};
  EXPECT_TRUE(view.Size(&size).ok());
  return size;
}

std::string Read(const LogView& view, uint64_t offset, size_t bytes) {
  std::string out(bytes, '?');
  size_t got = 0;
  const Status status = view.Read(offset, bytes, &out[0], &got);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_LE(got, bytes);
  out.resize(got);
  return out;
}

std::string ReadAll(const LogView& view) { return Read(view, 0, 16 << 20); }

class LogViewTest : public testing::Test {
 protected:
  void Recover() {
    RecoveryReport report;
    ASSERT_TRUE(RecoverLog(built_.log_path, {}, &report).ok());
    ASSERT_EQ(report.outcome, RecoveryOutcome::kRecovered) << report.message;
  }
  // The side file is not believed, or not there.
  void ExpectTheFileAlone() {
    const std::string file = ReadWholeFile(built_.log_path);
    const auto view = OpenView(built_.log_path);
    EXPECT_EQ(SizeOf(*view), file.size());
    EXPECT_TRUE(ReadAll(*view) == file);
  }

  TempDir dir_;
  SideBuilder built_{dir_.File("000007.log")};
};

TEST_F(LogViewTest, OpenFailsAsTheFileDoes) {
  std::unique_ptr<LogView> view;
  EXPECT_EQ(LogView::Open(dir_.File("no"), nullptr, &view).error_number(),
            ENOENT);
  EXPECT_EQ(LogView::Open(dir_.path(), nullptr, &view).code(),
            Status::Code::kInvalidArgument);
  ASSERT_EQ(::mkfifo(dir_.File("fifo").c_str(), 0600), 0);
  EXPECT_EQ(LogView::Open(dir_.File("fifo"), nullptr, &view).code(),
            Status::Code::kInvalidArgument);
  EXPECT_EQ(view, nullptr);
}

TEST_F(LogViewTest, ALogWithoutASideFile) {
  WriteWholeFile(built_.log_path, Stream(0, 10000));
  ExpectTheFileAlone();
  const auto view = OpenView(built_.log_path);
  EXPECT_EQ(Read(*view, 10000, 1), "");
  EXPECT_EQ(Read(*view, ~uint64_t{0}, 100), "");
  EXPECT_EQ(Read(*view, 9990, 100), Stream(9990, 10000));
  EXPECT_EQ(Read(*view, 5, 0), "");
  WriteWholeFile(built_.log_path, Stream(0, 20000));
  EXPECT_TRUE(ReadAll(*view) == Stream(0, 20000));
}

TEST_F(LogViewTest, AnyRangeOfAnyDeadLog) {
  const uint64_t seed = SeedOr(1);
  SCOPED_TRACE(SeedTrace(seed));
  Random random(seed);
  for (int i = 0; i < 200 && !HasFatalFailure(); ++i) {
    built_.Randomise(&random);
    built_.Build();
    const auto view = OpenView(built_.log_path);
    SCOPED_TRACE("written " + std::to_string(built_.written) + " filled " +
                 std::to_string(built_.filled));
    ASSERT_EQ(SizeOf(*view), built_.filled);
    ASSERT_TRUE(ReadAll(*view) == built_.whole());
    for (int read = 0; read < 20; ++read) {
      const uint64_t offset = random.Below(built_.filled + 2);
      const uint64_t bytes = random.LogUniform(1, 40000);
      const uint64_t end = std::min(offset + bytes, built_.filled);
      ASSERT_TRUE(Read(*view, offset, bytes) ==
                  Stream(std::min(offset, end), end));
    }
    ASSERT_EQ(Read(*view, ~uint64_t{0}, 10), "");
    // Recovery makes no difference to a view.
    Recover();
    ASSERT_EQ(SizeOf(*view), built_.filled);
    ASSERT_TRUE(ReadAll(*view) == built_.whole());
  }
}

TEST_F(LogViewTest, FindsASideFileThatComesLater) {
  WriteWholeFile(built_.log_path, "");
  const auto view = OpenView(built_.log_path);
  EXPECT_EQ(SizeOf(*view), 0u);
  built_.padding = 3288;
  built_.Build();
  // Without going to the end first: what lies behind `written` is padding.
  EXPECT_TRUE(Read(*view, 8000, 4096) == Stream(8000, 12096));
  EXPECT_EQ(SizeOf(*view), built_.filled);
}

TEST_F(LogViewTest, SeesWhatTheNextOwnerDoes) {
  built_.Build();
  const auto view = OpenView(built_.log_path);
  EXPECT_EQ(SizeOf(*view), built_.filled);
  Recover();
  // Resumed, and killed again.
  built_.origin = 12288;
  built_.written = built_.filled;
  built_.filled = 20000;
  built_.Build();
  EXPECT_EQ(SizeOf(*view), 20000u);
  EXPECT_TRUE(ReadAll(*view) == built_.whole());
}

TEST_F(LogViewTest, LetsGoOfAFileThatGoesToAnotherLog) {
  built_.Build();
  const auto view = OpenView(built_.log_path);
  EXPECT_EQ(SizeOf(*view), built_.filled);
  WriteWholeFile(built_.log_path, built_.whole());
  // The same inode under another name, for another log.
  SideBuilder other(dir_.File("other.log"));
  other.filled = 9001;
  other.Prepare();
  std::filesystem::rename(built_.side_path(), other.side_path());
  other.WriteSide();
  EXPECT_EQ(SizeOf(*view), built_.filled);
  EXPECT_TRUE(ReadAll(*view) == built_.whole());
}

// The file alone would be less than was acknowledged. (Which side files are
// unusable: unusable_test.cc.)
TEST_F(LogViewTest, ASideFileThatCannotBeAppliedIsAnError) {
  built_.Prepare();
  built_.header.checksum ^= 1;
  built_.WriteSide();
  std::unique_ptr<LogView> view;
  const Status status = LogView::Open(built_.log_path, nullptr, &view);
  EXPECT_EQ(status.code(), Status::Code::kIoError);
  EXPECT_THAT(status.ToString(), testing::HasSubstr("recover --discard"));
  EXPECT_EQ(view, nullptr);
}

TEST_F(LogViewTest, WhatTheFileSystemHasLostIsNotShown) {
  built_.Prepare();
  built_.BeOfAnotherBoot();
  built_.WriteSide();
  WriteWholeFile(built_.log_path, Stream(0, built_.written - 1), 0644);
  ExpectTheFileAlone();
}

TEST_F(LogViewTest, ASideFileThatGoesBadIsAnErrorFromThenOn) {
  built_.Build();
  const auto view = OpenView(built_.log_path);
  EXPECT_EQ(SizeOf(*view), built_.filled);
  const auto expect_error = [&] {
    uint64_t size = 0;
    size_t got = 0;
    char byte = 0;
    EXPECT_EQ(view->Size(&size).code(), Status::Code::kIoError);
    EXPECT_EQ(view->Read(0, 1, &byte, &got).code(), Status::Code::kIoError);
  };
  built_.written_word ^= 1;
  built_.WriteSide();
  expect_error();
  built_.Build();
  EXPECT_EQ(SizeOf(*view), built_.filled);
  std::filesystem::resize_file(built_.side_path(), 6000);
  expect_error();
  built_.Build();
  EXPECT_EQ(SizeOf(*view), built_.filled);
}

TEST_F(LogViewTest, ALogThatWasRemovedCanStillBeRead) {
  WriteWholeFile(built_.log_path, Stream(0, 5000));
  const auto view = OpenView(built_.log_path);
  std::filesystem::remove(built_.log_path);
  EXPECT_TRUE(ReadAll(*view) == Stream(0, 5000));
}

// Reads beside an owner that appends, drains, closes and opens again: every
// byte is what it should be, and what was seen once stays.
class LogViewBesideAnOwner : public LogViewTest {
 protected:
  void ReadWhileItLives(uint64_t seed) {
    Random random(seed);
    const auto view = OpenView(built_.log_path);
    uint64_t seen = 0;
    while (!is_over_.load() && !HasFailure()) {
      const uint64_t promised = promised_.load();
      const uint64_t size = SizeOf(*view);
      EXPECT_GE(size, promised);
      EXPECT_GE(size, seen);
      seen = std::max(seen, size);
      const uint64_t back = random.LogUniform(1, 100000);
      const uint64_t offset = size > back ? size - back : 0;
      const uint64_t bytes = random.LogUniform(1, 200000);
      const std::string got = Read(*view, offset, bytes);
      EXPECT_GE(got.size(), std::min(bytes, size - offset));
      EXPECT_TRUE(got == Stream(offset, offset + got.size()))
          << "at " << offset << " of " << size;
      ++reads_;
    }
  }

  void Live(uint64_t seed, int sessions, int appends) {
    Random random(seed);
    WriteWholeFile(built_.log_path, "", 0644);
    std::vector<std::thread> readers;
    for (uint64_t i = 1; i <= 2; ++i) {
      readers.emplace_back([this, seed, i] { ReadWhileItLives(seed + i); });
    }
    uint64_t end = 0;
    for (int session = 0; session < sessions && !HasFailure(); ++session) {
      LiveOwner owner(built_.log_path, 4096u << random.Below(2),
                      static_cast<uint32_t>(2 + random.Below(3)), end);
      for (int i = 0; i < appends; ++i) {
        end += random.LogUniform(1, 3000);
        owner.Append(end);
        promised_.store(end);
        if (random.OneIn(5)) {
          owner.Drain();
        }
      }
      owner.Close();
    }
    is_over_.store(true);
    for (std::thread& reader : readers) {
      reader.join();
    }
    EXPECT_GT(reads_.load(), 0);
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == Stream(0, end));
  }

  std::atomic<uint64_t> promised_{0};
  std::atomic<bool> is_over_{false};
  std::atomic<int> reads_{0};
};

TEST_F(LogViewBesideAnOwner, EveryByteIsWhatItShouldBe) {
  const uint64_t seed = SeedOr(7);
  SCOPED_TRACE(SeedTrace(seed));
  Live(seed, 20, 200);
}

TEST_F(LogViewBesideAnOwner, ThatOpensAndClosesAllTheTime) {
  const uint64_t seed = SeedOr(8);
  SCOPED_TRACE(SeedTrace(seed));
  Live(seed, 600, 3);
}

// The engine that really writes side files.
TEST_F(LogViewTest, BesideALogStore) {
  const uint64_t seed = SeedOr(9);
  SCOPED_TRACE(SeedTrace(seed));
  Random random(seed);
  LogOptions options;
  options.ring_home = RingHome::kShared;
  options.buffer_bytes = 4096;
  options.buffers_count = 4;
  std::unique_ptr<LogStore> log;
  ASSERT_TRUE(LogStore::Open(built_.log_path, options, &log).ok());
  if (!log->io_choice().uses_shared_ring) {
    GTEST_SKIP() << log->io_choice().ToString();
  }
  const auto view = OpenView(built_.log_path);
  uint64_t end = 0;
  for (int i = 0; i < 500; ++i) {
    const uint64_t begin = end;
    end += random.LogUniform(1, 6000);
    ASSERT_TRUE(log->Append(Stream(begin, end)).ok());
    ASSERT_TRUE(log->Flush().ok());
    ASSERT_EQ(SizeOf(*view), end);
    const uint64_t back = std::min<uint64_t>(end, random.LogUniform(1, 50000));
    ASSERT_TRUE(Read(*view, end - back, back + 1) == Stream(end - back, end));
    if (random.OneIn(50)) {
      end -= random.Below(end / 2 + 1);
      ASSERT_TRUE(log->Truncate(end).ok());
    }
  }
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(SizeOf(*view), end);
  EXPECT_TRUE(ReadAll(*view) == Stream(0, end));
}

}  // namespace
}  // namespace uringfs
