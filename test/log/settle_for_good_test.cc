// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Logs whose process is about to end: the file becomes the log, beside threads
// that go on with it or never move again.

#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "test/log/extend_fixture.h"
#include "test/log/fake_log.h"
#include "test/side/shared_rings.h"
#include "test/side/side_image.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using std::chrono::milliseconds;
using test::Append;
using test::Exists;
using test::FakeDisk;
using test::Random;
using test::ReadWholeFile;
using test::SharedRing;
using test::SideImage;
using test::StreamBytes;

constexpr milliseconds kLong(60000);
constexpr milliseconds kShort(20);

class SettleForGoodTest : public test::ExtendTest {
 protected:
  // Appends, flushes, and the file has exactly that.
  void ExpectExactAtEachFlush(LogEngine* log, const FakeDisk& disk) {
    for (const uint64_t bytes : {1u, 4000u, 96u, 9000u, 70000u}) {
      ASSERT_TRUE(Append(log, StreamBytes(log->size(), bytes)).ok());
      ASSERT_TRUE(log->Flush().ok());
      ASSERT_EQ(disk.Image(), StreamBytes(0, log->size()));
      ASSERT_FALSE(Exists(SidePathOf(path_)));
    }
    ASSERT_TRUE(log->Sync().ok());
    ASSERT_EQ(log->hi_stable(), log->size());
    ASSERT_TRUE(log->Truncate(5000).ok());
    ASSERT_TRUE(Append(log, StreamBytes(5000, 10)).ok());
    ASSERT_TRUE(log->Close().ok());
    ASSERT_EQ(disk.Image(), StreamBytes(0, 5010));
    ASSERT_FALSE(Exists(SidePathOf(path_)));
  }
};

TEST_F(SettleForGoodTest, TheFileIsTheLogFromThenOn) {
  for (const uint64_t bytes : {0u, 3000u, 4096u, 300000u}) {
    const auto disk = FakeDisk::Create();
    const auto log = test::MustOpenBesideSide(disk, path_, SharedRing());
    ASSERT_TRUE(Append(log.get(), StreamBytes(0, bytes)).ok());
    ASSERT_TRUE(log->Flush().ok());
    ASSERT_TRUE(Exists(SidePathOf(path_)));
    const Status status = log->SettleForGood(kLong);
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_EQ(disk->Image(), StreamBytes(0, bytes));
    ASSERT_FALSE(Exists(SidePathOf(path_)));
    ASSERT_TRUE(log->SettleForGood(kLong).ok()) << "again";
    ExpectExactAtEachFlush(log.get(), *disk);
  }
}

TEST_F(SettleForGoodTest, AndSoItIsWithAPrivateRingAndASmallLog) {
  for (const bool is_small : {false, true}) {
    LogOptions options;
    options.ring_home = is_small ? RingHome::kShared : RingHome::kPrivate;
    options.shared_ring_after_bytes = 1 << 16;
    std::unique_ptr<LogStore> log;
    ASSERT_TRUE(LogStore::Open(path_, options, &log).ok());
    ASSERT_TRUE(log->Append(StreamBytes(0, 3000)).ok());
    ASSERT_TRUE(log->Flush().ok());
    ASSERT_TRUE(log->SettleForGood(kLong).ok());
    EXPECT_EQ(ReadWholeFile(path_), StreamBytes(0, 3000));
    // Longer than a small log may be.
    ASSERT_TRUE(log->Append(StreamBytes(3000, 100000)).ok());
    ASSERT_TRUE(log->Flush().ok());
    EXPECT_EQ(ReadWholeFile(path_), StreamBytes(0, 103000));
    EXPECT_FALSE(Exists(SidePathOf(path_)));
    EXPECT_TRUE(log->Close().ok());
    EXPECT_EQ(ReadWholeFile(path_), StreamBytes(0, 103000));
  }
}

TEST_F(SettleForGoodTest, ZerosAheadGoAndDoNotComeBack) {
  const auto log = MustOpen(test::Extended());
  SyncUntilExtended(log.get());
  const uint64_t extensions = log->stats().extensions;
  ASSERT_TRUE(log->SettleForGood(kLong).ok());
  EXPECT_EQ(disk_->Image(), StreamBytes(0, log->size()));
  const uint64_t flushes = disk_->flushes();
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_EQ(disk_->flushes(), flushes + 1) << "the new size is not durable";
  for (int i = 0; i < 50; ++i) {
    AppendAndSync(log.get(), 100);
    ASSERT_EQ(disk_->Image(), StreamBytes(0, log->size()));
  }
  EXPECT_EQ(log->stats().extensions, extensions);
  ExpectExactAtEachFlush(log.get(), *disk_);
}

TEST_F(SettleForGoodTest, AWriterThatNeverLeavesIsNotWaitedFor) {
  const auto log = test::MustOpenBesideSide(disk_, path_, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 3000)).ok());
  ASSERT_TRUE(log->Flush().ok());
  Reservation inside;
  ASSERT_TRUE(log->Reserve(10, &inside).ok());
  EXPECT_EQ(log->SettleForGood(kShort).error_number(), ETIMEDOUT);
  EXPECT_TRUE(SideImage(path_).is_live());
  EXPECT_EQ(SideImage(path_).Recover(disk_->Image()), StreamBytes(0, 3000));
  inside.Write(0, StreamBytes(3000, 10));
  inside.Commit();
  // No lock was kept.
  ASSERT_TRUE(log->Flush().ok());
  ASSERT_TRUE(log->SettleForGood(kLong).ok());
  ExpectExactAtEachFlush(log.get(), *disk_);
}

TEST_F(SettleForGoodTest, AFlushThatNeverReturnsIsNotWaitedFor) {
  const auto log = test::MustOpenBesideSide(disk_, path_, SharedRing());
  Reservation inside;
  ASSERT_TRUE(log->Reserve(10, &inside).ok());
  std::thread flusher([&] { EXPECT_TRUE(log->Flush().ok()); });
  while (log->stats().flushes == 0) {
    std::this_thread::yield();
  }
  EXPECT_EQ(log->SettleForGood(kShort).error_number(), ETIMEDOUT);
  inside.Write(0, StreamBytes(0, 10));
  inside.Commit();
  flusher.join();
  ASSERT_TRUE(log->SettleForGood(kLong).ok());
  EXPECT_EQ(disk_->Image(), StreamBytes(0, 10));
}

TEST_F(SettleForGoodTest, ALogThatHasFailedKeepsItsSideFile) {
  const auto log = test::MustOpenBesideSide(disk_, path_, SharedRing());
  for (uint64_t k = 0; k < 100; ++k) {
    disk_->FailWrite(disk_->writes() + k, ENOSPC);
  }
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 700)).ok());
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(log->SettleForGood(kLong).code(), Status::Code::kNoSpace);
  EXPECT_TRUE(SideImage(path_).is_live());
  EXPECT_EQ(SideImage(path_).Recover(disk_->Image()), StreamBytes(0, 700));
}

TEST_F(SettleForGoodTest, AFileThatCannotBeCutKeepsItsSideFile) {
  const auto log = test::MustOpenBesideSide(disk_, path_, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 700)).ok());
  ASSERT_TRUE(log->Flush().ok());
  disk_->FailResize(disk_->resizes(), EIO);
  EXPECT_FALSE(log->SettleForGood(kLong).ok());
  EXPECT_EQ(SideImage(path_).Recover(disk_->Image()), StreamBytes(0, 700));
  ASSERT_TRUE(Append(log.get(), StreamBytes(700, 5)).ok());
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(SideImage(path_).Recover(disk_->Image()), StreamBytes(0, 705));
}

// What a kill at this instant leaves, by the side file if there is a live one.
std::string Survives(const std::string& path, const std::string& file) {
  if (Exists(SidePathOf(path))) {
    const SideImage side(path);
    if (side.is_live()) {
      return side.Recover(file);
    }
  }
  return file;
}

TEST_F(SettleForGoodTest, AKillAtAnyInstantLeavesWhatFlushPromised) {
  const uint64_t seed = test::SeedOr(22);
  SCOPED_TRACE(test::SeedTrace(seed));
  Random random(seed);
  const std::string stream = StreamBytes(0, 1 << 20);
  for (int round = 0; round < 60; ++round) {
    const auto disk = FakeDisk::Create();
    std::atomic<uint64_t> promised{0};
    std::mutex mutex;
    Random kills(random.Next());  // guarded by mutex
    // Looks where the disk does something: the file before the side file, which
    // by then may say less than the file has.
    disk->SetObserver([&] {
      const std::lock_guard<std::mutex> lock(mutex);
      const uint64_t at_least = promised.load();
      const std::string left = Survives(path_, disk->KillImage(kills));
      ASSERT_GE(left.size(), at_least);
      ASSERT_EQ(left.compare(0, at_least, stream, 0, at_least), 0);
    });
    const auto log = test::MustOpenBesideSide(disk, path_, SharedRing());
    std::thread writer([&, seed = random.Next()] {
      Random sizes(seed);
      uint64_t at = 0;
      for (int i = 0; i < 60; ++i) {
        const uint64_t bytes = sizes.LogUniform(1, 12000);
        ASSERT_TRUE(Append(log.get(), stream.substr(at, bytes)).ok());
        at += bytes;
        ASSERT_TRUE(log->Flush().ok());
        promised = at;
      }
    });
    std::this_thread::sleep_for(
        std::chrono::microseconds(random.LogUniform(1, 3000)));
    const Status status = log->SettleForGood(kLong);
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_FALSE(Exists(SidePathOf(path_)));
    writer.join();
    ASSERT_EQ(disk->Image(), stream.substr(0, promised));
    ASSERT_TRUE(log->Close().ok());
  }
}

TEST_F(SettleForGoodTest, ManyThreadsGoOn) {
  const auto log = test::MustOpenBesideSide(disk_, path_, SharedRing(8192, 3));
  std::atomic<uint64_t> flushed{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      Random random(static_cast<uint64_t>(thread) + 1);
      for (int i = 0; i < 1500; ++i) {
        const std::string record(random.LogUniform(1, 3000),
                                 static_cast<char>('a' + thread));
        ASSERT_TRUE(Append(log.get(), record).ok());
        ASSERT_TRUE((random.OneIn(40) ? log->Sync() : log->Flush()).ok());
        flushed.fetch_add(record.size());
      }
    });
  }
  while (flushed < 200000) {
    std::this_thread::yield();
  }
  const Status status = log->SettleForGood(kLong);
  EXPECT_TRUE(status.ok()) << status.ToString();
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(disk_->Image().size(), flushed.load());
  EXPECT_EQ(disk_->Image().find('\0'), std::string::npos);
  ASSERT_TRUE(log->Close().ok());
}

}  // namespace
}  // namespace uringfs
