// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What was flushed is durable within a time, though nobody syncs.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "src/log/sync_schedule.h"
#include "test/log/fake_log.h"
#include "test/side/shared_rings.h"
#include "test/side/side_image.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"
#include "uringfs/log_store.h"

namespace uringfs {
namespace {

using test::Append;
using test::FakeDisk;
using test::StreamBytes;
using test::TempDir;
using Clock = SyncSchedule::Clock;
using std::chrono::milliseconds;

constexpr milliseconds kTick = Ticker::kSyncTick;
const Clock::time_point kStart = Clock::time_point() + std::chrono::hours(5);

// A log that is flushed all the time on a disk that takes `flush` for a device
// flush.
struct Model {
  milliseconds within;
  milliseconds flush;

  // How long anything has waited at most; how many syncs there were, and how
  // many were called late.
  milliseconds Run(int looks, int* syncs, int* late) const {
    SyncSchedule schedule(within, kStart);
    std::deque<std::pair<Clock::time_point, uint64_t>> waiting;
    milliseconds longest{0};
    uint64_t flushed = 0;
    uint64_t stable = 0;
    Clock::time_point now = kStart;
    for (int i = 0; i < looks; ++i) {
      waiting.emplace_back(now, ++flushed);
      now += kTick;
      if (!schedule.Begin(now, kStart, flushed, stable)) {
        continue;
      }
      stable = flushed;
      for (milliseconds took{0}; took < flush; took += kTick) {
        waiting.emplace_back(now, ++flushed);
        now += kTick;
      }
      ++*syncs;
      *late += schedule.End(now, true) > within ? 1 : 0;
      while (!waiting.empty() && waiting.front().second <= stable) {
        longest = std::max(longest, std::chrono::duration_cast<milliseconds>(
                                        now - waiting.front().first));
        waiting.pop_front();
      }
    }
    return longest;
  }
};

TEST(SyncScheduleTest, InTimeOnADiskThatTakesAThirdOfIt) {
  for (const int within : {4, 10, 50, 1000}) {
    int syncs = 0;
    int late = 0;
    const Model model = {milliseconds(within), milliseconds(within / 3)};
    EXPECT_LE(model.Run(20000, &syncs, &late).count(), within);
    EXPECT_EQ(late, 0) << within;
    EXPECT_GT(syncs, 0);
  }
}

TEST(SyncScheduleTest, OnAFastDiskFourTimesInThatTime) {
  int syncs = 0;
  int late = 0;
  const Model model = {milliseconds(100), milliseconds(0)};
  EXPECT_LE(model.Run(20000, &syncs, &late).count(), 100 / 4 + 1);
  EXPECT_EQ(syncs, 20000 / 25);
  EXPECT_EQ(late, 0);
}

TEST(SyncScheduleTest, WhatIsLateIsCounted) {
  int syncs = 0;
  int late = 0;
  const Model model = {milliseconds(10), milliseconds(12)};
  EXPECT_GT(model.Run(1000, &syncs, &late).count(), 10);
  EXPECT_GE(late, syncs - 1);
}

TEST(SyncScheduleTest, WhatWasNotSyncedIsLate) {
  SyncSchedule schedule(milliseconds(10), kStart);
  EXPECT_TRUE(schedule.Begin(kStart, kStart, 8, 0));
  EXPECT_EQ(schedule.End(kStart + milliseconds(1), false), milliseconds(1));
  EXPECT_TRUE(schedule.Begin(kStart + milliseconds(10), kStart, 9, 7));
  EXPECT_EQ(schedule.End(kStart + milliseconds(11), true), milliseconds(11));
  EXPECT_TRUE(schedule.Begin(kStart + milliseconds(13), kStart, 10, 9));
  EXPECT_EQ(schedule.End(kStart + milliseconds(14), true), milliseconds(4));
}

// The thread may have looked at other logs since long before.
TEST(SyncScheduleTest, NothingWaitsBeforeThereIsALog) {
  SyncSchedule schedule(milliseconds(10), kStart);
  EXPECT_TRUE(schedule.Begin(kStart + milliseconds(1),
                             kStart - std::chrono::hours(1), 8, 0));
  EXPECT_EQ(schedule.End(kStart + milliseconds(2), true), milliseconds(2));
}

TEST(SyncScheduleTest, NothingWaitsWhileThereIsNothing) {
  SyncSchedule schedule(milliseconds(10), kStart);
  EXPECT_FALSE(schedule.Begin(kStart, kStart, 0, 0));
  EXPECT_FALSE(schedule.Begin(kStart + milliseconds(50), kStart, 7, 7));
  EXPECT_TRUE(schedule.Begin(kStart + milliseconds(51), kStart, 8, 7));
  EXPECT_EQ(schedule.End(kStart + milliseconds(52), true), milliseconds(2));
  // Nobody has looked for a long time, because there was nothing.
  const Clock::time_point awake = kStart + std::chrono::hours(1);
  EXPECT_TRUE(schedule.Begin(awake + milliseconds(1), awake, 9, 8));
  EXPECT_EQ(schedule.End(awake + milliseconds(2), true), milliseconds(2));
}

std::string NameOf(const testing::TestParamInfo<RingHome>& ring) {
  return ring.param == RingHome::kShared ? "Shared" : "Private";
}

// A log that is looked at by the test.
class DurableWithinTest : public testing::TestWithParam<RingHome> {
 protected:
  static constexpr uint32_t kWithinMs = 10;

  void SetUp() override {
    if (GetParam() == RingHome::kShared) {
      URINGFS_SKIP_WITHOUT_SHARED_RINGS(dir_.path());
    }
    LogOptions options = test::SharedRing();
    options.ring_home = GetParam();
    options.durable_within_ms = kWithinMs;
    if (GetParam() == RingHome::kShared) {
      log_ = test::MustOpenBesideSide(disk_, path_, options, nullptr,
                                      /*is_ticked_by_hand=*/true);
    } else {
      ASSERT_TRUE(test::OpenOnFake(disk_, options, &log_,
                                   /*is_ticked_by_hand=*/true)
                      .ok());
    }
    ASSERT_NE(log_, nullptr);
  }

  void AppendAndFlush(uint64_t bytes) {
    ASSERT_TRUE(Append(log_.get(), StreamBytes(log_->size(), bytes)).ok());
    ASSERT_TRUE(log_->Flush().ok());
  }
  bool Tick() { return log_->SyncTick({now_ += kTick, kStart}); }

  void ExpectAllAfterPowerLoss(uint64_t bytes) {
    const std::string image = disk_->CrashImage(random_);
    ASSERT_GE(image.size(), bytes);
    ASSERT_EQ(image.substr(0, bytes), StreamBytes(0, bytes));
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.log");
  test::Random random_{test::SeedOr(1)};
  std::shared_ptr<FakeDisk> disk_ = FakeDisk::Create();
  std::unique_ptr<LogEngine> log_;
  Clock::time_point now_ = kStart;
};

INSTANTIATE_TEST_SUITE_P(Rings, DurableWithinTest,
                         testing::Values(RingHome::kPrivate, RingHome::kShared),
                         NameOf);

TEST_P(DurableWithinTest, NobodySyncs) {
  std::deque<uint64_t> flushed;
  for (int look = 0; look < 300; ++look) {
    AppendAndFlush(1 + random_.Below(900));
    flushed.push_back(log_->size());
    Tick();
    if (flushed.size() > kWithinMs / kTick.count()) {
      ASSERT_GE(log_->hi_stable(), flushed.front()) << "at look " << look;
      ExpectAllAfterPowerLoss(flushed.front());
      flushed.pop_front();
    }
  }
  const LogStats stats = log_->stats();
  EXPECT_LE(stats.device_flushes + stats.durable_writes, 300u / 2);
}

TEST_P(DurableWithinTest, ALookTellsWhetherMoreIsToBeDone) {
  EXPECT_FALSE(Tick());
  AppendAndFlush(100);
  while (Tick()) {
  }
  EXPECT_EQ(log_->hi_stable(), 100u);
  const uint64_t operations = disk_->operations();
  EXPECT_FALSE(Tick());
  EXPECT_EQ(disk_->operations(), operations);
}

TEST_P(DurableWithinTest, AnErrorIsTheLogs) {
  disk_->FailFlush(0, EIO);
  AppendAndFlush(100);
  for (int look = 0; look < 20; ++look) {
    Tick();
  }
  EXPECT_FALSE(Tick());
  EXPECT_EQ(log_->hi_stable(), 0u);
  EXPECT_FALSE(Append(log_.get(), "more").ok() && log_->Flush().ok());
  EXPECT_FALSE(log_->Sync().ok());
}

// Nobody looks after it then.
TEST_P(DurableWithinTest, ClosedItIsDurable) {
  AppendAndFlush(5000);
  ASSERT_TRUE(log_->Close().ok());
  EXPECT_EQ(log_->hi_stable(), 5000u);
  ExpectAllAfterPowerLoss(5000);
}

TEST_P(DurableWithinTest, SettledForGoodItIsDurable) {
  AppendAndFlush(5000);
  ASSERT_TRUE(log_->SettleForGood(std::chrono::seconds(60)).ok());
  ExpectAllAfterPowerLoss(5000);
}

// The thread looks after other logs too.
TEST_P(DurableWithinTest, AWriterInsideIsNotWaitedFor) {
  AppendAndFlush(100);
  Reservation inside;
  ASSERT_TRUE(log_->Reserve(10, &inside).ok());
  for (int look = 0; look < 20; ++look) {
    Tick();
  }
  // With a private ring Flush has written it.
  EXPECT_EQ(Tick(), GetParam() == RingHome::kShared);
  inside.Commit();
  for (int look = 0; look < 20; ++look) {
    Tick();
  }
  EXPECT_GE(log_->hi_stable(), 100u);
  ASSERT_TRUE(log_->Truncate(50).ok());
  for (int look = 0; look < 20; ++look) {
    Tick();
  }
  EXPECT_EQ(log_->hi_stable(), 50u);
}

// On a real disk, by the thread.
class DurableLogTest : public testing::TestWithParam<RingHome> {
 protected:
  LogOptions Options() const {
    LogOptions options;
    options.durable_within_ms = 4;
    options.ring_home = GetParam();
    return options;
  }

  static void AwaitStable(const LogStore& log, uint64_t end) {
    const auto limit = std::chrono::steady_clock::now() + milliseconds(60000);
    while (log.hi_stable() < end && std::chrono::steady_clock::now() < limit) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    ASSERT_GE(log.hi_stable(), end) << log.error().ToString();
  }

  TempDir dir_;
};

INSTANTIATE_TEST_SUITE_P(Rings, DurableLogTest,
                         testing::Values(RingHome::kPrivate, RingHome::kShared),
                         NameOf);

TEST_P(DurableLogTest, AlsoAfterThereWasNothingForLong) {
  std::unique_ptr<LogStore> log;
  ASSERT_TRUE(LogStore::Open(dir_.File("a.log"), Options(), &log).ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(log->Append(StreamBytes(log->size(), 3000)).ok());
    ASSERT_TRUE(log->Flush().ok());
    AwaitStable(*log, log->size());
    // Longer than the thread looks in vain.
    std::this_thread::sleep_for(milliseconds(300));
  }
  EXPECT_EQ(log->stats().device_flushes, 3u);
  EXPECT_TRUE(log->Close().ok());
}

TEST_P(DurableLogTest, ManyLogsComeAndGoBesideIt) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      for (int round = 0; round < 10; ++round) {
        const std::string path =
            dir_.File(std::to_string(i) + "-" + std::to_string(round) + ".log");
        std::unique_ptr<LogStore> log;
        ASSERT_TRUE(LogStore::Open(path, Options(), &log).ok());
        for (int k = 0; k < 200; ++k) {
          ASSERT_TRUE(log->Append(StreamBytes(log->size(), 700)).ok());
          ASSERT_TRUE(log->Flush().ok());
          if (k == 100) {
            ASSERT_TRUE(log->Truncate(35000).ok());
          }
        }
        if (round % 2 == 0) {
          AwaitStable(*log, log->size());
        }
        const uint64_t size = log->size();
        ASSERT_TRUE(log->Close().ok());
        ASSERT_EQ(test::ReadWholeFile(path), StreamBytes(0, size));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

TEST(DurableWithinOptionsTest, Limits) {
  LogOptions options;
  for (const uint32_t good : {0u, 4u, 60000u}) {
    options.durable_within_ms = good;
    EXPECT_TRUE(options.Validate().ok()) << good;
  }
  for (const uint32_t bad : {1u, 3u, 60001u}) {
    options.durable_within_ms = bad;
    EXPECT_FALSE(options.Validate().ok()) << bad;
  }
  options.durable_within_ms = 10;
  options.write_mode = WriteMode::kTailLocalised;
  EXPECT_FALSE(options.Validate().ok());
}

}  // namespace
}  // namespace uringfs
