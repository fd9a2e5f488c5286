// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Data files get their space ahead of their writes, and end where they should.

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>

#include "test/log/fake_log.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::Append;
using test::FakeDisk;
using test::MustOpenOnFake;
using test::Random;
using test::StreamBytes;

constexpr uint64_t kMiB = uint64_t{1} << 20;

LogOptions Data() {
  LogOptions options;
  options.write_mode = WriteMode::kTailLocalised;
  options.buffer_bytes = 64 * 1024;
  options.buffers_count = 8;
  return options;
}

class AllocateAheadTest : public testing::Test, protected test::OnFakeDisk {
 protected:
  AllocateAheadTest() : OnFakeDisk(51) {}

  void AppendUpTo(LogEngine* log, uint64_t end) {
    while (log->size() < end) {
      const uint64_t bytes =
          std::min<uint64_t>(end - log->size(), 1 + random_.Below(50000));
      ASSERT_TRUE(Append(log, StreamBytes(log->size(), bytes)).ok());
    }
  }
};

TEST_F(AllocateAheadTest, ASmallFileIsNot) {
  auto log = MustOpenOnFake(disk_, Data());
  AppendUpTo(log.get(), kMiB - 5000);
  ASSERT_TRUE(log->Sync().ok());
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(disk_->extensions(), 0u);
}

TEST_F(AllocateAheadTest, ALargeOneIsInFewStepsAndHasItsExactSize) {
  auto log = MustOpenOnFake(disk_, Data());
  AppendUpTo(log.get(), 20 * kMiB);
  EXPECT_GE(disk_->extensions(), 2u);
  EXPECT_LE(disk_->extensions(), 8u);
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_GT(disk_->size(), log->size());
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_EQ(disk_->size(), log->size()) << "a data file is not synced again";
  AppendUpTo(log.get(), 21 * kMiB + 7);
  const uint64_t size = log->size();
  ASSERT_TRUE(log->Close().ok());
  EXPECT_TRUE(disk_->Image() == StreamBytes(0, size));
}

TEST_F(AllocateAheadTest, PowerLossTakesNothingThatWasSynced) {
  auto log = MustOpenOnFake(disk_, Data());
  for (int i = 0; i < 20; ++i) {
    AppendUpTo(log.get(), log->size() + random_.Below(600000));
    if (random_.OneIn(2)) {
      ASSERT_TRUE(log->Sync().ok());
    }
    const std::string stream = StreamBytes(0, log->size());
    for (int image = 0; image < 3; ++image) {
      test::ExpectIntact(disk_->CrashImage(random_), stream, log->hi_stable());
    }
  }
  EXPECT_GT(disk_->extensions(), 2u);
}

TEST_F(AllocateAheadTest, ARefusalChangesNothing) {
  for (const int error : {ENOSPC, EOPNOTSUPP}) {
    const auto disk = FakeDisk::Create();
    disk->FailExtend(0, error);
    auto log = MustOpenOnFake(disk, Data());
    AppendUpTo(log.get(), 5 * kMiB);
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(disk->extensions(), 1u) << "it is not tried again";
    AppendUpTo(log.get(), 6 * kMiB);
    const uint64_t size = log->size();
    ASSERT_TRUE(log->Close().ok());
    EXPECT_TRUE(disk->Image() == StreamBytes(0, size));
  }
}

TEST_F(AllocateAheadTest, SerialisedLogsGrowAsTheyAreWritten) {
  LogOptions options = Data();
  options.write_mode = WriteMode::kSerialised;
  auto log = MustOpenOnFake(disk_, options);
  AppendUpTo(log.get(), 4 * kMiB);
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(disk_->extensions(), 0u);
}

}  // namespace
}  // namespace uringfs
