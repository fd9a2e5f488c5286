// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A WAL with zeros ahead of its tail is, to RocksDB and to all that is copied
// from it, as long as it is on posix: the same life on both, step by step.

#include <rocksdb/transaction_log.h>
#include <rocksdb/utilities/backup_engine.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <thread>
#include <vector>

#include "test/plugin/db_fixture.h"
#include "test/side/shared_rings.h"

#include "gmock/gmock.h"

namespace uringfs::test {
namespace {

// What a life has shown, by what was looked at.
using Seen = std::map<std::string, uint64_t>;

class Life {
 public:
  explicit Life(const std::string& fs) : env_(fs), options_(Options()) {}

  Seen Run() {
    Open();
    Synced(0, 400);
    waits_for_zeros_ = false;
    LookAtWals("one WAL");
    CheckPoint("checkpoint of one WAL");
    BackUp();
    SwitchWal();
    LookAtWals("two WALs");
    CheckPoint("checkpoint of two WALs");
    LookAtWholeSizes();
    Archive();
    Reopen();
    Total();
    return seen_;
  }

  // How many more bytes than it should have the WAL had at most.
  uint64_t most_ahead() const { return most_ahead_; }

 private:
  rocksdb::Options Options() const {
    rocksdb::Options options = SmallDbOptions(env_.get());
    options.write_buffer_size = 64 << 20;
    options.create_missing_column_families = true;
    options.avoid_flush_during_recovery = true;
    options.track_and_verify_wals_in_manifest = true;
    options.WAL_ttl_seconds = 1000;
    // What is written is to be looked at, not compactions.
    options.disable_auto_compactions = true;
    return options;
  }

  void Open() {
    const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
        {"default", options_}, {"other", options_}};
    rocksdb::DB* db = nullptr;
    const auto status =
        rocksdb::DB::Open(options_, path_, families, &handles_, &db);
    ASSERT_TRUE(status.ok()) << status.ToString();
    db_.reset(db);
  }

  void Close() {
    for (auto* handle : handles_) {
      ASSERT_TRUE(db_->DestroyColumnFamilyHandle(handle).ok());
    }
    handles_.clear();
    ASSERT_TRUE(db_->Close().ok());
    db_.reset();
  }

  void Synced(uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; ++i) {
      Fill(db_.get(), i, i + 1, 0, /*sync=*/true);
      if (waits_for_zeros_ && i % 8 == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      if (i % 50 == 0) {
        Measure();
      }
    }
  }

  // The physical size of the newest WAL against the logical one.
  void Measure() {
    std::unique_ptr<rocksdb::LogFile> wal;
    ASSERT_TRUE(db_->GetCurrentWalFile(&wal).ok());
    const std::string path = path_ + wal->PathName();
    uint64_t logical = 0;
    ASSERT_TRUE(env_.get()->GetFileSize(path, &logical).ok());
    const uint64_t physical = std::filesystem::file_size(path);
    most_ahead_ = std::max(most_ahead_, physical - std::min(physical, logical));
  }

  void LookAtWals(const std::string& when) {
    rocksdb::VectorLogPtr wals;
    ASSERT_TRUE(db_->GetSortedWalFiles(wals).ok());
    seen_[when + ": WALs"] = wals.size();
    for (size_t i = 0; i < wals.size(); ++i) {
      const std::string which = when + ": " + std::to_string(i);
      seen_[which + " by list"] = wals[i]->SizeFileBytes();
      uint64_t bytes = 0;
      ASSERT_TRUE(
          env_.get()->GetFileSize(path_ + wals[i]->PathName(), &bytes).ok());
      seen_[which + " by size"] = bytes;
    }
    std::vector<rocksdb::LiveFileStorageInfo> files;
    ASSERT_TRUE(db_->GetLiveFilesStorageInfo({}, &files).ok());
    for (const auto& file : files) {
      if (file.file_type == rocksdb::kWalFile) {
        seen_[when + ": live " + std::to_string(file.file_number)] = file.size;
      }
    }
  }

  static void AddLogs(const std::string& when, const std::string& directory,
                      Seen* seen) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      if (entry.path().extension() == ".log") {
        (*seen)[when + ": " + entry.path().filename().string()] =
            entry.file_size();
      }
    }
  }

  void CheckPoint(const std::string& when) {
    rocksdb::Checkpoint* made = nullptr;
    ASSERT_TRUE(rocksdb::Checkpoint::Create(db_.get(), &made).ok());
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    const std::string path = dir_.File(when);
    const auto status =
        checkpoint->CreateCheckpoint(path, /*log_size_for_flush=*/1 << 30);
    ASSERT_TRUE(status.ok()) << status.ToString();
    AddLogs(when, path, &seen_);
    CountKeys(when, path);
  }

  // As posix finds them.
  void CountKeys(const std::string& when, const std::string& path) {
    rocksdb::Options options;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* made = nullptr;
    const auto status = rocksdb::DB::OpenForReadOnly(
        options, path, {{"default", options}, {"other", options}}, &handles,
        &made);
    ASSERT_TRUE(status.ok()) << status.ToString();
    const std::unique_ptr<rocksdb::DB> db(made);
    const std::unique_ptr<rocksdb::Iterator> it(
        db->NewIterator(rocksdb::ReadOptions()));
    uint64_t keys = 0;
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      ++keys;
    }
    EXPECT_TRUE(it->status().ok()) << it->status().ToString();
    seen_[when + ": keys"] = keys;
    for (auto* handle : handles) {
      ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    }
  }

  void BackUp() {
    rocksdb::BackupEngine* made = nullptr;
    ASSERT_TRUE(rocksdb::BackupEngine::Open(
                    env_.get(),
                    rocksdb::BackupEngineOptions(dir_.File("backup")), &made)
                    .ok());
    const std::unique_ptr<rocksdb::BackupEngine> engine(made);
    const auto status = engine->CreateNewBackup(db_.get());
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_TRUE(engine->VerifyBackup(1, /*verify_with_checksum=*/true).ok());
    const std::string path = dir_.File("restored");
    ASSERT_TRUE(engine->RestoreDBFromLatestBackup(path, path).ok());
    AddLogs("backup", path, &seen_);
    CountKeys("backup", path);
  }

  // A flush of the other family: ours stays in the old WAL.
  void SwitchWal() {
    ASSERT_TRUE(
        db_->Put(rocksdb::WriteOptions(), handles_[1], "key", "value").ok());
    ASSERT_TRUE(db_->Flush(rocksdb::FlushOptions(), handles_[1]).ok());
    Synced(400, 700);
  }

  // Of files that are closed, or are about to be.
  void LookAtWholeSizes() {
    Close();
    AddLogs("closed", path_, &seen_);
    CountKeys("closed", path_);
    Open();
  }

  void Archive() {
    ASSERT_TRUE(db_->Flush(rocksdb::FlushOptions(), handles_).ok());
    Close();
    AddLogs("archived", path_ + "/archive", &seen_);
    Open();
  }

  void Reopen() {
    Synced(700, 800);
    Close();
    Open();
    LookAtWals("reopened");
    Check(db_.get(), 0, 800);
  }

  void WaitForFlushes() {
    const auto has = [this](const char* property) {
      return std::any_of(handles_.begin(), handles_.end(), [&](auto* handle) {
        uint64_t value = 0;
        EXPECT_TRUE(db_->GetIntProperty(handle, property, &value));
        return value > 0;
      });
    };
    while (has("rocksdb.mem-table-flush-pending") ||
           has("rocksdb.num-immutable-mem-table") ||
           has("rocksdb.num-running-flushes")) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  void Total() {
    ASSERT_TRUE(db_->SetDBOptions({{"max_total_wal_size", "300000"}}).ok());
    const auto number = [this] {
      std::unique_ptr<rocksdb::LogFile> wal;
      EXPECT_TRUE(db_->GetCurrentWalFile(&wal).ok());
      return wal->LogNumber();
    };
    uint64_t before = number();
    for (uint64_t i = 800; i < 1700; ++i) {
      Synced(i, i + 1);
      if (number() != before) {
        before = number();
        seen_["WAL " + std::to_string(before) + " begins with"] = i;
        // Until its memtables are flushed an old WAL counts as well.
        WaitForFlushes();
      }
    }
    Close();
  }

  const TempDir dir_;
  const std::string path_ = dir_.File("db");
  const EnvByName env_;
  const rocksdb::Options options_;
  bool waits_for_zeros_ = true;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  uint64_t most_ahead_ = 0;
  Seen seen_;
};

TEST(DbExtendedWalTest, IsAsLongAsOnPosix) {
  URINGFS_SKIP_WITHOUT_SHARED_RINGS(TempDir().path());
  Life on_posix("posix");
  const Seen expected = on_posix.Run();
  EXPECT_EQ(on_posix.most_ahead(), 0u);
  EXPECT_GT(expected.size(), 20u);
  Life on_uringfs("uringfs_ring");
  const Seen seen = on_uringfs.Run();
  EXPECT_GT(on_uringfs.most_ahead(), 100000u) << "nothing is tested here";
  EXPECT_THAT(seen, ::testing::ContainerEq(expected));
}

}  // namespace
}  // namespace uringfs::test
