// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A database on a disk that fills up: the error names the cause, and no
// acknowledged key is lost.

#include <unistd.h>

#include <csignal>
#include <fstream>

#include "test/plugin/child_process.h"
#include "test/plugin/db_fixture.h"
#include "test/plugin/small_disk.h"
#include "test/recovery/directory.h"

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

TEST(DbFullDiskTest, NoAcknowledgedKeyIsLost) {
  const TempDir dir;
  const SmallDisk disk(dir);
  if (!disk.mounted()) {
    GTEST_SKIP() << "cannot mount an ext4 image (needs root and mkfs.ext4)";
  }
  for (const char* fs : {"uringfs", "uringfs_pwrite"}) {
    for (const char* sync : {"sync", "nosync"}) {
      SCOPED_TRACE(std::string(fs) + " " + sync);
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
