// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Logs whose ring is in a side file: Flush without the device, and at every
// instant  file[0, written) + ring[written, filled) = what Flush promised.

#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "test/log/fake_log.h"
#include "test/side/shared_rings.h"
#include "test/side/side_image.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::Append;
using test::Exists;
using test::FakeDevice;
using test::FakeDisk;
using test::Random;
using test::SharedRing;
using test::SideImage;
using test::StreamBytes;
using test::TempDir;

// A log on a fake disk with a side file on a real one.
class SharedRingOnFake : public testing::Test {
 protected:
  void SetUp() override { URINGFS_SKIP_WITHOUT_SHARED_RINGS(dir_.path()); }

  std::unique_ptr<LogEngine> MustOpen(const std::shared_ptr<FakeDisk>& disk,
                                      const LogOptions& options) {
    return test::MustOpenBesideSide(disk, path_, options);
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.log");
};

TEST_F(SharedRingOnFake, FlushPromisesWithoutTheDevice) {
  auto disk = FakeDisk::Create();
  disk->HoldCompletions(true);
  auto log = MustOpen(disk, SharedRing());
  const std::string stream = StreamBytes(0, 3000);
  ASSERT_TRUE(Append(log.get(), stream).ok());
  EXPECT_EQ(SideImage(path_).filled(), 0u) << "only Flush promises";
  ASSERT_TRUE(log->Flush().ok());
  const SideImage side(path_);
  EXPECT_TRUE(side.is_live());
  EXPECT_EQ(side.filled(), 3000u);
  EXPECT_EQ(side.Recover(disk->Image()), stream);
  EXPECT_EQ(side.header.log_inode, log->inode());
}

TEST_F(SharedRingOnFake, AKillAtAnyInstantLeavesWhatFlushPromised) {
  const uint64_t seed = test::SeedOr(21);
  SCOPED_TRACE(test::SeedTrace(seed));
  Random random(seed);
  uint64_t looks = 0;
  for (int round = 0; round < 40; ++round) {
    auto disk = FakeDisk::Create();
    std::string stream;
    std::atomic<uint64_t> promised{0};
    std::mutex mutex;             // the drainer makes operations too
    Random kills(random.Next());  // guarded by mutex
    disk->SetObserver([&] {
      const std::lock_guard<std::mutex> lock(mutex);
      // Asked for before the side file: it may be more by then, never less.
      const uint64_t at_least = promised.load();
      const SideImage side(path_);
      if (!side.is_live()) {
        return;
      }
      const std::string log = side.Recover(disk->KillImage(kills));
      ASSERT_GE(log.size(), at_least);
      ASSERT_LE(log.size(), stream.size());
      ASSERT_EQ(stream.compare(0, log.size(), log), 0);
      ++looks;
    });
    auto log = MustOpen(disk, SharedRing());
    stream = StreamBytes(0, 1 << 20);
    uint64_t at = 0;
    const int appends = round % 4 == 0 ? 1 : 60;  // the short way to close, too
    for (int i = 0; i < appends; ++i) {
      const uint64_t bytes = random.LogUniform(1, 20000);
      ASSERT_TRUE(Append(log.get(), stream.substr(at, bytes)).ok());
      at += bytes;
      if (!random.OneIn(3)) {
        ASSERT_TRUE(log->Flush().ok());
        promised = at;
        ASSERT_TRUE(SideImage(path_).HasSumOf(stream.substr(0, at)));
      }
      if (random.OneIn(8)) {
        ASSERT_TRUE(log->Sync().ok());
        promised = at;
        ASSERT_TRUE(SideImage(path_).HasSumOf(stream.substr(0, at)));
      }
      if (random.OneIn(10)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(9));
      }
    }
    ASSERT_TRUE(log->Close().ok());
    EXPECT_EQ(disk->Image(), stream.substr(0, at));
    EXPECT_FALSE(Exists(SidePathOf(path_)));
  }
  EXPECT_GT(looks, 1000u);
}

TEST_F(SharedRingOnFake, SyncPromisesBeforeItReturns) {
  auto disk = FakeDisk::Create();
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 100)).ok());
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_EQ(SideImage(path_).filled(), 100u)
      << "recovery would cut synced bytes";
  EXPECT_EQ(SideImage(path_).written(), 100u);
}

TEST_F(SharedRingOnFake, AnIdleLogIsWrittenOut) {
  auto disk = FakeDisk::Create();
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 100)).ok());
  ASSERT_TRUE(log->Flush().ok());
  while (log->hi_written() < 100) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  // Again after a pause that lets the drainer go to sleep.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  ASSERT_TRUE(Append(log.get(), StreamBytes(100, 100)).ok());
  ASSERT_TRUE(log->Flush().ok());
  while (log->hi_written() < 200) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(disk->Image().substr(0, 200), StreamBytes(0, 200));
}

TEST_F(SharedRingOnFake, WhatTheFileCannotTakeStaysInTheSideFile) {
  auto disk = FakeDisk::Create();
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 5000)).ok());
  ASSERT_TRUE(log->WriteOut().ok());
  for (uint64_t k = 0; k < 100; ++k) {
    disk->FailWrite(disk->writes() + k, ENOSPC);
  }
  ASSERT_TRUE(Append(log.get(), StreamBytes(5000, 700)).ok());
  ASSERT_TRUE(log->Flush().ok());
  Status status = log->Sync();
  EXPECT_EQ(status.code(), Status::Code::kNoSpace);
  EXPECT_EQ(log->Close().code(), Status::Code::kNoSpace);
  log.reset();
  const SideImage side(path_);
  EXPECT_TRUE(side.is_live());
  EXPECT_EQ(side.filled(), 5700u);
  EXPECT_EQ(side.Recover(disk->Image()), StreamBytes(0, 5700));
}

// There may be space again; the log has failed all the same.
TEST_F(SharedRingOnFake, WhatWasPromisedGetsToTheFileAfterAFullDisk) {
  auto disk = FakeDisk::Create();
  disk->FailWrite(0, ENOSPC);
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 700)).ok());
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(log->Sync().code(), Status::Code::kNoSpace);
  EXPECT_TRUE(log->LeaveSideFile().ok());
  EXPECT_EQ(disk->Image(), StreamBytes(0, 700));
  EXPECT_EQ(Append(log.get(), "more").code(), Status::Code::kNoSpace);
  EXPECT_EQ(log->Close().code(), Status::Code::kNoSpace);
  EXPECT_EQ(disk->Image(), StreamBytes(0, 700));
  EXPECT_FALSE(test::Exists(SidePathOf(path_)));
}

// As RocksDB asks once more, to go on in another log.
TEST_F(SharedRingOnFake, WhatWasAppendedBeforeAFullDiskCanStillBeFlushed) {
  auto disk = FakeDisk::Create();
  for (const uint64_t write : {0, 1, 2}) {
    disk->FailWrite(write, ENOSPC);
  }
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 700)).ok());
  ASSERT_TRUE(Append(log.get(), StreamBytes(700, 50)).ok());
  EXPECT_EQ(log->Sync().code(), Status::Code::kNoSpace);
  // In the ring, where a kill does not get at it.
  EXPECT_TRUE(log->Flush().ok());
  EXPECT_EQ(SideImage(path_).filled(), 750u);
  EXPECT_EQ(log->hi_stable(), 0u);
  // The disk is full still, and then it is not.
  EXPECT_EQ(log->Sync().code(), Status::Code::kNoSpace);
  EXPECT_TRUE(log->Sync().ok());
  EXPECT_EQ(log->hi_stable(), 750u);
  EXPECT_EQ(disk->Image(), StreamBytes(0, 750));
  EXPECT_EQ(log->Close().code(), Status::Code::kNoSpace);
  EXPECT_FALSE(test::Exists(SidePathOf(path_)));
}

// What is claimed is not filled yet: neither the file nor anybody who is told
// that it is safe may have a writer's range before its bytes.
TEST_F(SharedRingOnFake, AfterAFullDiskNothingIsSafeBeforeItsWriterHasLeft) {
  for (const bool has_side : {true, false}) {
    auto disk = FakeDisk::Create();
    disk->FailWrite(0, ENOSPC);
    disk->HoldCompletions(true);
    auto log = has_side ? MustOpen(disk, SharedRing())
                        : test::MustOpenOnFake(
                              disk, test::SmallRing(WriteMode::kSerialised));
    // Whoever fills a buffer hands it to the device.
    ASSERT_TRUE(Append(log.get(), StreamBytes(0, 5000)).ok());
    ASSERT_EQ(disk->in_flight(), 1u);
    Reservation slow;
    ASSERT_TRUE(log->Reserve(10, &slow).ok());
    ASSERT_TRUE(Append(log.get(), StreamBytes(5010, 5000)).ok());
    disk->HoldCompletions(false);
    for (int tries = 0; tries < 3; ++tries) {
      EXPECT_EQ(log->SyncTo(4096, SyncKind::kData).code(),
                Status::Code::kNoSpace);
      EXPECT_EQ(log->Sync().code(), Status::Code::kNoSpace);
    }
    slow.Write(0, StreamBytes(5000, 10));
    slow.Commit();
    EXPECT_TRUE(log->Sync().ok());
    EXPECT_TRUE(log->Flush().ok());
    EXPECT_EQ(log->hi_stable(), 10010u);
    EXPECT_EQ(disk->Image(), StreamBytes(0, 10010));
    (void)log->Close();
  }
}

// An append that found no room has taken the end of the ring with it.
TEST_F(SharedRingOnFake, AfterAnAppendThatFoundNoRoomTheOthersAreSafe) {
  for (const bool has_side : {true, false}) {
    auto disk = FakeDisk::Create();
    auto log = has_side ? MustOpen(disk, SharedRing())
                        : test::MustOpenOnFake(
                              disk, test::SmallRing(WriteMode::kSerialised));
    ASSERT_TRUE(Append(log.get(), StreamBytes(0, 5000)).ok());
    disk->FailWrite(disk->writes(), ENOSPC);
    EXPECT_EQ(Append(log.get(), StreamBytes(5000, 1000000)).code(),
              Status::Code::kNoSpace);
    EXPECT_TRUE(log->Flush().ok());
    EXPECT_TRUE(log->Sync().ok());
    EXPECT_EQ(log->hi_stable(), 5000u);
    EXPECT_EQ(disk->Image(), StreamBytes(0, 5000));
    EXPECT_EQ(log->Close().code(), Status::Code::kNoSpace);
    EXPECT_EQ(disk->Image(), StreamBytes(0, 5000));
  }
}

TEST_F(SharedRingOnFake, AFullDiskAfterTheSideFileWasLeft) {
  auto disk = FakeDisk::Create();
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 700)).ok());
  ASSERT_TRUE(log->LeaveSideFile().ok());
  ASSERT_TRUE(Append(log.get(), StreamBytes(700, 50)).ok());
  disk->FailWrite(disk->writes(), ENOSPC);
  disk->FailWrite(disk->writes() + 1, ENOSPC);
  EXPECT_EQ(log->Flush().code(), Status::Code::kNoSpace);
  EXPECT_EQ(log->Flush().code(), Status::Code::kNoSpace);
  // The side file never has what its log lacks.
  EXPECT_FALSE(SideImage(path_).is_live());
  EXPECT_EQ(SideImage(path_).filled(), 700u);
  EXPECT_TRUE(log->Flush().ok());
  EXPECT_TRUE(log->Sync().ok());
  EXPECT_EQ(log->hi_stable(), 750u);
  EXPECT_EQ(disk->Image(), StreamBytes(0, 750));
}

TEST_F(SharedRingOnFake, AfterAFullDiskNobodyVouchesForWrongBytes) {
  auto disk = FakeDisk::Create();
  disk->FailWrite(0, ENOSPC);
  disk->HoldCompletions(true);
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 5000)).ok());
  ASSERT_EQ(disk->in_flight(), 1u);
  ASSERT_TRUE(log->Flush().ok());
  const std::string text = StreamBytes(5000, 50);
  const std::string_view slice = text;
  const uint32_t wrong_sum = 1;
  ASSERT_TRUE(log->AppendBatch(&slice, 1, nullptr, &wrong_sum).ok());
  disk->HoldCompletions(false);
  for (int tries = 0; tries < 3; ++tries) {
    EXPECT_FALSE(log->Sync().ok());
  }
  EXPECT_LE(log->hi_stable(), 5000u);
  EXPECT_FALSE(log->Close().ok());
  EXPECT_EQ(disk->Image(), StreamBytes(0, 5000));
}

// The kernel tells the error of a device flush once. Whoever asks again gets an
// OK that proves nothing.
TEST_F(SharedRingOnFake, AfterAFailedDeviceFlushNothingIsDurable) {
  auto disk = FakeDisk::Create();
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 700)).ok());
  ASSERT_TRUE(log->WriteOut().ok());
  disk->FailOperation(disk->operations(), ENOSPC);
  ASSERT_EQ(log->Sync().code(), Status::Code::kNoSpace);
  EXPECT_EQ(log->Sync().code(), Status::Code::kNoSpace);
  EXPECT_EQ(log->Sync().code(), Status::Code::kNoSpace);
  EXPECT_EQ(log->hi_stable(), 0u);
  // What Flush promises the side file has.
  EXPECT_TRUE(log->Flush().ok());
}

// Other errors tell nothing about what is on the device.
TEST_F(SharedRingOnFake, AfterAnyOtherErrorNothingCanBeFlushed) {
  auto disk = FakeDisk::Create();
  disk->FailWrite(0, EIO);
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 700)).ok());
  EXPECT_FALSE(log->Sync().ok());
  EXPECT_FALSE(log->Flush().ok());
  EXPECT_FALSE(log->Sync().ok());
}

TEST_F(SharedRingOnFake, AShortLogThatCannotBeWrittenStaysInTheSideFile) {
  auto disk = FakeDisk::Create();
  for (uint64_t write = 0; write < 10; ++write) {
    disk->FailWrite(write, ENOSPC);
  }
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 700)).ok());
  EXPECT_EQ(log->Close().code(), Status::Code::kNoSpace);
  log.reset();
  const SideImage side(path_);
  EXPECT_TRUE(side.is_live());
  EXPECT_EQ(side.Recover(disk->Image()), StreamBytes(0, 700));
}

TEST_F(SharedRingOnFake, NothingOfAFailedAppendStaysPromised) {
  auto disk = FakeDisk::Create();
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 5000)).ok());
  ASSERT_TRUE(log->Flush().ok());
  for (uint64_t k = 0; k < 100; ++k) {
    disk->FailWrite(disk->writes() + k, EIO);
  }
  EXPECT_FALSE(Append(log.get(), StreamBytes(5000, 100000)).ok());
  EXPECT_FALSE(log->Flush().ok());
  EXPECT_FALSE(log->Close().ok());
  const SideImage side(path_);
  EXPECT_EQ(side.filled(), 5000u);
  EXPECT_EQ(side.Recover(disk->Image()), StreamBytes(0, 5000));
}

TEST_F(SharedRingOnFake, NothingIsPromisedThatEndsWithinAnAppend) {
  auto disk = FakeDisk::Create();
  auto log = MustOpen(disk, SharedRing());
  constexpr uint64_t kRecord = 50001;  // beyond the ring
  std::atomic<bool> is_over{false};
  std::thread syncer([&] {
    while (!is_over) {
      ASSERT_TRUE(log->Sync().ok());
      ASSERT_EQ(SideImage(path_).filled() % kRecord, 0u);
    }
  });
  for (uint64_t i = 0; i < 300; ++i) {
    ASSERT_TRUE(Append(log.get(), StreamBytes(i * kRecord, kRecord)).ok());
  }
  is_over = true;
  syncer.join();
}

TEST_F(SharedRingOnFake, FlushWaitsForWritersBelow) {
  auto disk = FakeDisk::Create();
  auto log = MustOpen(disk, SharedRing());
  Reservation slow;
  ASSERT_TRUE(log->Reserve(10, &slow).ok());
  std::atomic<bool> has_returned{false};
  std::thread other([&] {
    ASSERT_TRUE(Append(log.get(), "x").ok());
    ASSERT_TRUE(log->Flush().ok());
    has_returned = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_FALSE(has_returned);
  EXPECT_EQ(SideImage(path_).filled(), 0u);
  slow.Write(0, "0123456789");
  slow.Commit();
  other.join();
  EXPECT_EQ(SideImage(path_).Recover(disk->Image()), "0123456789x");
}

TEST_F(SharedRingOnFake, AppendsGoOnWhileTheTailBlockIsUnderIo) {
  auto disk = FakeDisk::Create();
  std::string stream = StreamBytes(0, 100);
  bool is_done = false;
  std::unique_ptr<LogEngine> log;
  disk->SetObserver([&] {
    if (disk->in_flight() > 0 && !is_done) {
      is_done = true;
      // The fake device dies if a byte it was given changes.
      ASSERT_TRUE(Append(log.get(), "more").ok());
    }
  });
  log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), stream).ok());
  ASSERT_TRUE(log->WriteOut().ok());
  EXPECT_TRUE(is_done);
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(SideImage(path_).Recover(disk->Image()), stream + "more");
}

TEST_F(SharedRingOnFake, ManyWritersAndFlushers) {
  auto disk = FakeDisk::Create();
  auto log = MustOpen(disk, SharedRing(8192, 3));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      Random random(static_cast<uint64_t>(thread) + 1);
      for (int i = 0; i < 3000; ++i) {
        const std::string record(random.LogUniform(1, 3000),
                                 static_cast<char>('a' + thread));
        uint64_t offset = 0;
        ASSERT_TRUE(Append(log.get(), record, &offset).ok());
        ASSERT_TRUE(log->Flush().ok());
        if (random.OneIn(50)) {
          ASSERT_GE(SideImage(path_).filled(), offset + record.size());
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  ASSERT_TRUE(log->WriteOut().ok());
  EXPECT_TRUE(SideImage(path_).HasSumOf(disk->Image().substr(0, log->size())));
  ASSERT_TRUE(log->Close().ok());
}

// Nobody tells others where its records end any more: its size does, durably.
TEST_F(SharedRingOnFake, ALogThatHasLeftItsSideFileIsExactAtEachFlush) {
  for (const DirectIo direct : {DirectIo::kOptional, DirectIo::kRequired}) {
    auto disk = FakeDisk::Create();
    LogOptions options = SharedRing();
    options.direct_io = direct;
    auto log = MustOpen(disk, options);
    ASSERT_TRUE(Append(log.get(), StreamBytes(0, 5000)).ok());
    ASSERT_TRUE(log->Flush().ok());
    ASSERT_TRUE(log->LeaveSideFile().ok());
    EXPECT_EQ(disk->Image(), StreamBytes(0, 5000));
    EXPECT_EQ(log->hi_stable(), 5000u);
    const uint64_t flushes = disk->flushes();
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(disk->flushes(), flushes) << "its size is durable, too";
    // Its words stay for whoever has copied the log before.
    EXPECT_FALSE(SideImage(path_).is_live());
    EXPECT_EQ(SideImage(path_).filled(), 5000u);
    for (uint64_t size = 5000; size < 12000; size += 700) {
      ASSERT_TRUE(Append(log.get(), StreamBytes(size, 700)).ok());
      ASSERT_TRUE(log->Flush().ok());
      EXPECT_EQ(disk->Image(), StreamBytes(0, size + 700));
    }
    ASSERT_TRUE(log->Close().ok());
    EXPECT_FALSE(test::Exists(SidePathOf(path_)));
  }
}

TEST_F(SharedRingOnFake, LeavingASideFileTwiceFlushesTheDeviceOnce) {
  auto disk = FakeDisk::Create();
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 5000)).ok());
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(log->LeaveSideFile().ok());
    EXPECT_EQ(disk->flushes(), 1u);
  }
}

TEST_F(SharedRingOnFake, ALogThatCannotBeCutForItsSuccessorHasFailed) {
  for (const int error : {EIO, ENOSPC}) {
    auto disk = FakeDisk::Create();
    auto log = MustOpen(disk, SharedRing());
    ASSERT_TRUE(Append(log.get(), StreamBytes(0, 5000)).ok());
    ASSERT_TRUE(log->Flush().ok());
    disk->FailResize(0, error);
    EXPECT_EQ(log->LeaveSideFile().error_number(), error);
    EXPECT_EQ(log->error().error_number(), error);
    EXPECT_TRUE(SideImage(path_).is_live()) << "it is whole with that";
    EXPECT_EQ(SideImage(path_).Recover(disk->Image()), StreamBytes(0, 5000));
    (void)log->Close();
    log.reset();
    (void)::unlink(SidePathOf(path_).c_str());
  }
}

// A kill anywhere in there must not leave words that are longer than the log.
TEST_F(SharedRingOnFake, ATruncatedLogHasNoWordsOfItsFormerLength) {
  auto disk = FakeDisk::Create();
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 5000)).ok());
  ASSERT_TRUE(log->Flush().ok());
  disk->FailResize(1, EIO);
  EXPECT_FALSE(log->Truncate(100).ok());
  EXPECT_FALSE(SideImage(path_).is_live());
  EXPECT_EQ(SideImage(path_).Word(kSideFilledAt), 0u);
  EXPECT_EQ(SideImage(path_).Word(kSideWrittenAt), 0u);
}

TEST_F(SharedRingOnFake, TruncateStartsOver) {
  auto disk = FakeDisk::Create();
  auto log = MustOpen(disk, SharedRing());
  ASSERT_TRUE(Append(log.get(), StreamBytes(0, 30000)).ok());
  ASSERT_TRUE(log->Flush().ok());
  for (uint64_t size : {20001u, 25000u, 0u, 4096u}) {
    const std::string before = SideImage(path_).Recover(disk->Image());
    ASSERT_TRUE(log->Truncate(size).ok());
    ASSERT_TRUE(Append(log.get(), "tail").ok());
    ASSERT_TRUE(log->Flush().ok());
    std::string expected = before.substr(0, size);
    expected.resize(size, '\0');
    EXPECT_EQ(SideImage(path_).Recover(disk->Image()), expected + "tail");
  }
}

}  // namespace
}  // namespace uringfs
