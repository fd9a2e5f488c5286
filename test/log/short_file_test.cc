// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Data files that are short go through the page cache, and round it as soon as
// they are longer.

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

constexpr uint64_t kCached = 50000;

LogOptions Data() {
  LogOptions options = test::SmallRing(WriteMode::kTailLocalised);
  options.cached_bytes = kCached;
  return options;
}

class ShortFileTest : public testing::Test, protected test::OnFakeDisk {
 protected:
  ShortFileTest() : OnFakeDisk(52) {}

  static void AppendMore(LogEngine* log, uint64_t bytes) {
    ASSERT_TRUE(Append(log, StreamBytes(log->size(), bytes)).ok());
  }

  uint64_t DirectWrites() const {
    return disk_->writes() - disk_->cached_writes();
  }
};

TEST_F(ShortFileTest, AShortFileTakesNoDirectWriteAndNoCut) {
  auto log = MustOpenOnFake(disk_, Data());
  while (log->size() < kCached) {
    AppendMore(log.get(), 1 + random_.Below(kCached - log->size()));
    ASSERT_TRUE(log->Flush().ok());
    EXPECT_EQ(disk_->Image(), StreamBytes(0, log->size()))
        << "as long as it is, for others to read";
  }
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_EQ(disk_->CrashImage(random_), StreamBytes(0, kCached));
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(DirectWrites(), 0u);
  EXPECT_EQ(disk_->resizes(), disk_->cached_writes()) << "it had to be cut";
}

TEST_F(ShortFileTest, ALongerOneGoesRoundTheCacheFromThereOn) {
  auto log = MustOpenOnFake(disk_, Data());
  AppendMore(log.get(), kCached - 100);
  ASSERT_TRUE(log->Flush().ok());
  ASSERT_EQ(DirectWrites(), 0u);
  AppendMore(log.get(), 101);
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(DirectWrites(), 1u);
  // For good: what was written directly is not to be in the cache as well.
  ASSERT_TRUE(log->Truncate(10).ok());
  AppendMore(log.get(), 90);
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(DirectWrites(), 2u);
  EXPECT_EQ(disk_->Image(), StreamBytes(0, 100));
}

TEST_F(ShortFileTest, WhoRequiresDirectWritesGetsThem) {
  LogOptions options = Data();
  options.direct_io = DirectIo::kRequired;
  auto log = MustOpenOnFake(disk_, options);
  AppendMore(log.get(), 1000);
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(DirectWrites(), 1u);
}

TEST_F(ShortFileTest, PowerLossTakesNothingThatWasSynced) {
  for (int life = 0; life < 60; ++life) {
    const auto disk = FakeDisk::Create();
    auto log = MustOpenOnFake(disk, Data());
    while (log->size() < 2 * kCached) {
      AppendMore(log.get(), random_.LogUniform(1, 20000));
      if (random_.OneIn(3)) {
        ASSERT_TRUE(log->Flush().ok());
      }
      if (random_.OneIn(3)) {
        ASSERT_TRUE(log->Sync().ok());
        ASSERT_EQ(log->hi_stable(), log->size());
      }
      test::ExpectIntact(disk->CrashImage(random_), StreamBytes(0, log->size()),
                         log->hi_stable());
    }
    const uint64_t size = log->size();
    ASSERT_TRUE(log->Close().ok());
    ASSERT_EQ(disk->Image(), StreamBytes(0, size));
  }
}

TEST_F(ShortFileTest, AFullDiskIsAnErrorThatStays) {
  auto log = MustOpenOnFake(disk_, Data());
  AppendMore(log.get(), 3000);
  disk_->FailOperation(disk_->operations(), ENOSPC);
  EXPECT_EQ(log->Flush().code(), Status::Code::kNoSpace);
  EXPECT_EQ(log->Sync().code(), Status::Code::kNoSpace);
  EXPECT_FALSE(log->Close().ok());
}

}  // namespace
}  // namespace uringfs
