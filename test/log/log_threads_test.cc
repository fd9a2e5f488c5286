// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Many threads append, flush, sync and reserve on one log at once.

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "test/log/fake_log.h"
#include "test/ring/ring_harness.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::Begins;
using test::FakeDisk;
using test::MakeRecord;
using test::Random;
using test::SmallRing;

class LogThreadsTest : public testing::TestWithParam<WriteMode> {
 protected:
  // One writer's records, through Append, AppendBatch and Reserve in turn;
  // what Flush and Sync promise is checked on the way.
  static void WriteSome(LogEngine* log, uint32_t writer, uint64_t records,
                        uint64_t seed, std::vector<uint64_t>* begins) {
    Random random(seed + writer);
    for (uint64_t i = 0; i < records; ++i) {
      const auto bytes = static_cast<uint32_t>(random.LogUniform(16, 30000));
      const std::string record = MakeRecord(writer, i, bytes);
      uint64_t begin = 0;
      if (record.size() < log->max_reservation_bytes() && random.OneIn(4)) {
        Reservation reservation;
        ASSERT_TRUE(log->Reserve(record.size(), &reservation).ok());
        begin = reservation.offset();
        reservation.Write(0, record);
        reservation.Commit();
      } else {
        const std::string_view whole = record;
        const std::string_view slices[] = {whole.substr(0, 7), whole.substr(7)};
        ASSERT_TRUE(log->AppendBatch(slices, 2, &begin).ok());
      }
      begins->push_back(begin);
      const uint64_t end = begin + record.size();
      if (random.OneIn(5)) {
        ASSERT_TRUE(log->Flush().ok());
        ASSERT_GE(log->hi_written(), end);
      } else if (random.OneIn(10)) {
        ASSERT_TRUE(log->Sync(SyncKind::kData).ok());
        ASSERT_GE(log->hi_stable(), end);
      }
    }
  }

  static void Run(LogEngine* log, uint32_t writers, uint64_t records,
                  uint64_t seed, Begins* begins) {
    begins->assign(writers, {});
    std::vector<std::thread> threads;
    for (uint32_t writer = 0; writer < writers; ++writer) {
      threads.emplace_back(
          [=] { WriteSome(log, writer, records, seed, &begins->at(writer)); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    ASSERT_TRUE(log->Close().ok());
  }
};

TEST_P(LogThreadsTest, EveryRecordIsInTheFileOnTheFakeDisk) {
  const uint64_t seed = test::SeedOr(21);
  SCOPED_TRACE(test::SeedTrace(seed));
  test::FakeDiskOptions options;
  options.order = test::CompletionOrder::kRandom;
  auto disk = FakeDisk::Create(options);
  auto log = test::MustOpenOnFake(disk, SmallRing(GetParam()));
  Begins begins;
  Run(log.get(), 4, 150, seed, &begins);
  EXPECT_EQ(test::ExpectWholeRecords(disk->Image(), &begins), 4u * 150);
}

TEST_P(LogThreadsTest, EveryRecordIsInARealFile) {
  const uint64_t seed = test::SeedOr(22);
  SCOPED_TRACE(test::SeedTrace(seed));
  test::TempDir dir;
  std::unique_ptr<LogEngine> log;
  LogOptions options = SmallRing(GetParam());
  options.buffer_bytes = 16384;
  ASSERT_TRUE(LogEngine::Open(dir.File("f"), options, &log).ok());
  Begins begins;
  Run(log.get(), 4, 300, seed, &begins);
  EXPECT_EQ(
      test::ExpectWholeRecords(test::ReadWholeFile(dir.File("f")), &begins),
      4u * 300);
}

TEST_P(LogThreadsTest, AnErrorReachesEveryWaitingThread) {
  // No thread may hang on space or on a flush that will never come.
  for (uint64_t k = 0; k < 20; ++k) {
    auto disk = FakeDisk::Create();
    disk->FailWrite(k, EIO);
    auto log = test::MustOpenOnFake(disk, SmallRing(GetParam()));
    std::atomic<int> failed{0};
    std::vector<std::thread> threads;
    for (uint32_t writer = 0; writer < 4; ++writer) {
      threads.emplace_back([&, writer] {
        Random random(writer);
        while (true) {
          const std::string bytes(random.LogUniform(1, 40000), 'x');
          Status status = test::Append(log.get(), bytes);
          if (status.ok() && random.OneIn(3)) {
            status = log->Flush();
          } else if (status.ok() && random.OneIn(3)) {
            status = log->Sync(SyncKind::kData);
          }
          if (!status.ok()) {
            EXPECT_EQ(status.error_number(), EIO);
            failed.fetch_add(1);
            return;
          }
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    EXPECT_EQ(failed.load(), 4);
    EXPECT_LE(log->hi_stable(), log->hi_written());
    EXPECT_EQ(log->Close().error_number(), EIO);
  }
}

TEST_P(LogThreadsTest, TruncateWaitsForFlushesAndSyncsThatAreUnderWay) {
  auto disk = FakeDisk::Create();
  auto log = test::MustOpenOnFake(disk, SmallRing(GetParam()));
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    while (!done.load()) {
      ASSERT_TRUE(log->Flush().ok());
      ASSERT_LE(log->size(), 10000u);
    }
  });
  threads.emplace_back([&] {
    while (!done.load()) {
      const Status status = log->Sync(SyncKind::kData);
      ASSERT_TRUE(status.ok()) << status.ToString();
      ASSERT_TRUE(log->Settle().ok());
    }
  });
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(test::Append(log.get(), std::string(10000, 'x')).ok());
    ASSERT_TRUE(log->Truncate(i % 2 == 0 ? 0 : 77).ok());
    ASSERT_TRUE(log->Truncate(0).ok());
  }
  done.store(true);
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_TRUE(log->Close().ok());
}

TEST_P(LogThreadsTest, SettleBesideACloseThatCouldNotCutIsHarmless) {
  for (int i = 0; i < 200; ++i) {
    auto disk = FakeDisk::Create();
    auto log = test::MustOpenOnFake(disk, SmallRing(GetParam()));
    ASSERT_TRUE(test::Append(log.get(), "abc").ok());
    ASSERT_TRUE(log->Flush().ok());
    disk->FailResize(0, EIO);
    std::thread other([&] { (void)log->Settle(); });
    EXPECT_EQ(log->Close().error_number(), EIO);
    other.join();
  }
}

TEST_P(LogThreadsTest, BytesSubmittedByAThreadThatExitsArrive) {
  test::TempDir dir;
  std::unique_ptr<LogEngine> log;
  LogOptions options = SmallRing(GetParam());
  options.buffer_bytes = 65536;
  ASSERT_TRUE(LogEngine::Open(dir.File("f"), options, &log).ok());
  std::string stream;
  for (int i = 0; i < 50; ++i) {
    const std::string bytes = test::StreamBytes(stream.size(), 70000);
    stream += bytes;
    // The buffer it fills is submitted by a thread that is gone at once.
    std::thread([&] {
      ASSERT_TRUE(test::Append(log.get(), bytes).ok());
    }).join();
  }
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(test::ReadWholeFile(dir.File("f")), stream);
}

INSTANTIATE_TEST_SUITE_P(Modes, LogThreadsTest,
                         testing::Values(WriteMode::kSerialised,
                                         WriteMode::kTailLocalised),
                         test::ModeName);

}  // namespace
}  // namespace uringfs
