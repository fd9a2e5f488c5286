// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Zeros ahead of a log that is synced again and again: when there are some,
// that syncs become overwrites, and that nothing is lost by any of it.

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "test/log/extend_fixture.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::Append;
using test::Extended;
using test::ExtendTest;
using test::Random;
using test::SideImage;
using test::StreamBytes;

constexpr uint64_t kBlock = kDeviceBlockBytes;

TEST_F(ExtendTest, ALogThatIsSyncedOnceInAWhileIsNot) {
  auto log = MustOpen(Extended());
  for (int i = 0; i < 7; ++i) {
    AppendAndSync(log.get(), 5000);
  }
  // Time for the drainer to think otherwise.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ASSERT_TRUE(Append(log.get(), StreamBytes(35000, 40000)).ok());
  ASSERT_TRUE(log->Flush().ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(disk_->extensions(), 0u);
  ASSERT_TRUE(log->Close().ok());
}

TEST_F(ExtendTest, SyncsBecomeOverwritesWithoutAFlush) {
  Keep(SyncWay::kDsync);
  LogOptions options = Extended();
  options.max_extend_bytes = 1 << 20;
  auto log = MustOpen(options);
  SyncUntilExtended(log.get());
  const uint64_t before = log->stats().durable_writes;
  const uint64_t flushes = disk_->flushes();
  for (int i = 0; i < 100; ++i) {
    AppendAndSync(log.get(), 1);
  }
  // A few may find that the drainer has written their bytes.
  EXPECT_GE(log->stats().durable_writes, before + 90);
  EXPECT_LE(disk_->flushes(), flushes + 10);
  const uint64_t size = log->size();
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(disk_->Image(), StreamBytes(0, size)) << "cut to its size";
}

TEST_F(ExtendTest, WhatWasWrittenAndNotSyncedIsOwedAFlush) {
  Keep(SyncWay::kDsync);
  auto log = MustOpen(Extended());
  SyncUntilExtended(log.get());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Append(log.get(), StreamBytes(log->size(), 10)).ok());
    ASSERT_TRUE(log->WriteOut().ok());
    const uint64_t flushes = disk_->flushes();
    AppendAndSync(log.get(), 1);
    EXPECT_GT(disk_->flushes(), flushes);
  }
}

TEST_F(ExtendTest, WhereAFlushIsFasterThatIsTaken) {
  Keep(SyncWay::kFlush);
  auto log = MustOpen(Extended());
  SyncUntilExtended(log.get());
  const uint64_t flushes = disk_->flushes();
  for (int i = 0; i < 100; ++i) {
    AppendAndSync(log.get(), 1);
  }
  EXPECT_EQ(log->stats().durable_writes, 0u);
  EXPECT_GE(disk_->flushes(), flushes + 100);
}

TEST_F(ExtendTest, BothWaysAreTriedAndTheFasterOneIsKept) {
  EXPECT_EQ(probe_->kept(), SyncWay::kDsync);
  size_t asked[2] = {0, 0};
  const auto ask = [&](int64_t dsync, int64_t flush) {
    for (size_t i = 0; i < 2 * SyncProbe::kSamples; ++i) {
      const SyncWay way = probe_->Next();
      ++asked[static_cast<size_t>(way)];
      probe_->Took(way, std::chrono::nanoseconds(
                            way == SyncWay::kDsync ? dsync : flush));
    }
  };
  ask(100, 50);
  EXPECT_EQ(asked[0], SyncProbe::kSamples);
  EXPECT_EQ(asked[1], SyncProbe::kSamples);
  EXPECT_EQ(probe_->kept(), SyncWay::kFlush);
  for (uint32_t i = 0; i < SyncProbe::kKeptSyncs; ++i) {
    ASSERT_EQ(probe_->Next(), SyncWay::kFlush);
    probe_->Took(SyncWay::kFlush, std::chrono::nanoseconds(1000));
  }
  // Asked again, with new samples only.
  ask(52, 50);
  EXPECT_EQ(probe_->kept(), SyncWay::kDsync);
}

TEST_F(ExtendTest, NothingIsWrittenWhereZerosAreBeingWritten) {
  // The fake disk ends the process if it is. Held up there, an append beyond
  // has to wait, and one in front does not.
  auto log = MustOpen(Extended());
  std::atomic<bool> is_held{false};
  std::atomic<bool> may_go_on{false};
  std::atomic<uint64_t> held{0};
  std::thread::id syncer = std::this_thread::get_id();
  disk_->SetObserver([&] {
    if (disk_->extensions() == 1 && held.load() == 0 &&
        std::this_thread::get_id() != syncer) {
      held = 1;
      is_held = true;
      while (!may_go_on.load()) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    }
  });
  while (!is_held.load()) {
    AppendAndSync(log.get(), 10);
    // So slowly that the first block, where the zeros begin, is not left.
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ASSERT_LT(log->size(), kBlock - 20);
  }
  AppendAndSync(log.get(), 10);
  // It would cut off what is being written.
  std::thread settler([&] { EXPECT_TRUE(log->Settle().ok()); });
  const uint64_t before = log->size();
  std::thread beyond([&] {
    syncer = std::this_thread::get_id();
    AppendAndSync(log.get(), 100000);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_LT(log->hi_stable(), before + 100000);
  EXPECT_EQ(disk_->resizes(), 0u);
  may_go_on = true;
  beyond.join();
  settler.join();
  EXPECT_EQ(log->hi_stable(), before + 100000);
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(disk_->Image(), StreamBytes(0, before + 100000));
}

TEST_F(ExtendTest, AnExtensionThatFailsChangesNothingElse) {
  disk_->FailExtend(0, ENOSPC);
  auto log = MustOpen(Extended());
  for (int i = 0; i < 2000 && disk_->extensions() == 0; ++i) {
    AppendAndSync(log.get(), 100);
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  EXPECT_EQ(disk_->extensions(), 1u);
  for (int i = 0; i < 100; ++i) {
    AppendAndSync(log.get(), 1000);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  AppendAndSync(log.get(), 1000);
  EXPECT_EQ(disk_->extensions(), 1u) << "it is not tried again";
  EXPECT_EQ(log->stats().extensions, 0u);
  EXPECT_TRUE(log->error().ok());
  const uint64_t size = log->size();
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(disk_->Image(), StreamBytes(0, size));
}

TEST_F(ExtendTest, AFlushThatFailsBehindAnExtensionIsSticky) {
  auto log = MustOpen(Extended());
  // Whoever extends waits until it is set, and flushes then.
  std::once_flag is_set;
  disk_->SetObserver([&] {
    if (disk_->extensions() == 1) {
      std::call_once(is_set, [&] { disk_->FailFlush(disk_->flushes(), EIO); });
    }
  });
  Status status;
  for (int i = 0; i < 20000 && status.ok(); ++i) {
    status = Append(log.get(), "x");
    status = status.ok() ? log->Sync() : status;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  EXPECT_EQ(status.error_number(), EIO);
  EXPECT_EQ(log->Close().error_number(), EIO);
}

// The error is told once. A sync beside it must not take the answer that comes
// next for its own.
TEST_F(ExtendTest, ASyncBesideAFlushThatFailsFails) {
  auto log = MustOpen(Extended());
  const auto syncer = std::this_thread::get_id();
  enum Stage { kWaits, kExtends, kFlushes, kHasFailed, kGoesOn };
  std::atomic<Stage> stage{kWaits};
  std::atomic<uint64_t> bad_flush{UINT64_MAX};
  disk_->SetObserver([&] {
    if (std::this_thread::get_id() == syncer) {
      return;
    }
    if (stage == kWaits && disk_->extensions() == 1) {
      stage = kExtends;
      while (stage == kExtends) {
        std::this_thread::yield();
      }
    } else if (stage == kFlushes && disk_->flushes() > bad_flush) {
      stage = kHasFailed;
      // Until the sync had every chance to overtake.
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      stage = kGoesOn;
    }
  });
  while (stage == kWaits) {
    AppendAndSync(log.get(), 10);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(Append(log.get(), StreamBytes(log->size(), 500)).ok());
  ASSERT_TRUE(log->WriteOut().ok());
  const uint64_t stable = log->hi_stable();
  bad_flush = disk_->flushes();
  disk_->FailFlush(bad_flush, EIO);
  stage = kFlushes;
  while (stage == kFlushes) {
    std::this_thread::yield();
  }
  EXPECT_EQ(log->Sync().error_number(), EIO);
  EXPECT_EQ(log->hi_stable(), stable);
  EXPECT_EQ(log->Close().error_number(), EIO);
}

TEST_F(ExtendTest, ALogThatWasSettledIsLeftAlone) {
  auto log = MustOpen(Extended());
  SyncUntilExtended(log.get());
  ASSERT_TRUE(log->Settle().ok());
  const uint64_t size = log->size();
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(disk_->size(), size) << "somebody else may write there";
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const uint64_t extensions = log->stats().extensions;
  for (int i = 0; i < 100; ++i) {
    AppendAndSync(log.get(), 500);
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  EXPECT_EQ(log->stats().extensions, extensions);
}

TEST_F(ExtendTest, TheSideFileSaysWhoseItIsBeforeTheFirstZero) {
  auto log = MustOpen(Extended());
  SyncUntilExtended(log.get());
  const SideImage side(path_);
  EXPECT_TRUE(side.is_live());
  EXPECT_EQ(side.header.log_inode, log->inode());
  // And not if it cannot: its directory is gone.
  ASSERT_TRUE(log->Close().ok());
  log.reset();
  const uint64_t before = disk_->extensions();
  log = MustOpen(Extended());
  const std::string elsewhere = dir_.path() + ".moved";
  std::filesystem::rename(dir_.path(), elsewhere);
  for (int i = 0; i < 100; ++i) {
    AppendAndSync(log.get(), 100);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::filesystem::rename(elsewhere, dir_.path());
  EXPECT_EQ(disk_->extensions(), before);
  ASSERT_TRUE(log->Close().ok());
}

TEST_F(ExtendTest, UnsyncedBytesOfAnExtendedLogAreFlushedByTheWindow) {
  auto log = MustOpen(Extended());
  SyncUntilExtended(log.get());
  const uint64_t stable = log->hi_stable();
  ASSERT_TRUE(Append(log.get(), StreamBytes(log->size(), 40000)).ok());
  ASSERT_TRUE(log->Flush().ok());
  for (int i = 0; i < 20000 && log->hi_stable() < stable + 16 * 1024; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_GE(log->hi_stable(), stable + 16 * 1024);
  ASSERT_TRUE(log->Close().ok());
}

TEST_F(ExtendTest, CloseAndTruncateAndSettleBesideIt) {
  const uint64_t seed = test::SeedOr(32);
  SCOPED_TRACE(test::SeedTrace(seed));
  Random random(seed);
  for (int round = 0; round < 60; ++round) {
    auto log = MustOpen(Extended());
    uint64_t size = log->size();
    if (size > 0) {
      ASSERT_TRUE(log->Truncate(0).ok());
      size = 0;
    }
    const uint64_t syncs = 9 + random.Below(60);
    for (uint64_t i = 0; i < syncs; ++i) {
      AppendAndSync(log.get(), 1 + random.Below(3000));
      std::this_thread::sleep_for(std::chrono::microseconds(random.Below(400)));
      if (random.OneIn(30)) {
        ASSERT_TRUE(log->Settle().ok());
        ASSERT_EQ(disk_->size(), log->size());
      }
      if (random.OneIn(30)) {
        const uint64_t shorter = random.Below(log->size());
        ASSERT_TRUE(log->Truncate(shorter).ok());
        ASSERT_EQ(disk_->size(), shorter);
      }
    }
    size = log->size();
    ASSERT_TRUE(log->Close().ok());
    ASSERT_EQ(disk_->Image(), StreamBytes(0, size));
  }
  EXPECT_GT(disk_->extensions(), 40u);
}

}  // namespace
}  // namespace uringfs
