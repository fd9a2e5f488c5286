// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Whose logs lie in a directory, as far as options and threads tell.

#include "plugin/wal_dirs.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <uringfs/rocksdb_wal.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "plugin/file_system.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

class WalDirsTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(wal_dir_); }

  // Made by posix; its next log is no longer the first one.
  void MakeDatabase(const std::string& path, const std::string& wal_dir = "") {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.wal_dir = wal_dir;
    for (int lives = 0; lives < 2; ++lives) {
      rocksdb::DB* opened = nullptr;
      ASSERT_TRUE(rocksdb::DB::Open(options, path, &opened).ok());
      const std::unique_ptr<rocksdb::DB> db(opened);
      ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), "key", "value").ok());
      ASSERT_TRUE(db->Flush(rocksdb::FlushOptions()).ok());
    }
  }

  void RemoveOptions(const std::string& path) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.path().filename().string().compare(0, 7, "OPTIONS") == 0) {
        std::filesystem::remove(entry.path());
      }
    }
  }

  static void Open(WalDirs* dirs, const std::string& database, bool has_lock) {
    if (has_lock) {
      dirs->Locks(database + "/LOCK");
    }
    dirs->ReadsCurrent(database + "/CURRENT");
  }

  // Whether some database is known to have gone on without it.
  static bool IsPassed(const WalDirs& dirs, const std::string& log) {
    bool answer = false;
    const Status status =
        dirs.FormatOf(log).WentOnWithout(log, RecordsEnd(), &answer);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return answer;
  }
  bool IsPassed(const std::string& log) const { return IsPassed(dirs_, log); }

  const TempDir dir_;
  const std::string db_ = dir_.File("db");
  const std::string wal_dir_ = dir_.File("wal:1");
  const std::string log_ = wal_dir_ + "/000001.log";
  WalDirs dirs_;
};

TEST_F(WalDirsTest, LogsBelongToTheDatabaseThatListsThem) {
  MakeDatabase(db_);
  // Nothing else tells where its logs are.
  RemoveOptions(db_);
  EXPECT_FALSE(IsPassed(log_));
  for (const bool has_lock : {false, true}) {
    WalDirs dirs;
    Open(&dirs, db_, has_lock);
    // The database itself is listed too, and one without logs tells nothing.
    dirs.Lists(db_ + "/", {"CURRENT", "000001.log"});
    dirs.Lists(dir_.path(), {"db", "wal:1"});
    dirs.Lists(wal_dir_, {"000001.log.uringfs"});
    EXPECT_TRUE(IsPassed(dirs, log_));
    // Nor does whoever takes it for a database change that.
    std::thread([&] { dirs.Locks(wal_dir_ + "/LOCK"); }).join();
    EXPECT_TRUE(IsPassed(dirs, log_));
    // A database is nobody's directory of logs.
    std::ofstream(wal_dir_ + "/CURRENT") << "MANIFEST-000001\n";
    dirs.Locks(wal_dir_ + "/LOCK");
    EXPECT_FALSE(IsPassed(dirs, log_));
    std::filesystem::remove(wal_dir_ + "/CURRENT");
  }
}

// They may be of an earlier life, and the directory that they name be there.
TEST_F(WalDirsTest, WhateverTheOptionsSay) {
  const std::string named = dir_.File("named");
  MakeDatabase(db_, named);
  ASSERT_TRUE(NamesAsWalDir(db_, named));
  for (const bool has_lock : {false, true}) {
    WalDirs dirs;
    Open(&dirs, db_, has_lock);
    dirs.Lists(wal_dir_, {"000001.log"});
    EXPECT_TRUE(IsPassed(dirs, log_));
  }
}

// A LOG that has become too long, wherever it lies; other directories that are
// listed before, with files that look like logs, or with a database.
TEST_F(WalDirsTest, WhateverElseHappensWhileADatabaseIsOpened) {
  MakeDatabase(db_);
  const std::string other = dir_.File("other");
  MakeDatabase(other);
  for (const bool has_lock : {false, true}) {
    WalDirs dirs;
    Open(&dirs, db_, has_lock);
    dirs.MakesLog(dir_.File("logs"));
    dirs.MakesLog(db_ + "/.");
    dirs.Lists(dir_.path(), {"000077.log"});
    if (has_lock) {
      dirs.MakesLog(other);
      dirs.Lists(other, {"CURRENT", "000001.log"});
    }
    dirs.Lists(wal_dir_, {"000001.log"});
    EXPECT_TRUE(IsPassed(dirs, log_)) << has_lock;
  }
}

// As ListColumnFamilies does, or an open that is over.
TEST_F(WalDirsTest, WhoTurnsToSomethingElseClaimsNothing) {
  MakeDatabase(db_);
  const std::string other = dir_.File("other");
  MakeDatabase(other);
  // He looks at another database,
  dirs_.ReadsCurrent(db_ + "/CURRENT");
  dirs_.Lists(other, {"000001.log"});
  dirs_.Lists(wal_dir_, {"000001.log"});
  EXPECT_FALSE(IsPassed(log_));
  // or begins to open one,
  dirs_.ReadsCurrent(db_ + "/CURRENT");
  dirs_.MakesLog(other);
  dirs_.Lists(wal_dir_, {"000001.log"});
  EXPECT_FALSE(IsPassed(log_));
  // or is done with it,
  dirs_.Locks(db_ + "/LOCK");
  dirs_.MakesWalOrUnlocks();
  dirs_.Lists(wal_dir_, {"000001.log"});
  EXPECT_FALSE(IsPassed(log_));
  dirs_.Locks(db_ + "/LOCK");
  dirs_.ReadsCurrent(db_ + "/CURRENT");
  dirs_.MakesWalOrUnlocks();
  dirs_.Lists(wal_dir_, {"000001.log"});
  EXPECT_FALSE(IsPassed(log_));
  // or is another thread, or one that ended before, or another file system.
  std::thread([this] { dirs_.ReadsCurrent(db_ + "/CURRENT"); }).join();
  std::thread([this] { dirs_.Lists(wal_dir_, {"000001.log"}); }).join();
  EXPECT_FALSE(IsPassed(log_));
  dirs_.ReadsCurrent(db_ + "/CURRENT");
  WalDirs others;
  others.Lists(wal_dir_, {"000001.log"});
  EXPECT_FALSE(IsPassed(others, log_));
}

// Whatever is known of its directory: another database may have had it.
TEST_F(WalDirsTest, WhoOpensADatabaseGoesByThat) {
  MakeDatabase(db_);
  const std::string other = dir_.File("other");
  std::filesystem::create_directory(other);
  const auto is_passed_elsewhere = [this] {
    bool answer = false;
    std::thread([&] { answer = IsPassed(log_); }).join();
    return answer;
  };
  dirs_.ReadsCurrent(other + "/CURRENT");
  dirs_.Lists(wal_dir_, {"000001.log"});
  EXPECT_FALSE(IsPassed(log_));
  dirs_.ReadsCurrent(db_ + "/CURRENT");
  dirs_.Lists(wal_dir_, {"000001.log"});
  EXPECT_TRUE(IsPassed(log_));
  EXPECT_FALSE(is_passed_elsewhere());
  dirs_.Locks(db_ + "/LOCK");
  dirs_.Lists(wal_dir_, {"000001.log"});
  // Whatever another thread does meanwhile.
  std::thread([&] {
    dirs_.ReadsCurrent(wal_dir_ + "/CURRENT");
    dirs_.Locks(other + "/LOCK");
    dirs_.Lists(wal_dir_, {"000001.log"});
  }).join();
  EXPECT_TRUE(IsPassed(log_));
  EXPECT_FALSE(is_passed_elsewhere());
}

// A service may open by a link, and a tool in it by another path.
TEST_F(WalDirsTest, WhateverItIsCalled) {
  MakeDatabase(db_);
  RemoveOptions(db_);
  const std::string link = dir_.File("link");
  std::filesystem::create_directory_symlink(dir_.path(), link);
  Open(&dirs_, link + "/db", /*has_lock=*/true);
  dirs_.Lists(link + "/wal:1/", {"000001.log"});
  dirs_.MakesWalOrUnlocks();
  // The link may show elsewhere afterwards.
  std::filesystem::remove(link);
  EXPECT_TRUE(IsPassed(log_));
  EXPECT_TRUE(IsPassed(dir_.File("db/../wal:1/000001.log")));
}

TEST_F(WalDirsTest, ADatabaseThatIsGoneTellsNothing) {
  MakeDatabase(db_, wal_dir_);
  const std::string other = dir_.File("other");
  MakeDatabase(other);
  Open(&dirs_, other, /*has_lock=*/true);
  dirs_.Lists(wal_dir_, {"000001.log"});
  dirs_.MakesWalOrUnlocks();
  std::filesystem::remove_all(other);
  // Then it is that of the one that names it.
  EXPECT_FALSE(IsPassed(log_));
  dirs_.Locks(db_ + "/LOCK");
  dirs_.MakesWalOrUnlocks();
  EXPECT_TRUE(IsPassed(log_));
}

TEST_F(WalDirsTest, ADirectoryThatTheOptionsNameIsFoundWithAnyPath) {
  MakeDatabase(db_, wal_dir_);
  EXPECT_TRUE(NamesAsWalDir(db_, wal_dir_)) << NamedWalDir(db_);
}

// What RocksDB's calls come to: an open, and a look at column families before
// another database is opened by the same thread.
TEST_F(WalDirsTest, AsRocksDbOpens) {
  const std::string gone = dir_.File("gone");
  MakeDatabase(db_, gone);
  std::filesystem::remove_all(gone);
  const auto fs = std::make_shared<UringFileSystem>(
      rocksdb::FileSystem::Default(), UringFsOptions());
  const auto env = rocksdb::NewCompositeEnv(fs);
  rocksdb::Options options;
  options.env = env.get();
  options.create_if_missing = true;
  std::vector<std::string> names;
  ASSERT_TRUE(rocksdb::DB::ListColumnFamilies(options, db_, &names).ok());
  // Its logs have lower numbers than those that `db_` still reads.
  options.wal_dir = wal_dir_;
  const std::string other = dir_.File("other");
  for (int lives = 0; lives < 2; ++lives) {
    rocksdb::DB* opened = nullptr;
    const auto status = rocksdb::DB::Open(options, other, &opened);
    ASSERT_TRUE(status.ok()) << status.ToString();
    const std::unique_ptr<rocksdb::DB> db(opened);
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), "key", "value").ok());
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies(options, db_, &names).ok());
  }
}

}  // namespace
}  // namespace uringfs::test
