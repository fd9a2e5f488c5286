// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Whole databases: each test runs on RocksDB's file system and on ours.

#include <rocksdb/transaction_log.h>
#include <rocksdb/utilities/backup_engine.h>
#include <rocksdb/utilities/checkpoint.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "test/plugin/db_fixture.h"

namespace uringfs::test {
namespace {

using rocksdb::DB;
using rocksdb::Options;

class DbTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<DB> Open(const std::string& name) {
    return OpenDb(options_, dir_.File(name));
  }
  // The same with the other file system.
  std::unique_ptr<DB> OpenOther(const std::string& name) {
    Options options = options_;
    options.env = other_.get();
    return OpenDb(options, dir_.File(name));
  }

  TempDir dir_;
  EnvByName env_{GetParam()};
  EnvByName other_{GetParam() == std::string("posix") ? "uringfs" : "posix"};
  Options options_ = SmallDbOptions(env_.get());
};

INSTANTIATE_TEST_SUITE_P(All, DbTest,
                         ::testing::Values("posix", "uringfs", "uringfs_direct",
                                           "uringfs_pwrite"),
                         [](const auto& param) { return param.param; });

TEST_P(DbTest, FilledCompactedAndReopenedByBothFileSystems) {
  auto db = Open("db");
  ASSERT_NE(db, nullptr);
  Fill(db.get(), 0, 6000);
  Fill(db.get(), 2000, 4000, 1);
  ASSERT_TRUE(
      db->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr).ok());
  Fill(db.get(), 6000, 7000);
  for (int i = 0; i < 4; ++i) {
    db.reset();
    db = i % 2 == 0 ? OpenOther("db") : Open("db");
    ASSERT_NE(db, nullptr);
    Check(db.get(), 0, 2000);
    Check(db.get(), 2000, 4000, 1);
    Check(db.get(), 4000, 7000 + 100 * i);
    Fill(db.get(), 7000 + 100 * i, 7100 + 100 * i);
    ASSERT_TRUE(db->VerifyChecksum().ok());
  }
}

TEST_P(DbTest, SyncedWritesAndSyncWal) {
  auto db = Open("db");
  ASSERT_NE(db, nullptr);
  Fill(db.get(), 0, 200, 0, true);
  Fill(db.get(), 200, 400);
  ASSERT_TRUE(db->SyncWAL().ok());
  ASSERT_TRUE(db->FlushWAL(true).ok());
  db.reset();
  db = OpenOther("db");
  Check(db.get(), 0, 400);
}

TEST_P(DbTest, ManualWalFlush) {
  options_.manual_wal_flush = true;
  auto db = Open("db");
  ASSERT_NE(db, nullptr);
  Fill(db.get(), 0, 300);
  ASSERT_TRUE(db->FlushWAL(false).ok());
  Fill(db.get(), 300, 600);
  db.reset();
  db = Open("db");
  Check(db.get(), 0, 600);
}

TEST_P(DbTest, ManyWritersAtOnce) {
  auto db = Open("db");
  ASSERT_NE(db, nullptr);
  std::vector<std::thread> writers;
  for (uint64_t t = 0; t < 4; ++t) {
    writers.emplace_back(
        [&db, t] { Fill(db.get(), 1000 * t, 1000 * (t + 1), 0, t == 0); });
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  db.reset();
  db = OpenOther("db");
  Check(db.get(), 0, 4000);
}

TEST_P(DbTest, CheckpointsWhileWrittenAreWhole) {
  auto db = Open("db");
  ASSERT_NE(db, nullptr);
  Fill(db.get(), 0, 3000);
  std::atomic<bool> done{false};
  std::atomic<uint64_t> filled{3000};
  std::thread writer([&] {
    for (uint64_t i = 3000; !done.load(); ++i) {
      Fill(db.get(), i, i + 1);
      filled.store(i + 1);
    }
  });
  rocksdb::Checkpoint* made = nullptr;
  ASSERT_TRUE(rocksdb::Checkpoint::Create(db.get(), &made).ok());
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  for (int i = 0; i < 4; ++i) {
    const std::string name = "checkpoint" + std::to_string(i);
    const uint64_t before = filled.load();
    // Without a memtable flush the live WAL is copied.
    const auto status =
        checkpoint->CreateCheckpoint(dir_.File(name), i % 2 == 0 ? ~0ull : 0);
    EXPECT_TRUE(status.ok()) << status.ToString();
    const auto copy = i < 2 ? OpenOther(name) : Open(name);
    if (copy) {
      Check(copy.get(), 0, before);
    }
  }
  done.store(true);
  writer.join();
}

TEST_P(DbTest, BackedUpAndRestored) {
  auto db = Open("db");
  ASSERT_NE(db, nullptr);
  rocksdb::BackupEngine* made = nullptr;
  rocksdb::BackupEngineOptions backup_options(dir_.File("backup"));
  backup_options.backup_env = env_.get();
  ASSERT_TRUE(
      rocksdb::BackupEngine::Open(env_.get(), backup_options, &made).ok());
  const std::unique_ptr<rocksdb::BackupEngine> engine(made);
  for (uint64_t i = 0; i < 3; ++i) {
    Fill(db.get(), 1500 * i, 1500 * (i + 1));
    const auto status = engine->CreateNewBackup(db.get(), i == 1);
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_TRUE(engine->VerifyBackup(i + 1, true).ok());
  }
  db.reset();
  ASSERT_TRUE(
      engine->RestoreDBFromBackup(2, dir_.File("old"), dir_.File("old")).ok());
  ASSERT_TRUE(
      engine->RestoreDBFromLatestBackup(dir_.File("new"), dir_.File("new"))
          .ok());
  Check(Open("old").get(), 0, 3000);
  Check(OpenOther("new").get(), 0, 4500);
}

TEST_P(DbTest, UpdatesCanBeFollowedWhileTheyAreWritten) {
  options_.WAL_ttl_seconds = 1000;
  auto db = Open("db");
  ASSERT_NE(db, nullptr);
  const uint64_t end = 4000;
  std::thread writer([&] { Fill(db.get(), 0, end); });
  uint64_t next = 1;
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (next <= end && std::chrono::steady_clock::now() < deadline) {
    std::unique_ptr<rocksdb::TransactionLogIterator> updates;
    if (!db->GetUpdatesSince(next, &updates).ok()) {
      std::this_thread::yield();
      continue;
    }
    for (; updates->Valid(); updates->Next()) {
      const rocksdb::BatchResult batch = updates->GetBatch();
      ASSERT_EQ(batch.sequence, next);
      next += static_cast<uint64_t>(batch.writeBatchPtr->Count());
    }
  }
  writer.join();
  EXPECT_EQ(next, end + 1);
}

TEST_P(DbTest, BlobFiles) {
  options_.enable_blob_files = true;
  options_.min_blob_size = 500;
  options_.blob_file_size = 1 << 20;
  auto db = Open("db");
  ASSERT_NE(db, nullptr);
  Fill(db.get(), 0, 5000);
  Fill(db.get(), 0, 2000, 1);
  ASSERT_TRUE(db->Flush(rocksdb::FlushOptions()).ok());
  ASSERT_TRUE(
      db->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr).ok());
  db.reset();
  db = OpenOther("db");
  ASSERT_NE(db, nullptr);
  Check(db.get(), 0, 2000, 1);
  Check(db.get(), 2000, 5000);
}

TEST_P(DbTest, DirectIoOptionsOfRocksDb) {
  options_.use_direct_io_for_flush_and_compaction = true;
  options_.use_direct_reads = true;
  auto db = Open("db");
  ASSERT_NE(db, nullptr);
  Fill(db.get(), 0, 5000);
  ASSERT_TRUE(
      db->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr).ok());
  db.reset();
  Check(OpenOther("db").get(), 0, 5000);
}

TEST_P(DbTest, RecycledWals) {
  options_.recycle_log_file_num = 2;
  options_.wal_recovery_mode =
      rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  auto db = Open("db");
  ASSERT_NE(db, nullptr);
  Fill(db.get(), 0, 6000);
  db.reset();
  db = OpenOther("db");
  Check(db.get(), 0, 6000);
}

TEST_P(DbTest, TrackedWalsAndRangeSync) {
  options_.track_and_verify_wals_in_manifest = true;
  options_.wal_bytes_per_sync = 64 << 10;
  options_.bytes_per_sync = 64 << 10;
  options_.strict_bytes_per_sync = true;
  auto db = Open("db");
  ASSERT_NE(db, nullptr);
  Fill(db.get(), 0, 4000);
  ASSERT_TRUE(db->SyncWAL().ok());
  db.reset();
  Check(OpenOther("db").get(), 0, 4000);
}

TEST_P(DbTest, ReadOnlyAndSecondaryBesideTheWriter) {
  // No memtable flush: a secondary of 7.8 misses keys for a while after one.
  options_.write_buffer_size = 64 << 20;
  auto db = Open("db");
  ASSERT_NE(db, nullptr);
  Fill(db.get(), 0, 2500);
  DB* made = nullptr;
  ASSERT_TRUE(DB::OpenForReadOnly(options_, dir_.File("db"), &made).ok());
  Check(std::unique_ptr<DB>(made).get(), 0, 2500);
  Options options = options_;
  options.max_open_files = -1;
  ASSERT_TRUE(DB::OpenAsSecondary(options, dir_.File("db"),
                                  dir_.File("secondary"), &made)
                  .ok());
  const std::unique_ptr<DB> secondary(made);
  Check(secondary.get(), 0, 2500);
  for (uint64_t i = 2500; i < 5000; i += 500) {
    Fill(db.get(), i, i + 500);
    ASSERT_TRUE(secondary->TryCatchUpWithPrimary().ok());
    Check(secondary.get(), 0, i + 500);
  }
}

}  // namespace
}  // namespace uringfs::test
