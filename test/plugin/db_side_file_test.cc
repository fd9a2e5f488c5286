// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Databases whose WALs have side files: opened by others meanwhile, recycled,
// killed, destroyed. Single calls of the file system: fs_side_file_test.cc.

#include <rocksdb/db.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>

#include "test/plugin/db_fixture.h"
#include "test/plugin/owner_child.h"
#include "test/recovery/directory.h"

#include "gmock/gmock.h"
#include "uringfs/recovery.h"

namespace uringfs::test {
namespace {

using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kAnySideFile[] = ".uringfs";

// Nothing if there is no such directory.
std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry :
       std::filesystem::directory_iterator(directory, missing)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

std::unique_ptr<rocksdb::DB> OpenReadOnly(const rocksdb::Options& options,
                                          const std::string& path) {
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::OpenForReadOnly(options, path, &db);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return std::unique_ptr<rocksdb::DB>(db);
}

using Content = std::map<std::string, std::string>;
Content ContentOf(rocksdb::DB* db) {
  Content content;
  if (db == nullptr) {
    return content;
  }
  const std::unique_ptr<rocksdb::Iterator> it(
      db->NewIterator(rocksdb::ReadOptions()));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    content[it->key().ToString()] = it->value().ToString();
  }
  EXPECT_TRUE(it->status().ok()) << it->status().ToString();
  return content;
}

// How many keys there are; expects that they are the first ones.
uint64_t CountPrefix(const Content& content) {
  uint64_t next = 0;
  for (const auto& [key, value] : content) {
    EXPECT_EQ(key, Key(next)) << "a gap";
    EXPECT_TRUE(value == Value(next)) << key;
    ++next;
  }
  return next;
}

class DbSideFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::unique_ptr<rocksdb::FSWritableFile> probe;
    const std::string path = dir_.File("000001.log");
    // Outlives the probe: a file system that goes takes its side files along.
    const auto fs = MakeFs("uringfs_ring");
    ASSERT_TRUE(
        fs->NewWritableFile(path, rocksdb::FileOptions(), &probe, nullptr)
            .ok());
    if (!std::filesystem::exists(SideFilePath(path))) {
      GTEST_SKIP() << "no shared rings on this file system";
    }
  }

  rocksdb::Options OptionsFor(const EnvByName& env,
                              const std::string& wal_dir = "") const {
    rocksdb::Options options = SmallDbOptions(env.get());
    options.wal_dir = wal_dir;
    options.avoid_flush_during_recovery = true;
    return options;
  }

  const TempDir dir_;
  const std::string path_ = dir_.File("db");
  const std::string wal_dir_ = dir_.File("wal");
  const EnvByName env_{"uringfs"};
  const EnvByName posix_{"posix"};
};

// Kills an owner while it puts the first keys, so that its ring has bytes that
// the file lacks. False if the file had got them all.
bool KillBesideAPut(const std::string& path, SideFileInfo* info) {
  // That of a database's first life.
  const std::string wal = path + "/000004.log";
  const auto give_up =
      std::chrono::steady_clock::now() + std::chrono::minutes(1);
  OwnerChild owner("db", path, "", "uringfs_ring");
  EXPECT_TRUE(owner.Begin("put 600"));
  while (InspectLog(wal, &RocksDbWal(), info).ok() && info->filled < 200000 &&
         std::chrono::steady_clock::now() < give_up) {
  }
  owner.Kill();
  // Until the last writes have landed.
  while (InspectLog(wal, &RocksDbWal(), info).ok() &&
         info->state == SideState::kOwned &&
         std::chrono::steady_clock::now() < give_up) {
  }
  return info->state == SideState::kWhole && info->log_bytes < info->filled;
}

TEST_F(DbSideFileTest, WhatPosixHasGoneOnWithoutStaysOut) {
  SideFileInfo info;
  std::string path = path_;
  for (int tries = 1; !KillBesideAPut(path, &info); ++tries) {
    ASSERT_LT(tries, 20) << "each kill came too late";
    path += "_";
  }
  const rocksdb::Options options = OptionsFor(env_);
  const rocksdb::Options posix = OptionsFor(posix_);
  const uint64_t all =
      CountPrefix(ContentOf(OpenReadOnly(options, path).get()));
  ASSERT_LT(CountPrefix(ContentOf(OpenReadOnly(posix, path).get())), all);
  // Only the ring has the last key, with a number higher than this one gets.
  const std::string key = Key(all - 1);
  {
    const auto db = OpenDb(posix, path);
    ASSERT_NE(db, nullptr);
    rocksdb::WriteOptions write;
    write.sync = true;
    ASSERT_TRUE(db->Put(write, key, "newer").ok());
  }
  const Content expected = ContentOf(OpenReadOnly(posix, path).get());
  ASSERT_EQ(expected.at(key), "newer");
  const std::string wal = info.log_path;
  // RocksDB 9 has deleted it by now.
  const auto left = [&wal] {
    return std::filesystem::exists(wal) ? ReadWholeFile(wal) : "";
  };
  const std::string bytes = left();

  ASSERT_TRUE(InspectLog(wal, &RocksDbWal(), &info).ok());
  EXPECT_EQ(info.state, SideState::kUnusable);
  EXPECT_THAT(info.reason, HasSubstr("without uringfs"));
  rocksdb::DB* none = nullptr;
  for (const rocksdb::Status& status :
       {rocksdb::DB::Open(options, path, &none),
        rocksdb::DB::OpenForReadOnly(options, path, &none),
        rocksdb::DB::OpenAsSecondary(options, path, dir_.File("second"),
                                     &none)}) {
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(status.ToString(), HasSubstr("recover --discard"));
  }
  EXPECT_TRUE(left() == bytes);
  // Somebody decides.
  RecoveryOptions discard = OfRocksDb();
  discard.unusable = Unusable::kDiscard;
  RecoveryReport report;
  ASSERT_TRUE(RecoverLog(wal, discard, &report).ok());
  EXPECT_EQ(report.outcome, RecoveryOutcome::kDiscarded) << report.message;
  EXPECT_TRUE(std::filesystem::exists(report.kept_path));
  EXPECT_TRUE(ContentOf(OpenDb(options, path).get()) == expected);
  EXPECT_TRUE(left() == bytes);
  // Gone with the log.
  EXPECT_TRUE(ContentOf(OpenDb(SmallDbOptions(env_.get()), path).get()) ==
              expected);
  EXPECT_THAT(NamesIn(path), Not(Contains(EndsWith(kAnySideFile))));
}

TEST_F(DbSideFileTest, RecycledWalsFailNoPut) {
  rocksdb::Options options = SmallDbOptions(env_.get());
  options.recycle_log_file_num = 2;
  options.wal_recovery_mode =
      rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  options.write_buffer_size = 64 << 10;
  // What is written is to be looked at, not compactions.
  options.disable_auto_compactions = true;
  options.level0_slowdown_writes_trigger = 1 << 20;
  options.level0_stop_writes_trigger = 1 << 20;
  options.paranoid_file_checks = false;
  const std::string value(300, 'v');
  Content expected;
  {
    const auto db = OpenDb(options, path_);
    ASSERT_NE(db, nullptr);
    // In other modes RocksDB 7.8 recycles nothing and does not say so.
    ASSERT_EQ(db->GetDBOptions().recycle_log_file_num, 2u);
    for (uint64_t i = 0; i < 20000; ++i) {
      expected[Key(i)] = value;
      const auto status = db->Put(rocksdb::WriteOptions(), Key(i), value);
      ASSERT_TRUE(status.ok()) << i << ": " << status.ToString();
    }
    EXPECT_THAT(ReadWholeFile(path_ + "/LOG"), HasSubstr("reusing log "));
  }
  options.env = posix_.get();
  EXPECT_TRUE(ContentOf(OpenDb(options, path_).get()) == expected);
  EXPECT_THAT(NamesIn(path_), Not(Contains(EndsWith(kAnySideFile))));
}

// The keys of a life with manual_wal_flush, up to these ends: flushed; not
// flushed when the WAL is switched; flushed, and so few that the new WAL needs
// no side file.
constexpr uint64_t kFirstEnd = 300;
constexpr uint64_t kSwitchEnd = 400;
constexpr uint64_t kLastEnd = 420;

// Args: file system, database, whether a full memtable switches the WAL.
int FlushByHandAndDie(const std::vector<std::string>& args) {
  const EnvByName env(args.at(0));
  rocksdb::Options options = SmallDbOptions(env.get());
  options.create_missing_column_families = true;
  options.manual_wal_flush = true;
  rocksdb::Options small = options;
  small.write_buffer_size = 64 << 10;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::DB* db = nullptr;
  // A flush of the other family switches the WAL and leaves ours in it.
  if (!rocksdb::DB::Open(options, args.at(1),
                         {{"default", options}, {"other", small}}, &families,
                         &db)
           .ok()) {
    return 1;
  }
  const rocksdb::WriteOptions write;
  Fill(db, 0, kFirstEnd);
  if (!db->Put(write, families[1], "key", "value").ok() ||
      !db->FlushWAL(/*sync=*/false).ok()) {
    return 2;
  }
  Fill(db, kFirstEnd, kSwitchEnd);
  if (args.at(2) == "full") {
    const std::string value(70000, 'v');
    if (!db->Put(write, families[1], "fill", value).ok() ||
        !db->Put(write, families[1], "switch", "value").ok()) {
      return 3;
    }
  } else {
    rocksdb::FlushOptions flush;
    flush.wait = false;
    if (!db->Flush(flush, families[1]).ok()) {
      return 4;
    }
  }
  Fill(db, kSwitchEnd, kLastEnd);
  return db->FlushWAL(/*sync=*/false).ok() && !::testing::Test::HasFailure()
             ? ::raise(SIGKILL)
             : 5;
}
const RegisterChild kFlushByHandAndDie("flush_by_hand_and_die",
                                       &FlushByHandAndDie);

TEST_F(DbSideFileTest, PosixSeesNoGapBetweenWalsThatAreFlushedByHand) {
  int round = 0;
  for (const std::string fs : {"uringfs", "uringfs_ring"}) {
    for (const std::string how : {"flush", "full"}) {
      SCOPED_TRACE(::testing::Message() << fs << ", " << how);
      const std::string path = path_ + std::to_string(round++);
      ChildProcess child("flush_by_hand_and_die", {fs, path, how});
      ASSERT_EQ(child.Wait(), -SIGKILL);
      EXPECT_THAT(NamesIn(path), Contains(EndsWith(".log")).Times(2));
      const uint64_t by_posix =
          CountPrefix(ContentOf(OpenReadOnly(OptionsFor(posix_), path).get()));
      // Each WAL is whole in its file before the next one has anything.
      EXPECT_GE(by_posix, fs == "uringfs" ? kLastEnd : kSwitchEnd);
      EXPECT_EQ(
          CountPrefix(ContentOf(OpenReadOnly(OptionsFor(env_), path).get())),
          kLastEnd);
    }
  }
}

bool HasSideFiles(const std::string& directory) {
  std::vector<SideFileInfo> infos;
  EXPECT_TRUE(InspectDirectory(directory, &infos).ok());
  return !infos.empty();
}

TEST_F(DbSideFileTest, DestroyDbAfterAKillLeavesNothingInAWalDir) {
  for (const std::string fs : {"uringfs", "uringfs_ring"}) {
    SCOPED_TRACE(fs);
    OwnerChild owner("db", path_, wal_dir_, fs);
    for (const char* command : {"put 3000", "settle"}) {
      ASSERT_TRUE(owner.Do(command)) << command;
    }
    owner.Kill();
    ASSERT_TRUE(HasSideFiles(wal_dir_)) << "nothing is tested here";
    const auto status = rocksdb::DestroyDB(path_, OptionsFor(env_, wal_dir_));
    EXPECT_TRUE(status.ok()) << status.ToString();
    EXPECT_THAT(NamesIn(wal_dir_), ::testing::IsEmpty());
    EXPECT_THAT(NamesIn(path_), ::testing::IsEmpty());
  }
}

TEST_F(DbSideFileTest, AWalDirLeftByOthersIsRecoveredByAnOldFileSystem) {
  // One object for all opens of this process.
  const EnvByName env("uringfs");
  const rocksdb::Options options = OptionsFor(env, wal_dir_);
  for (uint64_t round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    {
      const auto db = OpenDb(options, path_);
      ASSERT_NE(db, nullptr);
      Fill(db.get(), 5000, 5100, round);
    }
    EXPECT_THAT(NamesIn(wal_dir_), Not(Contains(EndsWith(kAnySideFile))));
    const uint64_t end = 2500 + round;  // over several WALs
    OwnerChild owner("db", path_, wal_dir_, "uringfs_ring");
    ASSERT_TRUE(owner.Do("put 2400") && owner.Do("settle") &&
                owner.Do("put " + std::to_string(end)));
    owner.Kill();
    ASSERT_TRUE(HasSideFiles(wal_dir_)) << "nothing is tested here";
    {
      const auto db = OpenDb(options, path_);
      ASSERT_NE(db, nullptr);
      // Recovered before the first new WAL, not only read.
      std::vector<SideFileInfo> infos;
      ASSERT_TRUE(InspectDirectory(wal_dir_, &infos).ok());
      for (const SideFileInfo& info : infos) {
        EXPECT_NE(info.state, SideState::kWhole) << info.path;
      }
      Check(db.get(), 0, end);
      Check(db.get(), 5000, 5100, round);
    }
    EXPECT_THAT(NamesIn(wal_dir_), Not(Contains(EndsWith(kAnySideFile))));
    // What posix finds is all there is.
    rocksdb::Options posix = options;
    posix.env = posix_.get();
    const auto db = OpenReadOnly(posix, path_);
    ASSERT_NE(db, nullptr);
    Check(db.get(), 0, end);
  }
}

}  // namespace
}  // namespace uringfs::test
