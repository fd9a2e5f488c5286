// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What the file system does when it meets the WAL of a process that was killed
// or is still there.

#include <rocksdb/db.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "test/plugin/db_fixture.h"
#include "test/plugin/fs_fixture.h"
#include "test/plugin/owner_child.h"
#include "test/recovery/directory.h"

#include "gmock/gmock.h"
#include "uringfs/log_store.h"
#include "uringfs/recovery.h"

namespace uringfs::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Everything of a directory but LOG, LOCK and fifos.
std::vector<std::string> FilesOf(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name != "LOG" && name != "LOCK" && entry.is_regular_file()) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

class FsRecoveryTest : public FsFixture {
 protected:
  static constexpr size_t kBytes = 70000;
  const std::string name_ = "000004.log";
  const std::string side_ = SideFilePath(Path(name_));

  void SetUp() override {
    OwnerChild probe("wal", Path("1.log"), "", GetParam());
    ASSERT_TRUE(probe.Do("append 1"));
    const bool is_shared = std::filesystem::exists(Path("1.log.uringfs"));
    ASSERT_TRUE(probe.Do("close"));
    ASSERT_EQ(::unlink(Path("1.log").c_str()), 0);
    if (!is_shared) {
      GTEST_SKIP() << "no shared rings on this file system";
    }
  }

  // A WAL whose owner was killed.
  void MakeDead(const std::string& name) {
    OwnerChild owner("wal", Path(name), "", GetParam());
    ASSERT_TRUE(owner.Do("append " + std::to_string(kBytes)));
    owner.Kill();
    ASSERT_TRUE(std::filesystem::exists(SideFilePath(Path(name))));
  }

  rocksdb::IOStatus Lock(bool unlock = true) {
    rocksdb::FileLock* lock = nullptr;
    rocksdb::IOStatus status = fs_->LockFile(Path("LOCK"), io_, &lock, nullptr);
    EXPECT_EQ(status.ok(), lock != nullptr);
    if (status.ok() && unlock) {
      EXPECT_TRUE(fs_->UnlockFile(lock, io_, nullptr).ok());
    }
    return status;
  }

  void ExpectRecovered(const std::string& name) {
    EXPECT_FALSE(std::filesystem::exists(SideFilePath(Path(name)))) << name;
    EXPECT_EQ(ReadWholeFile(Path(name)), Pattern(kBytes)) << name;
  }
};

INSTANTIATE_TEST_SUITE_P(All, FsRecoveryTest, ::testing::Values("uringfs_ring"),
                         [](const auto& param) { return param.param; });

TEST_P(FsRecoveryTest, LockFileRecoversAndSaysSo) {
  MakeDatabase();
  MakeDead(name_);
  std::shared_ptr<rocksdb::Logger> logger;
  ASSERT_TRUE(fs_->NewLogger(Path("LOG"), io_, &logger, nullptr).ok());
  logger->SetInfoLogLevel(rocksdb::InfoLogLevel::INFO_LEVEL);
  ASSERT_TRUE(Lock().ok());
  ExpectRecovered(name_);
  EXPECT_THAT(UringFsStatistics(*fs_), HasSubstr(" side_recovered=1 "));
  logger->Flush();
  EXPECT_THAT(ReadWholeFile(Path("LOG")),
              HasSubstr("uringfs recovered: " + side_));
}

// A copy under way, a MANIFEST that cannot be read: nobody can tell whether the
// database has gone on without it.
TEST_P(FsRecoveryTest, WhereNoDatabaseTellsLockFileChangesNothing) {
  MakeDead(name_);
  const std::string log = ReadWholeFile(Path(name_));
  const std::string side = ReadWholeFile(side_);
  ASSERT_TRUE(Lock().ok());
  EXPECT_EQ(ReadWholeFile(Path(name_)), log);
  EXPECT_EQ(ReadWholeFile(side_), side);
  MakeDatabase();
  std::filesystem::rename(Path("CURRENT"), Path("CURRENT.away"));
  ASSERT_TRUE(Lock().ok());
  EXPECT_EQ(ReadWholeFile(side_), side);
}

TEST_P(FsRecoveryTest, LockFileIsBusyWhileTheOwnerLives) {
  MakeDatabase();
  OwnerChild owner("wal", Path(name_), "", GetParam());
  ASSERT_TRUE(owner.Do("append 5000"));
  const rocksdb::IOStatus status = Lock();
  EXPECT_TRUE(status.IsBusy()) << status.ToString();
  EXPECT_THAT(status.ToString(), HasSubstr("has the log open"));
  // The lock was given back, and nothing was done to the owner.
  rocksdb::FileLock* lock = nullptr;
  const auto posix = rocksdb::FileSystem::Default();
  ASSERT_TRUE(posix->LockFile(Path("LOCK"), io_, &lock, nullptr).ok());
  ASSERT_TRUE(posix->UnlockFile(lock, io_, nullptr).ok());
  ASSERT_TRUE(owner.Do("append 5000"));
  EXPECT_EQ(ReadAll(name_), Pattern(10000));
}

TEST_P(FsRecoveryTest, ALogOfThisProcessKeepsNobodyOut) {
  LogOptions options;
  options.ring_home = RingHome::kShared;
  std::unique_ptr<LogStore> leaked;
  ASSERT_TRUE(LogStore::Open(Path(name_), options, &leaked).ok());
  ASSERT_TRUE(leaked->Append("123").ok());
  ASSERT_TRUE(leaked->Flush().ok());
  EXPECT_TRUE(Lock().ok());
  ASSERT_TRUE(leaked->Append("456").ok());
  ASSERT_TRUE(leaked->Close().ok());
  EXPECT_EQ(ReadWholeFile(Path(name_)), "123456");
}

// No way leads to less than was acknowledged, and none takes the bytes away.
TEST_P(FsRecoveryTest, ASideFileThatCannotBeAppliedStopsEverybody) {
  MakeDatabase();
  MakeDead(name_);
  std::fstream(side_, std::ios::in | std::ios::out) << "not a side file";
  const std::string side = ReadWholeFile(side_);
  const std::string before = ReadWholeFile(Path(name_));
  std::shared_ptr<rocksdb::Logger> logger;
  ASSERT_TRUE(fs_->NewLogger(Path("LOG"), io_, &logger, nullptr).ok());
  logger->SetInfoLogLevel(rocksdb::InfoLogLevel::INFO_LEVEL);
  std::vector<std::string> names;
  std::unique_ptr<rocksdb::FSSequentialFile> reader;
  std::unique_ptr<rocksdb::FSWritableFile> writer;
  uint64_t size = 0;
  const std::pair<const char*, rocksdb::Status> calls[] = {
      {"lock", Lock()},
      {"list", fs_->GetChildren(dir_.path(), io_, &names, nullptr)},
      {"read",
       fs_->NewSequentialFile(Path(name_), file_options_, &reader, nullptr)},
      {"size", fs_->GetFileSize(Path(name_), io_, &size, nullptr)},
      {"delete", fs_->DeleteFile(Path(name_), io_, nullptr)},
      {"link", fs_->LinkFile(Path(name_), Path("linked"), io_, nullptr)},
      {"rename", fs_->RenameFile(Path(name_), Path("other"), io_, nullptr)},
      {"next WAL", fs_->NewWritableFile(Path("000009.log"), file_options_,
                                        &writer, nullptr)}};
  for (const auto& [what, status] : calls) {
    EXPECT_FALSE(status.ok()) << what;
    EXPECT_THAT(status.ToString(), HasSubstr(side_)) << what;
    EXPECT_THAT(status.ToString(), HasSubstr("recover --discard")) << what;
  }
  EXPECT_THAT(UringFsStatistics(*fs_), HasSubstr(" side_unusable="));
  logger->Flush();
  EXPECT_THAT(ReadWholeFile(Path("LOG")), HasSubstr("uringfs unusable: "));
  EXPECT_TRUE(ReadWholeFile(Path(name_)) == before);
  EXPECT_TRUE(ReadWholeFile(side_) == side);
}

TEST_P(FsRecoveryTest, ADeadLogIsReadWithoutRecovery) {
  MakeDead(name_);
  EXPECT_EQ(Size(name_), kBytes);
  EXPECT_EQ(ReadAll(name_), Pattern(kBytes));
  EXPECT_EQ(Read(OpenRandom(name_), 60000, 20000),
            Pattern(kBytes).substr(60000));
  EXPECT_TRUE(std::filesystem::exists(side_));
}

TEST_P(FsRecoveryTest, CallsThatChangeOrShareTheFileRecoverFirst) {
  std::unique_ptr<rocksdb::FSWritableFile> writable;
  std::unique_ptr<rocksdb::FSRandomRWFile> random;
  std::unique_ptr<rocksdb::MemoryMappedFileBuffer> mapped;
  const std::string path = Path(name_);
  const std::pair<const char*, std::function<rocksdb::Status()>> calls[] = {
      {"reopen",
       [&] {
         return fs_->ReopenWritableFile(path, file_options_, &writable,
                                        nullptr);
       }},
      {"random",
       [&] {
         return fs_->NewRandomRWFile(path, file_options_, &random, nullptr);
       }},
      {"mmap", [&] { return fs_->NewMemoryMappedFileBuffer(path, &mapped); }},
      {"truncate", [&] { return fs_->Truncate(path, kBytes, io_, nullptr); }},
      {"link",
       [&] { return fs_->LinkFile(path, Path("linked"), io_, nullptr); }},
      {"rename", [&] {
         rocksdb::Status status =
             fs_->RenameFile(path, Path("renamed"), io_, nullptr);
         std::filesystem::rename(Path("renamed"), path);
         return status;
       }}};
  for (const auto& call : calls) {
    MakeDead(name_);
    const rocksdb::Status status = call.second();
    // RocksDB 7.8 on posix cannot cut a file by path.
    EXPECT_TRUE(status.ok() || status.IsNotSupported())
        << call.first << ": " << status.ToString();
    ExpectRecovered(name_);
  }
}

TEST_P(FsRecoveryTest, ADetachedFileOfThisProcessIsNotWaitedFor) {
  const File file = Create(name_);
  Append(file, Pattern(5000));
  std::unique_ptr<rocksdb::FSWritableFile> first;
  std::unique_ptr<rocksdb::FSWritableFile> second;
  for (auto* again : {&first, &second}) {
    ASSERT_TRUE(
        fs_->ReopenWritableFile(Path(name_), file_options_, again, nullptr)
            .ok());
  }
  // Seen as it is on disk, longer than its old owner knows.
  Append(second, "new");
  Close(second);
  EXPECT_EQ(Size(name_), 5003u);
  EXPECT_EQ(ReadAll(name_), Pattern(5000) + "new");
}

TEST_P(FsRecoveryTest, DeletingALogTakesItsSideFileAlong) {
  MakeDead(name_);
  ASSERT_TRUE(fs_->DeleteFile(Path(name_), io_, nullptr).ok());
  EXPECT_TRUE(FilesOf(dir_.path()).empty());
  // A directory is cleaned by its list, in any order.
  for (const bool side_first : {false, true}) {
    MakeDead(name_);
    const std::string log = Path(name_);
    for (const std::string& path :
         {side_first ? side_ : log, side_first ? log : side_}) {
      EXPECT_TRUE(fs_->DeleteFile(path, io_, nullptr).ok()) << path;
    }
    EXPECT_TRUE(FilesOf(dir_.path()).empty());
  }
  EXPECT_FALSE(fs_->DeleteFile(Path(name_), io_, nullptr).ok());
}

TEST_P(FsRecoveryTest, ANewFileOverADeadOneHasNothingOfIt) {
  for (const RingHome home : {RingHome::kShared, RingHome::kPrivate}) {
    UringFsOptions options;
    options.wal_ring = home;
    options.wal_ring_after_bytes = 0;
    fs_ = MakeUringFs(options);
    // Not the first one here, so that nothing is recovered by the way.
    Write("000001.log", "1");
    MakeDead(name_);
    const File file = Create(name_);
    Append(file, "new");
    ASSERT_TRUE(file->Flush(io_, nullptr).ok());
    EXPECT_EQ(std::filesystem::exists(side_), home == RingHome::kShared);
    EXPECT_EQ(ReadAll(name_), "new");
    Close(file);
    ASSERT_TRUE(Lock().ok());
    EXPECT_FALSE(std::filesystem::exists(side_));
    EXPECT_EQ(ReadWholeFile(Path(name_)), "new");
  }
}

TEST_P(FsRecoveryTest, DestroyDbAfterAKillLeavesNothing) {
  const std::string path = Path("db");
  OwnerChild owner("db", path, "", GetParam());
  ASSERT_TRUE(owner.Do("put 2500"));
  owner.Kill();
  const EnvByName env(GetParam());
  const auto status = rocksdb::DestroyDB(path, SmallDbOptions(env.get()));
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_P(FsRecoveryTest, ASeparateWalDirIsReadAndLeftClean) {
  const std::string path = Path("db");
  const std::string wal_dir = Path("wal");
  OwnerChild owner("db", path, wal_dir, GetParam());
  ASSERT_TRUE(owner.Do("put 700"));
  owner.Kill();
  const EnvByName env(GetParam());
  rocksdb::Options options = SmallDbOptions(env.get());
  options.wal_dir = wal_dir;
  for (const bool avoid_flush : {true, false}) {
    options.avoid_flush_during_recovery = avoid_flush;
    const std::unique_ptr<rocksdb::DB> db = OpenDb(options, path);
    ASSERT_NE(db, nullptr);
    Check(db.get(), 0, 700);
  }
  std::vector<SideFileInfo> infos;
  ASSERT_TRUE(InspectDirectory(wal_dir, &infos).ok());
  EXPECT_TRUE(infos.empty()) << infos[0].path;
}

}  // namespace
}  // namespace uringfs::test
