// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Every k-th operation of the device fails, for every k: the error is sticky,
// what was acknowledged before it is there, nothing behind it appears later.

#include <cerrno>
#include <string>

#include "test/log/fake_log.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::Append;
using test::CompletionOrder;
using test::ExpectIntact;
using test::FakeDisk;
using test::FakeDiskOptions;
using test::MustOpenOnFake;
using test::Random;
using test::SmallRing;
using test::StreamBytes;

// A fixed row of calls; keeps what was acknowledged and the first error.
class Script {
 public:
  Script(LogEngine* log, uint64_t seed) : log_(log), random_(seed) {}

  void Run() {
    for (int i = 0; i < 30; ++i) {
      switch (random_.Below(5)) {
        case 0:
          if (Note(log_->Flush())) {
            flushed_ = stream_.size();
          }
          break;
        case 1:
          if (Note(log_->Sync(SyncKind::kData))) {
            flushed_ = synced_ = stream_.size();
          }
          break;
        default: {
          const std::string bytes =
              StreamBytes(stream_.size(), random_.LogUniform(1, 40000));
          if (first_error_.ok()) {
            attempted_ = stream_ + bytes;
          }
          if (Note(Append(log_, bytes))) {
            stream_ += bytes;
          }
        }
      }
    }
    closed_ = Note(log_->Close());
  }

  // What Append has taken, and with the one append that failed.
  const std::string& stream() const { return stream_; }
  const std::string& attempted() const { return attempted_; }
  uint64_t flushed() const { return flushed_; }
  uint64_t synced() const { return synced_; }
  bool closed() const { return closed_; }
  const Status& first_error() const { return first_error_; }

 private:
  bool Note(const Status& status) {
    if (status.ok() && first_error_.code() == Status::Code::kNoSpace) {
      return false;  // a flush or a sync that had space again
    }
    if (!first_error_.ok()) {
      EXPECT_EQ(status.ToString(), first_error_.ToString()) << "sticky";
      return false;
    }
    if (!status.ok()) {
      first_error_ = status;
      return false;
    }
    return true;
  }

  LogEngine* const log_;
  Random random_;
  std::string stream_;
  std::string attempted_;
  uint64_t flushed_ = 0;
  uint64_t synced_ = 0;
  bool closed_ = false;
  Status first_error_;
};

class LogFaultTest : public testing::TestWithParam<WriteMode> {
 protected:
  std::shared_ptr<FakeDisk> MakeDisk(uint64_t seed) const {
    FakeDiskOptions options;
    options.seed = seed;
    options.order = CompletionOrder::kRandom;
    return FakeDisk::Create(options);
  }

  void FailEveryOperation(uint64_t seed, int error) {
    auto clean = MakeDisk(seed);
    {
      auto log = MustOpenOnFake(clean, SmallRing(GetParam()));
      Script script(log.get(), seed);
      script.Run();
      ASSERT_TRUE(script.closed());
      ASSERT_EQ(clean->Image(), script.stream());
    }
    const uint64_t operations = clean->operations();
    ASSERT_GT(operations, 20u);
    for (uint64_t k = 0; k < operations; ++k) {
      SCOPED_TRACE("operation " + std::to_string(k) + " of " +
                   std::to_string(operations) + ", " + test::SeedTrace(seed));
      FailOne(seed, k, error);
    }
  }

  void FailOne(uint64_t seed, uint64_t k, int error) {
    auto disk = MakeDisk(seed);
    disk->FailOperation(k, error);
    auto log = MustOpenOnFake(disk, SmallRing(GetParam()));
    Script script(log.get(), seed);
    script.Run();
    ASSERT_FALSE(script.first_error().ok());
    EXPECT_EQ(script.first_error().error_number(), error);
    EXPECT_FALSE(script.closed());
    EXPECT_LE(log->hi_stable(), log->hi_written());
    Random crashes(seed + k);
    // What was synced survives power loss, what was flushed is in the file,
    // and the file never has a byte of an append that failed.
    ExpectIntact(disk->CrashImage(crashes), script.attempted(),
                 script.synced());
    ExpectIntact(disk->Image(), script.stream(), script.flushed());
    const std::string before = disk->Image();
    const std::string text = script.first_error().ToString();
    if (text.find("write") != std::string::npos ||
        text.find("flush") != std::string::npos) {
      // The cut at Close was to be had: no hole, no padding, no failed append.
      EXPECT_EQ(before, script.stream().substr(0, before.size()));
    }
    log.reset();
    EXPECT_EQ(disk->Image(), before) << "nothing appears later";
  }
};

TEST_P(LogFaultTest, EveryOperationFailsWithEio) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    FailEveryOperation(test::SeedOr(0) + seed, EIO);
  }
}

TEST_P(LogFaultTest, EveryOperationFailsWithEnospc) {
  FailEveryOperation(test::SeedOr(10), ENOSPC);
}

TEST_P(LogFaultTest, AFailedAppendLeavesNothingInTheFile) {
  // The third buffer of a record of ten fails: its first two were written.
  auto disk = FakeDisk::Create();
  disk->FailWrite(3, ENOSPC);
  auto log = MustOpenOnFake(disk, SmallRing(GetParam()));
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 1000)).ok());
  ASSERT_TRUE(log->Flush().ok());
  const Status status = Append(log.get(), StreamBytes(1000, 10 * 4096));
  ASSERT_EQ(status.code(), Status::Code::kNoSpace);
  EXPECT_NE(status.ToString().find("free space"), std::string::npos);
  EXPECT_LE(log->hi_written(), 1000u);
  EXPECT_FALSE(log->Close().ok());
  EXPECT_EQ(disk->Image(), StreamBytes(0, 1000));
}

TEST_P(LogFaultTest, AFailedReservationLeavesNothingInTheFile) {
  auto disk = FakeDisk::Create();
  disk->FailWrite(2, ENOSPC);
  auto log = MustOpenOnFake(disk, SmallRing(GetParam()));
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 1000)).ok());
  ASSERT_TRUE(log->Flush().ok());
  ASSERT_TRUE(Append(log.get(), StreamBytes(1000, 2 * 4096)).ok());
  Reservation reservation;
  const Status status =
      log->Reserve(log->max_reservation_bytes(), &reservation);
  ASSERT_FALSE(status.ok());
  reservation.Commit();
  EXPECT_FALSE(log->Close().ok());
  const std::string image = disk->Image();
  EXPECT_GE(image.size(), 1000u);
  EXPECT_LE(image.size(), 1000u + 2 * 4096);
  EXPECT_EQ(image, StreamBytes(0, image.size()));
}

TEST_P(LogFaultTest, AFailedCutIsSticky) {
  auto disk = FakeDisk::Create();
  disk->FailResize(0, EIO);
  auto log = MustOpenOnFake(disk, SmallRing(GetParam()));
  ASSERT_TRUE(Append(log.get(), "abc").ok());
  EXPECT_EQ(log->Settle().error_number(), EIO);
  EXPECT_EQ(Append(log.get(), "d").error_number(), EIO);
  EXPECT_EQ(log->Flush().error_number(), EIO);
  EXPECT_EQ(log->Close().error_number(), EIO);
  EXPECT_EQ(disk->Image(), "abc");
}

TEST_P(LogFaultTest, ATruncateThatCannotGoOnDoesNotBringTheEndBack) {
  auto disk = FakeDisk::Create();
  auto log = MustOpenOnFake(disk, SmallRing(GetParam()));
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 9000)).ok());
  ASSERT_TRUE(log->Flush().ok());
  // The resize comes first, then the read of the new last block.
  disk->FailOperation(disk->operations() + 1, EIO);
  EXPECT_EQ(log->Truncate(5000).error_number(), EIO);
  EXPECT_EQ(log->Close().error_number(), EIO);
  EXPECT_EQ(disk->Image(), StreamBytes(0, 5000));
}

TEST_P(LogFaultTest, ASizeThatNoFileCanHaveIsRefusedWithoutHarm) {
  auto disk = FakeDisk::Create();
  auto log = MustOpenOnFake(disk, SmallRing(GetParam()));
  EXPECT_EQ(log->Truncate(UINT64_MAX).code(), Status::Code::kInvalidArgument);
  EXPECT_TRUE(Append(log.get(), "abc").ok());
  EXPECT_TRUE(log->Close().ok());
}

TEST_P(LogFaultTest, AFailedDeviceFlushIsNotRetriedIntoAnOk) {
  auto disk = FakeDisk::Create();
  disk->FailFlush(0, EIO);
  auto log = MustOpenOnFake(disk, SmallRing(GetParam()));
  ASSERT_TRUE(Append(log.get(), "abc").ok());
  EXPECT_EQ(log->Sync(SyncKind::kData).error_number(), EIO);
  const uint64_t flushes = disk->flushes();
  EXPECT_EQ(log->Sync(SyncKind::kData).error_number(), EIO);
  EXPECT_EQ(log->Sync(SyncKind::kFull).error_number(), EIO);
  EXPECT_EQ(Append(log.get(), "d").error_number(), EIO);
  EXPECT_EQ(log->Close().error_number(), EIO);
  EXPECT_EQ(disk->flushes(), flushes);
  EXPECT_EQ(log->hi_stable(), 0u);
}

TEST(LogResumeFaultTest, AFileThatCannotBeReadIsNotResumed) {
  auto disk = FakeDisk::Create({}, StreamBytes(0, 5000));
  disk->FailOperation(0, EIO);
  std::unique_ptr<LogEngine> log;
  EXPECT_EQ(test::OpenOnFake(disk, SmallRing(WriteMode::kSerialised), &log)
                .error_number(),
            EIO);
  EXPECT_EQ(log, nullptr);
  EXPECT_EQ(disk->Image(), StreamBytes(0, 5000)) << "left as it was";
}

INSTANTIATE_TEST_SUITE_P(Modes, LogFaultTest,
                         testing::Values(WriteMode::kSerialised,
                                         WriteMode::kTailLocalised),
                         test::ModeName);

}  // namespace
}  // namespace uringfs
