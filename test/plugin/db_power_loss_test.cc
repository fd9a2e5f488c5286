// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Power loss under a WAL, at any instant: a log on a simulated disk with a
// volatile cache takes the records of a real WAL, which are flushed, synced or
// neither, while zeros are written ahead of them. What the disk has then is put
// into a database, and RocksDB opens it in every recovery mode: every synced
// record is there, and what is there is a prefix.

#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "test/log/extend_fixture.h"
#include "test/plugin/torn_db.h"
#include "test/plugin/torn_wal.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

using Mode = rocksdb::WALRecoveryMode;
constexpr Mode kModes[] = {
    Mode::kTolerateCorruptedTailRecords, Mode::kAbsoluteConsistency,
    Mode::kPointInTimeRecovery, Mode::kSkipAnyCorruptedRecords};

struct Crash {
  std::string image;
  uint64_t synced = 0;  // records
  std::string when;
};

std::vector<std::string> Values(Random* random, size_t count) {
  std::vector<std::string> values;
  for (size_t i = 0; i < count; ++i) {
    std::string value(random->LogUniform(10, 6000), '\0');
    for (char& c : value) {
      // Some have zeros, as real ones do.
      c = static_cast<char>(random->Below(256));
    }
    values.push_back(std::move(value));
  }
  return values;
}

class DbPowerLossTest : public ExtendTest {
 protected:
  void SetUp() override {
    ExtendTest::SetUp();
    if (IsSkipped()) {
      return;
    }
    Random random(seed_);
    MakeWalDb(Values(&random, 300), envs_.posix.get(), &db_);
    ends_ = RecordEnds(db_.wal);
    ASSERT_EQ(ends_.size(), db_.values.size());
  }

  // One life of the WAL; keeps one of `one_in` images of the disk.
  void Live(uint64_t seed, uint64_t one_in, std::vector<Crash>* crashes) {
    FakeDiskOptions disk_options;
    disk_options.order = CompletionOrder::kRandom;
    disk_options.seed = seed;
    disk_ = FakeDisk::Create(disk_options);
    Random random(seed);
    Random of_images(seed + 1);
    std::atomic<uint64_t> synced{0};
    std::mutex mutex;
    disk_->SetObserver([&] {
      const std::lock_guard<std::mutex> lock(mutex);
      if (of_images.OneIn(one_in)) {
        // Asked for first: it may be more by then, never less.
        const uint64_t records = synced.load();
        crashes->push_back({disk_->CrashImage(of_images), records,
                            "seed " + std::to_string(seed) + ", operation " +
                                std::to_string(disk_->operations())});
      }
    });
    LogOptions options = Extended();
    options.buffer_bytes = random.OneIn(2) ? 4096 : 65536;
    options.max_extend_bytes = 4096u << random.Below(6);
    Keep(random.OneIn(4) ? SyncWay::kFlush : SyncWay::kDsync);
    auto log = MustOpen(options);
    const uint64_t sync_one_in = 1 + random.Below(6);
    uint64_t begin = 0;
    for (uint64_t i = 0; i < ends_.size(); ++i) {
      ASSERT_TRUE(
          Append(log.get(), db_.wal.substr(begin, ends_[i] - begin)).ok());
      begin = ends_[i];
      ASSERT_TRUE(log->Flush().ok());
      if (random.OneIn(sync_one_in)) {
        ASSERT_TRUE(log->Sync().ok());
        synced = i + 1;
      }
      if (random.OneIn(8)) {
        std::this_thread::sleep_for(
            std::chrono::microseconds(random.Below(3000)));
      }
    }
    ++lives_;
    extensions_ += log->stats().extensions;
    durable_writes_ += log->stats().durable_writes;
    ASSERT_TRUE(log->Close().ok());
    disk_->SetObserver(nullptr);
  }

  void Check(TornDb* torn, const Crash& crash) {
    SCOPED_TRACE(crash.when);
    torn->PutWal(crash.image);
    torn->PutOldSideFile();
    const Outcome raw = torn->Look(false, Mode::kAbsoluteConsistency);
    torn_ += !raw.is_open || raw.has_gap ? 1 : 0;
    torn->LockByUringFs();
    EXPECT_FALSE(torn->HasSideFile());
    for (const Mode mode : kModes) {
      for (const bool is_uring : {true, false}) {
        const Outcome outcome = torn->Look(is_uring, mode);
        ASSERT_TRUE(outcome.is_open)
            << static_cast<int>(mode) << ": " << outcome.error;
        ASSERT_FALSE(outcome.has_gap) << static_cast<int>(mode);
        ASSERT_GE(outcome.keys, crash.synced) << static_cast<int>(mode);
      }
    }
    ++images_;
  }

  void Campaign(uint64_t lives, uint64_t one_in) {
    SCOPED_TRACE(SeedTrace(seed_));
    TornDb torn(db_, envs_);
    torn.PutBack(db_.wal);
    for (uint64_t i = 0; i < lives && !HasFailure(); ++i) {
      std::vector<Crash> crashes;
      Live(seed_ + i, one_in, &crashes);
      for (const Crash& crash : crashes) {
        Check(&torn, crash);
        if (HasFailure()) {
          break;
        }
      }
    }
    std::cout << "lives: " << lives_ << "\nimages: " << images_
              << "\ntorn_images: " << torn_ << "\nextensions: " << extensions_
              << "\ndurable_writes: " << durable_writes_ << "\n";
    if (HasFailure()) {
      return;
    }
    EXPECT_GT(extensions_, lives);
    EXPECT_GT(durable_writes_, lives);
    EXPECT_GT(images_, 5 * lives);
    EXPECT_GT(torn_, lives);
  }

  const uint64_t seed_ = SeedOr(41);
  const TwoEnvs envs_;
  WalDb db_;
  std::vector<uint64_t> ends_;
  uint64_t lives_ = 0;
  uint64_t images_ = 0;
  uint64_t torn_ = 0;  // that RocksDB alone refuses, or reads with a gap
  uint64_t extensions_ = 0;
  uint64_t durable_writes_ = 0;
};

TEST_F(DbPowerLossTest, SyncedRecordsAreThereAndNoHole) { Campaign(12, 10); }

TEST_F(DbPowerLossTest, LongSyncedRecordsAreThereAndNoHole) {
  Campaign(400, 30);
}

}  // namespace
}  // namespace uringfs::test
