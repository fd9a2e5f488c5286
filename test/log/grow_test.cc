// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A log that is small does without a side file, and gets one when it grows.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "src/side/side_file.h"
#include "test/log/fake_log.h"
#include "test/side/shared_rings.h"
#include "test/side/side_image.h"

#include "gtest/gtest.h"
#include "uringfs/log_store.h"
#include "uringfs/recovery.h"

namespace uringfs {
namespace {

using test::Append;
using test::Exists;
using test::FakeDevice;
using test::FakeDisk;
using test::Random;
using test::ReadWholeFile;
using test::SideImage;
using test::StreamBytes;
using test::TempDir;

constexpr uint64_t kSmall = 6000;

void WriteEmptyFile(const std::string& path) {
  std::ofstream(path, std::ios::trunc);
}

LogOptions Growing(uint32_t buffer_bytes = 4096, uint32_t count = 4) {
  LogOptions options = test::SharedRing(buffer_bytes, count);
  options.shared_ring_after_bytes = kSmall;
  return options;
}

class GrowTest : public testing::Test {
 protected:
  void SetUp() override { URINGFS_SKIP_WITHOUT_SHARED_RINGS(dir_.path()); }

  std::unique_ptr<LogStore> MustOpen(const LogOptions& options = Growing()) {
    std::unique_ptr<LogStore> log;
    const Status status = LogStore::Open(path_, options, &log);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return log;
  }

  // A log on a fake disk with a side file on a real one, beside an empty file.
  std::unique_ptr<LogEngine> MustOpenOnFake(
      const std::shared_ptr<FakeDisk>& disk) {
    const LogOptions options = Growing();
    LogParts parts;
    EXPECT_TRUE(Workspace::Acquire(0, &parts.workspace).ok());
    EXPECT_TRUE(AlignedBuffer::Allocate(
                    size_t{options.buffer_bytes} * options.buffers_count,
                    &parts.fallback_ring)
                    .ok());
    parts.opened = FakeDevice::Open(disk);
    WriteEmptyFile(path_);
    struct stat stat = {};
    EXPECT_EQ(::stat(path_.c_str(), &stat), 0);
    parts.opened.identity = {stat.st_dev, stat.st_ino,
                             BirthOf(AT_FDCWD, path_, 0)};
    parts.starts_small = true;
    std::unique_ptr<LogEngine> log;
    const Status status =
        LogEngine::OpenOn(std::move(parts), path_, options, &log);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return log;
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.log");
  const std::string side_ = SideFilePath(path_);
};

TEST_F(GrowTest, ASmallLogIsItsFile) {
  auto log = MustOpen();
  for (uint64_t end = 100; end <= kSmall; end += 100) {
    ASSERT_TRUE(log->Append(StreamBytes(end - 100, 100)).ok());
    ASSERT_TRUE(log->Flush().ok());
    ASSERT_EQ(ReadWholeFile(path_), StreamBytes(0, end));
  }
  EXPECT_FALSE(Exists(side_));
  EXPECT_FALSE(log->io_choice().uses_shared_ring);
  EXPECT_FALSE(log->io_choice().lost_shared_ring);
  ASSERT_TRUE(log->Append("x").ok());
  EXPECT_TRUE(Exists(side_)) << "now it is too long";
  EXPECT_TRUE(log->io_choice().uses_shared_ring);
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(SideImage(path_).Recover(ReadWholeFile(path_)),
            StreamBytes(0, kSmall) + "x");
  ASSERT_TRUE(log->Append(StreamBytes(kSmall + 1, 100000)).ok());
  ASSERT_TRUE(log->Close().ok());
  EXPECT_FALSE(Exists(side_));
  EXPECT_EQ(ReadWholeFile(path_),
            StreamBytes(0, kSmall) + "x" + StreamBytes(kSmall + 1, 100000));
}

TEST_F(GrowTest, ManyFlushesMakeItGrowToo) {
  auto log = MustOpen();
  for (uint64_t i = 0; i < 65; ++i) {
    EXPECT_FALSE(Exists(side_)) << i;
    ASSERT_TRUE(log->Append(StreamBytes(i, 1)).ok());
    ASSERT_TRUE(log->Flush().ok());
  }
  EXPECT_TRUE(Exists(side_));
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(ReadWholeFile(path_), StreamBytes(0, 65));
}

TEST_F(GrowTest, LogsThatCloseSmallAreExact) {
  for (const uint64_t bytes : {1u, 4095u, 4096u, 4097u, 6000u}) {
    for (const bool has_synced : {false, true}) {
      auto log = MustOpen();
      ASSERT_TRUE(log->Append(StreamBytes(0, bytes)).ok());
      if (has_synced) {
        ASSERT_TRUE(log->Sync().ok());
        EXPECT_EQ(log->hi_stable(), bytes);
      }
      ASSERT_TRUE(log->Close().ok());
      EXPECT_EQ(ReadWholeFile(path_), StreamBytes(0, bytes));
    }
  }
}

// The whole append must be in one piece: its record is promised as a whole.
TEST_F(GrowTest, ABigAppendMakesItGrowFirst) {
  auto log = MustOpen();
  ASSERT_TRUE(log->Append(StreamBytes(0, 50)).ok());
  ASSERT_TRUE(log->Append(StreamBytes(50, 500000)).ok());
  EXPECT_TRUE(Exists(side_));
  EXPECT_EQ(SideImage(path_).filled(), 0u) << "nothing was flushed";
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(SideImage(path_).Recover(ReadWholeFile(path_)),
            StreamBytes(0, 500050));
}

TEST_F(GrowTest, AReservationInHandPutsItOff) {
  auto log = MustOpen();
  Reservation slow;
  ASSERT_TRUE(log->Reserve(10, &slow).ok());
  ASSERT_TRUE(log->Append(StreamBytes(10, 7000)).ok());
  EXPECT_FALSE(log->io_choice().uses_shared_ring) << "it is being written";
  slow.Write(0, StreamBytes(0, 10));
  slow.Commit();
  ASSERT_TRUE(log->Append(StreamBytes(7010, 10)).ok());
  EXPECT_TRUE(Exists(side_));
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(SideImage(path_).Recover(ReadWholeFile(path_)),
            StreamBytes(0, 7020));
}

TEST_F(GrowTest, WhereItCannotGrowItGoesOnWithoutASideFile) {
  auto log = MustOpen();
  ASSERT_TRUE(log->Append(StreamBytes(0, 100)).ok());
  ASSERT_TRUE(log->Flush().ok());
  std::filesystem::rename(path_, dir_.File("moved.log"));
  ASSERT_TRUE(log->Append(StreamBytes(100, 9900)).ok());
  EXPECT_TRUE(log->io_choice().lost_shared_ring);
  EXPECT_NE(log->io_choice().reason.find("moved"), std::string::npos)
      << log->io_choice().reason;
  EXPECT_FALSE(Exists(side_));
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(log->hi_written(), 10000u) << "as a private ring does";
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(ReadWholeFile(dir_.File("moved.log")), StreamBytes(0, 10000));
}

TEST_F(GrowTest, ALogThatLeavesItsSideFileNeverGetsOne) {
  auto log = MustOpen();
  ASSERT_TRUE(log->Append(StreamBytes(0, 100)).ok());
  ASSERT_TRUE(log->LeaveSideFile().ok());
  ASSERT_TRUE(log->Append(StreamBytes(100, 50000)).ok());
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_FALSE(Exists(side_));
  EXPECT_EQ(ReadWholeFile(path_).substr(0, 50100), StreamBytes(0, 50100));
}

TEST_F(GrowTest, ANewLogOverADeadOneHasNothingOfIt) {
  WriteEmptyFile(side_);
  auto log = MustOpen();
  EXPECT_FALSE(Exists(side_));
}

TEST_F(GrowTest, AViewFollowsALogThatGrows) {
  for (int round = 0; round < 30; ++round) {
    auto log = MustOpen(Growing(8192, 3));
    std::unique_ptr<LogView> view;
    ASSERT_TRUE(LogView::Open(path_, nullptr, &view).ok());
    constexpr uint64_t kBytes = 200000;
    const std::string stream = StreamBytes(0, kBytes);
    std::atomic<uint64_t> promised{0};
    std::thread writer([&] {
      for (uint64_t at = 0; at < kBytes; at += 100) {
        ASSERT_TRUE(log->Append(std::string_view(stream).substr(at, 100)).ok());
        ASSERT_TRUE(log->Flush().ok());
        promised = at + 100;
      }
    });
    std::string seen(kBytes, '\0');
    while (promised < kBytes) {
      const uint64_t at_least = promised;
      size_t got = 0;
      ASSERT_TRUE(view->Read(0, kBytes, seen.data(), &got).ok());
      ASSERT_GE(got, at_least);
      ASSERT_EQ(stream.compare(0, got, seen, 0, got), 0);
    }
    writer.join();
    ASSERT_TRUE(log->Close().ok());
  }
}

TEST_F(GrowTest, ManyWritersAndSyncersWhileItGrows) {
  for (int round = 0; round < 40; ++round) {
    auto log = MustOpen();
    std::atomic<uint64_t> total{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&, thread] {
        Random random(static_cast<uint64_t>(round * 4 + thread) + 1);
        for (int i = 0; i < 60; ++i) {
          const std::string record(random.LogUniform(1, 2000),
                                   static_cast<char>('a' + thread));
          ASSERT_TRUE(log->Append(record).ok());
          total += record.size();
          ASSERT_TRUE((random.OneIn(5) ? log->Sync() : log->Flush()).ok());
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    ASSERT_TRUE(log->Close().ok());
    const std::string bytes = ReadWholeFile(path_);
    EXPECT_EQ(bytes.size(), total);
    EXPECT_EQ(bytes.find_first_not_of("abcd"), std::string::npos);
  }
}

TEST_F(GrowTest, AKillAtAnyInstantLeavesWhatFlushPromised) {
  const uint64_t seed = test::SeedOr(31);
  SCOPED_TRACE(test::SeedTrace(seed));
  Random random(seed);
  uint64_t looks = 0;
  for (int round = 0; round < 60; ++round) {
    auto disk = FakeDisk::Create();
    const std::string stream = StreamBytes(0, 1 << 20);
    std::atomic<uint64_t> promised{0};
    std::mutex mutex;  // the drainer makes operations too
    Random of_images(random.Next());
    disk->SetObserver([&] {
      const std::lock_guard<std::mutex> lock(mutex);
      const uint64_t at_least = promised.load();
      std::string log = disk->KillImage(of_images);
      if (Exists(side_) && SideImage(path_).is_live()) {
        log = SideImage(path_).Recover(log);
        ASSERT_EQ(stream.compare(0, log.size(), log), 0);
      }
      ASSERT_GE(log.size(), at_least);
      ASSERT_EQ(stream.compare(0, at_least, log, 0, at_least), 0);
      ++looks;
    });
    auto log = MustOpenOnFake(disk);
    uint64_t at = 0;
    while (at < 40000) {
      const uint64_t bytes = random.LogUniform(1, 5000);
      ASSERT_TRUE(Append(log.get(), stream.substr(at, bytes)).ok());
      at += bytes;
      if (!random.OneIn(3)) {
        ASSERT_TRUE(log->Flush().ok());
        promised = at;
        ASSERT_TRUE(!Exists(side_) || !SideImage(path_).is_live() ||
                    SideImage(path_).HasSumOf(stream.substr(0, at)));
      }
      if (random.OneIn(8)) {
        ASSERT_TRUE(log->Sync().ok());
        promised = at;
        const std::string image = disk->CrashImage(random);
        ASSERT_EQ(image.compare(0, at, stream, 0, at), 0)
            << "synced bytes are lost";
      }
    }
    EXPECT_TRUE(log->io_choice().uses_shared_ring);
    ASSERT_TRUE(log->Close().ok());
    EXPECT_EQ(disk->Image(), stream.substr(0, at));
    EXPECT_FALSE(Exists(side_));
  }
  EXPECT_GT(looks, 1000u);
}

}  // namespace
}  // namespace uringfs
