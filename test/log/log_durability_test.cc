// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Power loss and process death at every instant, on the fake disk: what
// hi_stable and hi_written promised is there, and nothing else but padding.

#include <string>
#include <thread>
#include <vector>

#include "test/log/fake_log.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::Append;
using test::CompletionOrder;
using test::ExpectIntact;
using test::ExpectPaddedPrefix;
using test::FakeDisk;
using test::FakeDiskOptions;
using test::MustOpenOnFake;
using test::Random;
using test::SmallRing;
using test::StreamBytes;

TEST(LogDurabilityTest, ACompletedButUnflushedWriteIsNeverAcknowledged) {
  for (WriteMode mode : {WriteMode::kSerialised, WriteMode::kTailLocalised}) {
    auto disk = FakeDisk::Create();
    auto log = MustOpenOnFake(disk, SmallRing(mode));
    ASSERT_TRUE(Append(log.get(), StreamBytes(0, 9000)).ok());
    ASSERT_TRUE(log->Flush().ok());
    EXPECT_EQ(log->hi_written(), 9000u);
    EXPECT_EQ(log->hi_stable(), 0u);
    EXPECT_EQ(disk->flushes(), 0u);
    // The fake disk may lose such a write: that is what the promise is about.
    Random random(1);
    bool lost = false;
    for (int i = 0; i < 100 && !lost; ++i) {
      const std::string image = disk->CrashImage(random);
      lost = image.compare(0, 9000, StreamBytes(0, 9000)) != 0;
    }
    EXPECT_TRUE(lost);
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(disk->flushes(), 1u) << "issued after the writes";
    EXPECT_EQ(log->hi_stable(), 9000u);
    for (int i = 0; i < 100; ++i) {
      ExpectIntact(disk->CrashImage(random), StreamBytes(0, 9000), 9000);
    }
  }
}

TEST(LogDurabilityTest, AFlushThatBeganBeforeTheWriteDoesNotCoverIt) {
  auto disk = FakeDisk::Create();
  bool appended_during_flush = false;
  std::unique_ptr<LogEngine> log;
  disk->SetObserver([&] {
    // Right after the device flush, before hi_stable moves: bytes written now
    // are not covered by it.
    if (disk->flushes() == 1 && !appended_during_flush) {
      appended_during_flush = true;
      std::thread([&] {
        ASSERT_TRUE(Append(log.get(), "late").ok());
        ASSERT_TRUE(log->Flush().ok());
      }).join();
    }
  });
  log = MustOpenOnFake(disk, SmallRing(WriteMode::kSerialised));
  ASSERT_TRUE(Append(log.get(), "early").ok());
  ASSERT_TRUE(log->Sync().ok());
  ASSERT_TRUE(appended_during_flush);
  EXPECT_EQ(log->hi_written(), 9u);
  EXPECT_EQ(log->hi_stable(), 5u);
}

TEST(LogDurabilityTest, ATailLocalisedSyncCoversTheExactSize) {
  auto disk = FakeDisk::Create();
  auto log = MustOpenOnFake(disk, SmallRing(WriteMode::kTailLocalised));
  Random random(3);
  for (uint64_t size : {5000, 12288, 30001}) {
    const uint64_t old = log->size();
    ASSERT_TRUE(Append(log.get(), StreamBytes(old, size - old)).ok());
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(disk->size(), size);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(disk->CrashImage(random), StreamBytes(0, size));
    }
  }
}

TEST(LogDurabilityTest, ASyncAfterAChangeOfSizeIssuesAFlush) {
  for (WriteMode mode : {WriteMode::kSerialised, WriteMode::kTailLocalised}) {
    auto disk = FakeDisk::Create();
    auto log = MustOpenOnFake(disk, SmallRing(mode));
    Random random(4);
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(disk->flushes(), 1u) << "the file itself must be durable";
    ASSERT_TRUE(Append(log.get(), StreamBytes(0, 5000)).ok());
    ASSERT_TRUE(log->Sync().ok());
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(disk->flushes(), 2u) << "nothing changed in between";
    ASSERT_TRUE(log->Settle().ok());
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(disk->flushes(), 3u);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(disk->CrashImage(random).size(), 5000u);
    }
    ASSERT_TRUE(log->Truncate(100).ok());
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(disk->flushes(), 4u);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(disk->CrashImage(random), StreamBytes(0, 100));
    }
  }
}

TEST(LogDurabilityTest, AFullSyncIsAlwaysItsOwn) {
  auto disk = FakeDisk::Create();
  auto log = MustOpenOnFake(disk, SmallRing(WriteMode::kSerialised));
  ASSERT_TRUE(log->Sync().ok());
  ASSERT_TRUE(log->Sync(SyncKind::kFull).ok());
  ASSERT_TRUE(log->Sync(SyncKind::kFull).ok());
  EXPECT_EQ(disk->flushes(), 3u);
}

struct Campaign {
  WriteMode mode;
  CompletionOrder order;
};

class LogCrashTest : public testing::TestWithParam<Campaign> {
 protected:
  // Random appends, flushes and syncs; at every operation and completion the
  // power may go or the process may die.
  void RunOne(uint64_t seed, int steps) {
    SCOPED_TRACE(test::SeedTrace(seed));
    FakeDiskOptions disk_options;
    disk_options.order = GetParam().order;
    disk_options.seed = seed;
    auto disk = FakeDisk::Create(disk_options);
    std::unique_ptr<LogEngine> log;
    Random random(seed);
    Random crashes(seed + 1);
    std::string stream;
    disk->SetObserver([&] {
      if (log == nullptr) {
        return;
      }
      ExpectIntact(disk->CrashImage(crashes), stream, log->hi_stable());
      const std::string killed = disk->KillImage(crashes);
      ExpectIntact(killed, stream, log->hi_written());
      if (GetParam().mode == WriteMode::kSerialised) {
        ExpectPaddedPrefix(killed, stream, log->hi_written());
      }
    });
    log = MustOpenOnFake(disk, SmallRing(GetParam().mode));
    disk->HoldCompletions(random.OneIn(2));
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      switch (random.Below(4)) {
        case 0:
          ASSERT_TRUE(log->Flush().ok());
          ASSERT_EQ(log->hi_written(), stream.size());
          break;
        case 1:
          ASSERT_TRUE(log->Sync().ok());
          ASSERT_EQ(log->hi_stable(), stream.size());
          ExpectIntact(disk->CrashImage(crashes), stream, stream.size());
          break;
        default:
          const std::string bytes =
              StreamBytes(stream.size(), random.LogUniform(1, 50000));
          stream += bytes;
          ASSERT_TRUE(Append(log.get(), bytes).ok());
      }
    }
    ASSERT_TRUE(log->Close().ok());
    EXPECT_EQ(disk->Image(), stream);
    disk->SetObserver(nullptr);
  }
};

TEST_P(LogCrashTest, WhatWasPromisedIsThere) {
  for (uint64_t seed = 1; seed <= 60 && !HasFailure(); ++seed) {
    RunOne(test::SeedOr(0) + seed, 25);
  }
}

TEST_P(LogCrashTest, LongCampaign) {
  for (uint64_t seed = 1; seed <= 5000 && !HasFailure(); ++seed) {
    RunOne(test::SeedOr(1000) + seed, 40);
  }
}

std::string CampaignName(const testing::TestParamInfo<Campaign>& info) {
  const char* const orders[] = {"Fifo", "Lifo", "Random"};
  return std::string(info.param.mode == WriteMode::kSerialised
                         ? "Serialised"
                         : "TailLocalised") +
         orders[static_cast<int>(info.param.order)];
}

INSTANTIATE_TEST_SUITE_P(
    Campaigns, LogCrashTest,
    testing::Values(Campaign{WriteMode::kSerialised, CompletionOrder::kFifo},
                    Campaign{WriteMode::kTailLocalised, CompletionOrder::kFifo},
                    Campaign{WriteMode::kTailLocalised, CompletionOrder::kLifo},
                    Campaign{WriteMode::kTailLocalised,
                             CompletionOrder::kRandom}),
    CampaignName);

}  // namespace
}  // namespace uringfs
