// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// How long what was flushed may stay in a shared ring, by the looks of the
// drainer and a clock that the test moves.

#include "src/log/drain_schedule.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <set>
#include <string>
#include <utility>

#include "test/log/fake_log.h"
#include "test/side/shared_rings.h"
#include "test/side/side_image.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::Append;
using test::FakeDisk;
using test::StreamBytes;
using test::TempDir;
using Clock = DrainSchedule::Clock;
using std::chrono::milliseconds;

constexpr milliseconds kTick = Ticker::kDrainTick;
const Clock::time_point kStart = Clock::time_point() + std::chrono::hours(5);

// A log that takes `per_tick` bytes between two looks, and whose full buffers
// of `buffer` bytes are written at each.
struct Model {
  uint64_t per_tick;
  uint64_t buffer;
  milliseconds within;

  // How long anything flushed has waited at most, as if all of it came right
  // behind a look; and how many looks had the tail written.
  milliseconds Run(int looks, int* tails) const {
    DrainSchedule schedule(within, kTick);
    std::deque<std::pair<Clock::time_point, uint64_t>> waiting;
    milliseconds longest{0};
    uint64_t filled = 0;
    uint64_t written = 0;
    Clock::time_point now = kStart;
    for (int i = 0; i < looks; ++i) {
      filled += per_tick;
      waiting.emplace_back(now, filled);
      now += kTick;
      const uint64_t wanted = schedule.Begin(now, filled, written);
      *tails += wanted > 0 ? 1 : 0;
      written = std::max({written, filled / buffer * buffer, wanted});
      schedule.End(written);
      while (!waiting.empty() && waiting.front().second <= written) {
        longest = std::max(longest, std::chrono::duration_cast<milliseconds>(
                                        now - waiting.front().first));
        waiting.pop_front();
      }
    }
    return waiting.empty()
               ? longest
               : std::max(longest, std::chrono::duration_cast<milliseconds>(
                                       now - waiting.front().first));
  }
};

TEST(DrainScheduleTest, NothingWaitsLongerHoweverTheLogMoves) {
  for (const uint64_t per_tick : {1u, 100u, 5000u, 40000u, 4000000u}) {
    for (const int within : {8, 12, 20, 21, 50, 1000}) {
      int tails = 0;
      const Model model = {per_tick, 65536, milliseconds(within)};
      EXPECT_LE(model.Run(1000, &tails).count(), within)
          << per_tick << " bytes a tick";
      // Not at every look: the first, and once in a time that is a tick
      // shorter, or another if it is no multiple.
      EXPECT_LE(tails, 2 + 1000 * kTick.count() / (within / 4 * 4 - 4))
          << per_tick << " bytes a tick, within " << within;
    }
  }
}

TEST(DrainScheduleTest, ALogWhoseBuffersFillQuicklyHasNoTailWritten) {
  int tails = 0;
  const Model model = {1000000, 65536, milliseconds(20)};
  model.Run(1000, &tails);
  EXPECT_LE(tails, 1);  // the first look knows nothing
}

TEST(DrainScheduleTest, ZeroIsNoBound) {
  int tails = 0;
  const Model model = {1, 65536, milliseconds(0)};
  EXPECT_EQ(model.Run(5000, &tails), kTick * 5000);
  EXPECT_EQ(tails, 0);
}

TEST(DrainScheduleTest, AnIdleLogIsDueAtOnce) {
  DrainSchedule schedule(milliseconds(0), kTick);
  EXPECT_EQ(schedule.Begin(kStart, 100, 0), 0u);
  schedule.End(0);
  EXPECT_EQ(schedule.Begin(kStart + kTick, 100, 0), 100u);
}

TEST(DrainScheduleTest, WhatCouldNotBeWrittenStaysDue) {
  DrainSchedule schedule(milliseconds(8), kTick);
  Clock::time_point now = kStart;
  for (uint64_t filled = 100; filled < 1000; filled += 100, now += kTick) {
    EXPECT_EQ(schedule.Begin(now, filled, 0), filled);
    schedule.End(0);
  }
}

// Numbers of whole disks are 16 apart.
TEST(TickerTest, EachDeviceHasAThreadOfItsOwn) {
  std::set<Ticker*> tickers;
  for (uint64_t device = 0; device < 10; ++device) {
    Ticker& ticker = Ticker::ForSyncs(0x700 + 16 * device);
    EXPECT_EQ(&ticker, &Ticker::ForSyncs(0x700 + 16 * device));
    tickers.insert(&ticker);
    tickers.insert(&Ticker::ForDrains(0x700 + 16 * device));
  }
  EXPECT_EQ(tickers.size(), 20u);
  // There are not any number of threads.
  for (uint64_t device = 0; device < 100; ++device) {
    tickers.insert(&Ticker::ForSyncs(device));
  }
  EXPECT_LE(tickers.size(), 26u);
}

// A log that is looked at by the test.
class DrainedLog : public testing::Test {
 protected:
  void SetUp() override {
    URINGFS_SKIP_WITHOUT_SHARED_RINGS(dir_.path());
    Open(20);
  }

  void Open(uint32_t within_ms) {
    log_.reset();
    LogOptions options = test::SharedRing(1 << 20, 2);
    options.drain_within_ms = within_ms;
    disk_ = FakeDisk::Create();
    log_ = test::MustOpenBesideSide(disk_, path_, options, nullptr,
                                    /*is_ticked_by_hand=*/true);
    ASSERT_NE(log_, nullptr);
  }

  void AppendAndFlush(uint64_t bytes) {
    ASSERT_TRUE(Append(log_.get(), StreamBytes(log_->size(), bytes)).ok());
    ASSERT_TRUE(log_->Flush().ok());
  }

  bool Tick() { return log_->DrainTick({now_ += kTick, kStart}); }

  TempDir dir_;
  const std::string path_ = dir_.File("a.log");
  std::shared_ptr<FakeDisk> disk_;
  std::unique_ptr<LogEngine> log_;
  Clock::time_point now_ = kStart;
};

TEST_F(DrainedLog, ItsTailIsWrittenInTimeWhileItMoves) {
  std::deque<uint64_t> ends;  // of the last looks
  for (int i = 0; i < 500; ++i) {
    AppendAndFlush(100);
    ends.push_back(log_->size());
    Tick();
    // What was there before a look is written five looks later.
    if (ends.size() > 5) {
      ends.pop_front();
      ASSERT_GE(log_->hi_written(), ends.front()) << "at look " << i;
    }
  }
  EXPECT_LE(disk_->writes(), 500u / 4 + 2) << "one write in four looks";
  const uint64_t written = log_->hi_written();
  EXPECT_EQ(disk_->Image().substr(0, written), StreamBytes(0, written));
}

TEST_F(DrainedLog, WithoutABoundATailThatMovesStays) {
  Open(0);
  for (int i = 0; i < 500; ++i) {
    AppendAndFlush(100);
    EXPECT_TRUE(Tick());
  }
  EXPECT_EQ(disk_->writes(), 0u);
  EXPECT_TRUE(Tick() || log_->hi_written() == log_->size());
  EXPECT_EQ(log_->hi_written(), 50000u);
}

TEST_F(DrainedLog, ALookThatFindsNewBytesChangesTheTimeOfTheSideFile) {
  const std::string side = SidePathOf(path_);
  const timespec long_ago[2] = {{1000, 0}, {1000, 0}};
  // Whether one does.
  const auto is_touched = [&] {
    EXPECT_EQ(::utimensat(AT_FDCWD, side.c_str(), long_ago, 0), 0);
    Tick();
    struct stat file = {};
    EXPECT_EQ(::stat(side.c_str(), &file), 0);
    return file.st_mtim.tv_sec != 1000;
  };
  for (int i = 0; i < 3; ++i) {
    AppendAndFlush(100);
    EXPECT_TRUE(is_touched());
  }
  EXPECT_FALSE(is_touched());
}

TEST_F(DrainedLog, AWriterInsideAtEachLookHoldsUpNothing) {
  Reservation inside;
  for (int i = 0; i < 100; ++i) {
    AppendAndFlush(100);
    const uint64_t flushed = log_->size();
    Reservation next;
    ASSERT_TRUE(log_->Reserve(10, &next).ok());
    for (int look = 0; look < 5 && log_->hi_written() < flushed; ++look) {
      Tick();
      // Always another one, and always one.
      Reservation after;
      ASSERT_TRUE(log_->Reserve(10, &after).ok());
      next = std::move(after);
    }
    ASSERT_GE(log_->hi_written(), flushed) << i;
  }
}

}  // namespace
}  // namespace uringfs
