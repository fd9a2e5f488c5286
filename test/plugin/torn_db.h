// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A database that is all WAL, put back many times with another WAL and opened.

#ifndef URINGFS_TEST_PLUGIN_TORN_DB_H_
#define URINGFS_TEST_PLUGIN_TORN_DB_H_

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cstdarg>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "test/plugin/db_fixture.h"
#include "test/side/side_builder.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"
#include "uringfs/recovery.h"

namespace uringfs::test {

// Syncs nothing: what RocksDB writes when it opens a database need not outlive
// the test, and waiting for it would be most of the test's time.
class NoSyncFileSystem : public rocksdb::FileSystemWrapper {
 public:
  NoSyncFileSystem()
      : rocksdb::FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "NoSync"; }

  rocksdb::IOStatus NewWritableFile(
      const std::string& path, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSWritableFile>* result,
      rocksdb::IODebugContext* dbg) override {
    rocksdb::IOStatus status =
        target()->NewWritableFile(path, options, result, dbg);
    if (status.ok()) {
      *result = std::make_unique<File>(std::move(*result));
    }
    return status;
  }
  rocksdb::IOStatus NewDirectory(const std::string& path,
                                 const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* dbg) override {
    rocksdb::IOStatus status =
        target()->NewDirectory(path, options, result, dbg);
    if (status.ok()) {
      *result = std::make_unique<Directory>();
    }
    return status;
  }

 private:
  class File : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    using rocksdb::FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& /*options*/,
                           rocksdb::IODebugContext* /*dbg*/) override {
      return rocksdb::IOStatus::OK();
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& /*options*/,
                            rocksdb::IODebugContext* /*dbg*/) override {
      return rocksdb::IOStatus::OK();
    }
  };
  class Directory : public rocksdb::FSDirectory {
   public:
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& /*options*/,
                            rocksdb::IODebugContext* /*dbg*/) override {
      return rocksdb::IOStatus::OK();
    }
  };
};

class QuietLogger : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*args*/) override {}
};

// What opening found.
struct Outcome {
  bool is_open = false;
  bool has_gap = false;  // behind the first `keys` keys there are others
  uint64_t keys = 0;
  std::string error;

  bool operator==(const Outcome& other) const {
    return is_open == other.is_open && has_gap == other.has_gap &&
           keys == other.keys && error == other.error;
  }
};

inline std::string ToString(const Outcome& outcome) {
  return !outcome.is_open ? outcome.error
                          : "opens with " + std::to_string(outcome.keys) +
                                " keys" + (outcome.has_gap ? " and a gap" : "");
}

// RocksDB's two file systems, for all threads.
struct TwoEnvs {
  TwoEnvs() : base(std::make_shared<NoSyncFileSystem>()) {
    std::shared_ptr<rocksdb::FileSystem> fs;
    EXPECT_TRUE(NewUringFileSystem(base, UringFsOptions(), &fs).ok());
    posix = rocksdb::NewCompositeEnv(base);
    uringfs = rocksdb::NewCompositeEnv(fs);
  }
  std::shared_ptr<rocksdb::FileSystem> base;
  std::unique_ptr<rocksdb::Env> posix;
  std::unique_ptr<rocksdb::Env> uringfs;
};

inline rocksdb::Options CheapOptions(rocksdb::Env* env) {
  rocksdb::Options options;
  options.env = env;
  options.info_log = std::make_shared<QuietLogger>();
  options.allow_fallocate = false;
  options.avoid_flush_during_recovery = true;
  options.avoid_flush_during_shutdown = true;
  options.disable_auto_compactions = true;
  options.manifest_preallocation_size = 4096;
  options.max_file_opening_threads = 1;
  options.max_open_files = 32;
  options.skip_stats_update_on_db_open = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.write_buffer_size = 4 << 20;
  options.arena_block_size = 64 << 10;
  return options;
}

// The files of a database that was left with all it has in its one WAL.
struct WalDb {
  std::vector<std::string> values;  // of Key(0), Key(1)...
  std::map<std::string, std::string> files;
  std::string wal_name;
  std::string wal;
};

inline void MakeWalDb(std::vector<std::string> values, rocksdb::Env* env,
                      WalDb* out) {
  const TempDir dir;
  const std::string path = dir.File("db");
  rocksdb::Options options = CheapOptions(env);
  options.create_if_missing = true;
  {
    const auto db = OpenDb(options, path);
    ASSERT_NE(db, nullptr);
    for (uint64_t i = 0; i < values.size(); ++i) {
      const auto status = db->Put(rocksdb::WriteOptions(), Key(i), values[i]);
      ASSERT_TRUE(status.ok()) << status.ToString();
    }
  }
  out->values = std::move(values);
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() == ".log") {
      ASSERT_EQ(out->wal_name, "") << "more than one WAL";
      out->wal_name = name;
      out->wal = ReadWholeFile(entry.path().string());
    } else if (name != "LOCK") {
      out->files[name] = ReadWholeFile(entry.path().string());
    }
  }
  ASSERT_NE(out->wal_name, "");
}

// One directory, for one thread.
class TornDb {
 public:
  TornDb(const WalDb& db, const TwoEnvs& envs)
      : db_(db),
        envs_(envs),
        posix_options_(CheapOptions(envs.posix.get())),
        uring_options_(CheapOptions(envs.uringfs.get())) {
    std::filesystem::create_directory(path());
  }

  std::string path() const { return dir_.File("db"); }
  std::string wal_path() const { return path() + "/" + db_.wal_name; }

  // The database again, with this WAL and no side file.
  void PutBack(const std::string& wal) {
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      std::filesystem::remove(entry.path());
    }
    for (const auto& [name, bytes] : db_.files) {
      WriteWholeFile(path() + "/" + name, bytes, 0644);
    }
    PutWal(wal);
  }

  // Enough if nobody but Look() has been there.
  void PutWal(const std::string& wal) {
    // Zeros at the end are not worth writing.
    const size_t used = wal.find_last_not_of('\0') + 1;
    WriteWholeFile(wal_path(), wal.substr(0, used), 0644);
    std::filesystem::resize_file(wal_path(), wal.size());
  }

  // As a machine leaves it that goes down.
  void PutOldSideFile() {
    SideBuilder side(wal_path());
    side.buffers_count = 2;
    side.origin = 0;
    side.written = 0;
    side.filled = 0;
    side.PrepareSide();
    std::memset(side.header.boot_id, 0, sizeof(side.header.boot_id));
    std::memset(side.header.boot_id, 'f', 36);
    side.Sign();
    side.WriteSide();
  }

  bool HasSideFile() const {
    return std::filesystem::exists(SideFilePath(wal_path()));
  }

  // What uringfs does to the database before RocksDB reads it.
  void LockByUringFs() {
    rocksdb::FileLock* lock = nullptr;
    const std::string name = path() + "/LOCK";
    const auto status = envs_.uringfs->LockFile(name, &lock);
    EXPECT_TRUE(status.ok()) << status.ToString();
    if (status.ok()) {
      EXPECT_TRUE(envs_.uringfs->UnlockFile(lock).ok());
    }
  }

  // Replays the WAL as Open() does, changes nothing, and takes a tenth of the
  // time.
  Outcome Look(bool is_uring, rocksdb::WALRecoveryMode mode) const {
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status =
        rocksdb::DB::OpenForReadOnly(OptionsFor(is_uring, mode), path(), &db);
    return OutcomeOf(status, std::unique_ptr<rocksdb::DB>(db));
  }

  Outcome Open(bool is_uring, rocksdb::WALRecoveryMode mode) const {
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status =
        rocksdb::DB::Open(OptionsFor(is_uring, mode), path(), &db);
    return OutcomeOf(status, std::unique_ptr<rocksdb::DB>(db));
  }

 private:
  rocksdb::Options OptionsFor(bool is_uring,
                              rocksdb::WALRecoveryMode mode) const {
    rocksdb::Options options = is_uring ? uring_options_ : posix_options_;
    options.wal_recovery_mode = mode;
    return options;
  }

  Outcome OutcomeOf(const rocksdb::Status& status,
                    const std::unique_ptr<rocksdb::DB>& db) const {
    Outcome outcome;
    outcome.is_open = status.ok();
    outcome.error = status.ok() ? "" : status.ToString();
    if (db == nullptr) {
      return outcome;
    }
    const std::unique_ptr<rocksdb::Iterator> it(
        db->NewIterator(rocksdb::ReadOptions()));
    it->SeekToFirst();
    for (; it->Valid() && outcome.keys < db_.values.size() &&
           it->key() == Key(outcome.keys) &&
           it->value() == db_.values[outcome.keys];
         it->Next()) {
      ++outcome.keys;
    }
    outcome.has_gap = it->Valid();
    return outcome;
  }

  const WalDb& db_;
  const TwoEnvs& envs_;
  const TempDir dir_;
  const rocksdb::Options posix_options_;
  const rocksdb::Options uring_options_;
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_PLUGIN_TORN_DB_H_
