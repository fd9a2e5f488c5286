// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Bytes that changed between the append and the write are found, and nothing
// vouches for them.

#include <fcntl.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "src/base/posix_file.h"
#include "test/log/fake_log.h"
#include "test/side/shared_rings.h"
#include "test/side/side_image.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"
#include "uringfs/internal/crc32c.h"

namespace uringfs {
namespace {

using test::FakeDisk;
using test::MustOpenOnFake;
using test::Random;
using test::StreamBytes;

uint32_t Crc(const std::string& bytes) {
  return Crc32c(bytes.data(), bytes.size());
}

Status AppendChecked(LogEngine* log, std::string_view bytes, uint32_t crc32c) {
  return log->AppendBatch(&bytes, 1, nullptr, &crc32c);
}

class ChecksumsTest : public testing::TestWithParam<WriteMode>,
                      protected test::OnFakeDisk {
 protected:
  ChecksumsTest() : OnFakeDisk(61) {}
};

INSTANTIATE_TEST_SUITE_P(Modes, ChecksumsTest,
                         testing::Values(WriteMode::kSerialised,
                                         WriteMode::kTailLocalised),
                         test::ModeName);

TEST_P(ChecksumsTest, WhatIsIntactPasses) {
  LogOptions options = test::SmallRing(GetParam());
  options.cached_bytes = 20000;
  auto log = MustOpenOnFake(disk_, options);
  while (log->size() < 400000) {
    const std::string bytes =
        StreamBytes(log->size(), random_.LogUniform(1, 30000));
    // Some have none.
    const Status status = random_.OneIn(4)
                              ? test::Append(log.get(), bytes)
                              : AppendChecked(log.get(), bytes, Crc(bytes));
    ASSERT_TRUE(status.ok()) << status.ToString();
    if (random_.OneIn(5)) {
      ASSERT_TRUE(log->Flush().ok());
    }
    if (random_.OneIn(8)) {
      ASSERT_TRUE(log->Sync().ok());
    }
    if (random_.OneIn(20)) {
      // What was checked is forgotten, and what comes is checked.
      ASSERT_TRUE(
          log->Truncate(log->size() - random_.Below(log->size() / 8)).ok());
    }
  }
  const uint64_t size = log->size();
  ASSERT_TRUE(log->Close().ok());
  EXPECT_TRUE(disk_->Image() == StreamBytes(0, size));
}

TEST_P(ChecksumsTest, OneThatIsWrongFailsTheLogForGood) {
  for (const size_t bytes : {1, 100, 4096, 5000, 20000, 100000}) {
    const auto disk = FakeDisk::Create();
    auto log = MustOpenOnFake(disk, test::SmallRing(GetParam()));
    const std::string good = StreamBytes(0, 3000);
    ASSERT_TRUE(AppendChecked(log.get(), good, Crc(good)).ok());
    ASSERT_TRUE(log->Sync().ok());
    const std::string bad = StreamBytes(3000, bytes);
    // A long one is told of while it is appended.
    const Status appended = AppendChecked(log.get(), bad, Crc(bad) ^ 1);
    const Status flushed = log->Flush();
    EXPECT_EQ(flushed.code(), Status::Code::kCorruption) << bytes;
    EXPECT_NE(flushed.ToString().find("bytes 3000 to "), std::string::npos);
    EXPECT_TRUE(appended.ok() || appended.code() == Status::Code::kCorruption);
    EXPECT_EQ(log->Sync().code(), Status::Code::kCorruption);
    EXPECT_EQ(log->hi_stable(), 3000u);
    EXPECT_EQ(test::Append(log.get(), good).code(), Status::Code::kCorruption);
    EXPECT_EQ(log->Close().code(), Status::Code::kCorruption);
    EXPECT_EQ(disk->Image(), good) << "it ends in front of the bad one";
  }
}

TEST_P(ChecksumsTest, SeveralThreads) {
  auto log = MustOpenOnFake(disk_, test::SmallRing(GetParam()));
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      Random random(seed_ + thread);
      for (int i = 0; i < 500; ++i) {
        const std::string bytes(random.LogUniform(1, 9000),
                                static_cast<char>('a' + thread));
        ASSERT_TRUE(AppendChecked(log.get(), bytes, Crc(bytes)).ok());
        if (random.OneIn(10)) {
          ASSERT_TRUE(log->Flush().ok());
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const Status closed = log->Close();
  EXPECT_TRUE(closed.ok()) << closed.ToString();
}

class ChecksumsOfASharedRingTest : public testing::Test {
 protected:
  void SetUp() override {
    URINGFS_SKIP_WITHOUT_SHARED_RINGS(dir_.path());
    log_ = test::MustOpenBesideSide(disk_, path_, test::SharedRing());
  }

  const test::TempDir dir_;
  const std::string path_ = dir_.File("000007.log");
  const std::shared_ptr<FakeDisk> disk_ = FakeDisk::Create();
  std::unique_ptr<LogEngine> log_;
};

// As after a kill: whoever opens the log next is told, or reads them and
// judges.
TEST_F(ChecksumsOfASharedRingTest, CloseTakesNoPromiseOfDamagedBytesBack) {
  const std::string good = StreamBytes(0, 2000);
  ASSERT_TRUE(AppendChecked(log_.get(), good, Crc(good)).ok());
  ASSERT_TRUE(log_->Flush().ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(AppendChecked(log_.get(), "bad", 1).ok());
    ASSERT_TRUE(log_->Flush().ok()) << "the device is not asked";
  }
  for (uint64_t k = 0; k < 100; ++k) {
    disk_->FailWrite(disk_->writes() + k, EIO);
  }
  EXPECT_FALSE(log_->Sync().ok());
  EXPECT_FALSE(log_->Close().ok());
  const test::SideImage side(path_);
  ASSERT_TRUE(side.is_live());
  EXPECT_EQ(side.Recover(disk_->Image()), good + "badbadbad");
  EXPECT_TRUE(side.HasSumOf(good + "badbadbad"));
}

// The begin of a damaged append was written before anybody knew.
TEST_F(ChecksumsOfASharedRingTest, CloseCutsNothingThatWasPromised) {
  const std::string good = StreamBytes(0, 2000);
  ASSERT_TRUE(AppendChecked(log_.get(), good, Crc(good)).ok());
  ASSERT_TRUE(AppendChecked(log_.get(), StreamBytes(2000, 5000), 1).ok());
  ASSERT_TRUE(log_->Flush().ok());
  EXPECT_FALSE(log_->Sync().ok());
  EXPECT_FALSE(log_->Close().ok());
  const test::SideImage side(path_);
  ASSERT_TRUE(side.is_live());
  EXPECT_GE(disk_->Image().size(), side.written());
  EXPECT_TRUE(side.Recover(disk_->Image()) == StreamBytes(0, 7000));
}

// The ring of this log can be reached from outside: a bit does flip.
TEST_F(ChecksumsOfASharedRingTest, ABitThatFlipsInTheRing) {
  const std::string bytes = StreamBytes(0, 2000);
  ASSERT_TRUE(AppendChecked(log_.get(), bytes, Crc(bytes)).ok());
  PosixFile side;
  ASSERT_EQ(side.Open(SidePathOf(path_), O_RDWR), 0);
  const char flipped = static_cast<char>(bytes[1000] ^ 4);
  ASSERT_EQ(side.WriteAt(kSideRingOffset + 1000, &flipped, 1), 0);
  ASSERT_TRUE(log_->Flush().ok()) << "the device is not asked";
  const Status synced = log_->Sync();
  EXPECT_EQ(synced.code(), Status::Code::kCorruption) << synced.ToString();
  EXPECT_EQ(log_->hi_stable(), 0u);
  EXPECT_FALSE(log_->Close().ok());
  EXPECT_TRUE(disk_->Image().empty());
  const test::SideImage left(path_);
  ASSERT_TRUE(left.is_live()) << "Flush has promised them";
  EXPECT_EQ(left.Recover("").size(), bytes.size());
}

}  // namespace
}  // namespace uringfs
