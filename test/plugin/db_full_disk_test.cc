// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A database on a disk that fills up: the error names the cause, and no
// acknowledged key is lost.

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "test/plugin/db_fixture.h"
#include "test/plugin/small_disk.h"
#include "test/recovery/directory.h"
#include "test/support/child_process.h"

#include "gmock/gmock.h"
#include "uringfs/recovery.h"

namespace uringfs::test {
namespace {

rocksdb::Options FullDiskOptions(rocksdb::Env* env) {
  rocksdb::Options options = SmallDbOptions(env);
  // Compactions that fail are tried again for minutes.
  options.disable_auto_compactions = true;
  options.level0_slowdown_writes_trigger = 1000;
  options.level0_stop_writes_trigger = 1000;
  return options;
}

// Args: file system, database, "sync" or "nosync". Puts until the disk is
// full, and says on its standard output after each key that it was
// acknowledged. In a process of its own, because RocksDB 7.8 may fail an
// assertion of its own behind a synced write that found no space, on posix too.
int FillUp(const std::vector<std::string>& args) {
  const EnvByName env(args[0]);
  rocksdb::DB* db = nullptr;
  if (!rocksdb::DB::Open(FullDiskOptions(env.get()), args[1], &db).ok()) {
    return 2;
  }
  rocksdb::WriteOptions options;
  options.sync = args[2] == "sync";
  rocksdb::Status status;
  for (uint64_t i = 0; i < 200000; ++i) {
    status = db->Put(options, Key(i), Value(i));
    if (!status.ok()) {
      break;
    }
    if (::write(STDOUT_FILENO, &i, sizeof(i)) != sizeof(i)) {
      return 4;
    }
  }
  // No destructors: what counts is what is on the disk.
  ::_exit(status.IsNoSpace() ? 0 : 3);
}
const RegisterChild kFillUp("fill_up", &FillUp);

// Args: file system, database, ballast, directory of its logs, write buffer in
// MiB. Puts until the disk is full, removes the ballast, and puts again,
// without a restart. (RocksDB waits until there is space for a write buffer.)
int GetOver(const std::vector<std::string>& args) {
  const EnvByName env(args[0]);
  rocksdb::Options options = FullDiskOptions(env.get());
  options.wal_dir = args[3];
  // The log fills the disk before there is a table.
  options.write_buffer_size = std::stoull(args[4]) << 20;
  rocksdb::DB* db = nullptr;
  if (!rocksdb::DB::Open(options, args[1], &db).ok()) {
    return 2;
  }
  uint64_t next = 0;
  rocksdb::Status status;
  while (status.ok()) {
    status = db->Put(rocksdb::WriteOptions(), Key(next), Value(next));
    next += status.ok() ? 1 : 0;
  }
  if (!status.IsNoSpace() || ::unlink(args[2].c_str()) != 0) {
    return 3;
  }
  // It may be getting over it by itself already.
  for (int tries = 0; tries < 300 && !(status = db->Resume()).ok(); ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  for (uint64_t end = next + 100; status.ok() && next < end;) {
    status = db->Put(rocksdb::WriteOptions(), Key(next), Value(next));
    next += status.ok() ? 1 : 0;
  }
  const std::string told = std::to_string(next) + " " + status.ToString();
  return ::write(STDOUT_FILENO, told.data(), told.size()) > 0 ? (::_exit(0), 0)
                                                              : 4;
}
const RegisterChild kGetOver("get_over", &GetOver);

TEST(DbFullDiskTest, PutsWorkAgainWhenThereIsSpace) {
  const TempDir dir;
  const SmallDisk disk(dir);
  if (!disk.mounted()) {
    GTEST_SKIP() << "cannot mount an ext4 image (needs root and mkfs.ext4)";
  }
  // The second time the logs alone are on the disk that is full, and stays so.
  for (const bool is_apart : {false, true}) {
    SCOPED_TRACE(is_apart);
    const TempDir elsewhere;
    const std::string path = is_apart ? elsewhere.File("db") : disk.File("db");
    const std::string wal_dir = is_apart ? disk.File("wal") : path;
    const std::string ballast =
        is_apart ? elsewhere.File("ballast") : disk.File("ballast");
    std::ofstream(ballast) << std::string(is_apart ? 1 : 14 << 20, 'b');
    ChildProcess child("get_over", {"uringfs", path, ballast, wal_dir,
                                    is_apart ? "64" : "12"});
    const std::string told = child.ReadAll();
    ASSERT_EQ(child.Wait(), 0) << told;
    EXPECT_THAT(told, ::testing::EndsWith(" OK"));
    const EnvByName env("uringfs");
    rocksdb::Options options = FullDiskOptions(env.get());
    options.wal_dir = wal_dir;
    {
      const std::unique_ptr<rocksdb::DB> db = OpenDb(options, path);
      ASSERT_NE(db, nullptr);
      Check(db.get(), 0, std::stoull(told));
    }
    EXPECT_TRUE(rocksdb::DestroyDB(path, options).ok());
  }
}

TEST(DbFullDiskTest, NoAcknowledgedKeyIsLost) {
  for (const char* fs : {"uringfs", "uringfs_direct", "uringfs_pwrite"}) {
    for (const char* sync : {"sync", "nosync"}) {
      SCOPED_TRACE(std::string(fs) + " " + sync);
      // Its own: ext4 gives blocks of deleted files back when it likes.
      const TempDir dir;
      const SmallDisk disk(dir);
      if (!disk.mounted()) {
        GTEST_SKIP() << "cannot mount an ext4 image (needs root and mkfs.ext4)";
      }
      // Space that can be given back, so that the database can be opened.
      const std::string ballast = disk.File("ballast");
      std::ofstream(ballast) << std::string(13 << 20, 'b');
      const std::string path = disk.File(std::string("db_") + sync);
      ChildProcess child("fill_up", {fs, path, sync});
      const uint64_t acknowledged = child.ReadAll().size() / sizeof(uint64_t);
      const int outcome = child.Wait();
      EXPECT_TRUE(outcome == 0 || outcome == -SIGABRT)
          << outcome << ": the error must say NoSpace";
      ASSERT_EQ(::unlink(ballast.c_str()), 0);
      // On a busy machine the flush of the first memtable, 950 keys, finds two
      // side files and the zeros ahead of its WAL, and so no space.
      ASSERT_GT(acknowledged, 500u);
      std::vector<RecoveryReport> reports;
      ASSERT_TRUE(RecoverDirectory(path, &reports).ok());
      const EnvByName env("posix");
      rocksdb::Options options = FullDiskOptions(env.get());
      {
        const std::unique_ptr<rocksdb::DB> db = OpenDb(options, path);
        ASSERT_NE(db, nullptr);
        Check(db.get(), 0, acknowledged);
      }
      EXPECT_TRUE(rocksdb::DestroyDB(path, options).ok());
    }
  }
}

}  // namespace
}  // namespace uringfs::test
