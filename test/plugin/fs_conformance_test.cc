// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What RocksDB may expect of any FileSystem: one suite, run on RocksDB's own
// file system and on ours with the same expectations.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "test/plugin/fs_fixture.h"
#include "test/support/child_process.h"

#include "gmock/gmock.h"
#include "uringfs/recovery.h"

namespace uringfs::test {
namespace {

using rocksdb::IOStatus;

class FsConformanceTest : public FsFixture {};

INSTANTIATE_TEST_SUITE_P(All, FsConformanceTest,
                         ::testing::Values("posix", "uringfs", "uringfs_direct",
                                           "uringfs_pwrite"),
                         [](const auto& param) { return param.param; });

// Names of the three kinds: WAL, table, left to the base.
const char* const kNames[] = {"000004.log", "000007.sst", "plain"};

TEST_P(FsConformanceTest, ANewFileExistsAndIsEmpty) {
  for (const char* name : kNames) {
    const File file = Create(name);
    EXPECT_TRUE(fs_->FileExists(Path(name), io_, nullptr).ok());
    EXPECT_EQ(Size(name), 0u);
    EXPECT_EQ(ReadAll(name), "");
    Close(file);
    EXPECT_EQ(Size(name), 0u);
  }
}

TEST_P(FsConformanceTest, AppendedBytesAreInTheFileAfterClose) {
  for (const char* name : kNames) {
    const std::string bytes = Pattern(300001);
    const File file = Create(name);
    Append(file, bytes.substr(0, 1));
    Append(file, "");
    Append(file, bytes.substr(1, 4095));
    Append(file, bytes.substr(4096, 250000));
    Append(file, bytes.substr(254096));
    Close(file);
    EXPECT_EQ(ReadWholeFile(Path(name)), bytes) << name;
    EXPECT_EQ(Size(name), bytes.size());
  }
}

TEST_P(FsConformanceTest, AppendsOf20MiBInOnePiece) {
  for (const char* name : kNames) {
    const std::string bytes = Pattern(20 << 20);
    const File file = Create(name);
    Append(file, "x");
    Append(file, bytes);
    Append(file, "y");
    ASSERT_TRUE(file->Sync(io_, nullptr).ok());
    Close(file);
    EXPECT_EQ(ReadWholeFile(Path(name)), "x" + bytes + "y") << name;
  }
}

TEST_P(FsConformanceTest, TheHandleKnowsItsSize) {
  for (const char* name : kNames) {
    const File file = Create(name);
    Append(file, Pattern(5000));
    EXPECT_EQ(file->GetFileSize(io_, nullptr), 5000u);
    Close(file);
  }
}

TEST_P(FsConformanceTest, AfterSyncTheFileHasTheExactSize) {
  // By stat, as any other process sees it: nothing syncs a table after Close.
  for (const char* name : {"000007.sst", "000009.blob"}) {
    const File file = Create(name);
    Append(file, Pattern(5000));
    ASSERT_TRUE(file->Sync(io_, nullptr).ok());
    struct stat status = {};
    ASSERT_EQ(::stat(Path(name).c_str(), &status), 0);
    EXPECT_EQ(status.st_size, 5000);
    Close(file);
  }
}

TEST_P(FsConformanceTest, AppendAfterSyncAndFlush) {
  for (const char* name : kNames) {
    const std::string bytes = Pattern(30000);
    const File file = Create(name);
    for (size_t at = 0; at < bytes.size(); at += 1000) {
      Append(file, bytes.substr(at, 1000));
      const IOStatus status = at % 3000 == 0      ? file->Sync(io_, nullptr)
                              : at % 3000 == 1000 ? file->Flush(io_, nullptr)
                                                  : file->Fsync(io_, nullptr);
      ASSERT_TRUE(status.ok()) << status.ToString();
    }
    Close(file);
    EXPECT_EQ(ReadWholeFile(Path(name)), bytes) << name;
  }
}

TEST_P(FsConformanceTest, RangeSyncIsAccepted) {
  rocksdb::FileOptions options;
  options.strict_bytes_per_sync = true;
  File file;
  ASSERT_TRUE(
      fs_->NewWritableFile(Path("000004.log"), options, &file, nullptr).ok());
  Append(file, Pattern(10000));
  EXPECT_TRUE(file->RangeSync(0, 4096, io_, nullptr).ok());
  EXPECT_TRUE(file->RangeSync(4096, 1 << 20, io_, nullptr).ok());
  Close(file);
}

TEST_P(FsConformanceTest, DestructionWithoutCloseWritesEverything) {
  for (const char* name : kNames) {
    const std::string bytes = Pattern(10001);
    {
      const File file = Create(name);
      Append(file, bytes);
    }
    EXPECT_EQ(ReadWholeFile(Path(name)), bytes) << name;
  }
}

TEST_P(FsConformanceTest, WriteStringToFileAndBack) {
  for (const char* name : kNames) {
    const std::string bytes = Pattern(9999);
    ASSERT_TRUE(
        rocksdb::WriteStringToFile(fs_.get(), bytes, Path(name), true).ok());
    EXPECT_EQ(ReadAll(name), bytes);
  }
}

TEST_P(FsConformanceTest, TheHandleCanBeTruncated) {
  for (const char* name : kNames) {
    const std::string bytes = Pattern(10000);
    const File file = Create(name);
    Append(file, bytes);
    ASSERT_TRUE(file->Truncate(5001, io_, nullptr).ok());
    EXPECT_EQ(Size(name), 5001u) << name;
    Close(file);
    EXPECT_EQ(ReadWholeFile(Path(name)), bytes.substr(0, 5001)) << name;
  }
}

TEST_P(FsConformanceTest, AnExistingFileIsReplaced) {
  for (const char* name : kNames) {
    Write(name, Pattern(10000));
    const File file = Create(name);
    EXPECT_EQ(Size(name), 0u);
    Append(file, "new");
    Close(file);
    EXPECT_EQ(ReadWholeFile(Path(name)), "new");
  }
}

TEST_P(FsConformanceTest, AFileCanBeRenamedWhileItIsOpen) {
  for (const char* name : kNames) {
    const std::string bytes = Pattern(20000);
    const File file = Create(name);
    Append(file, bytes.substr(0, 9000));
    const std::string moved = std::string(name) + ".moved";
    ASSERT_TRUE(fs_->RenameFile(Path(name), Path(moved), io_, nullptr).ok());
    EXPECT_EQ(Size(moved), 9000u);
    Append(file, bytes.substr(9000));
    EXPECT_EQ(Size(moved), 20000u);
    EXPECT_EQ(ReadAll(moved), bytes);
    Close(file);
    EXPECT_EQ(ReadWholeFile(Path(moved)), bytes);
    EXPECT_TRUE(fs_->FileExists(Path(name), io_, nullptr).IsNotFound());
  }
}

TEST_P(FsConformanceTest, ADirectoryCanBeRenamedUnderAnOpenFile) {
  ASSERT_TRUE(fs_->CreateDir(Path("a"), io_, nullptr).ok());
  const File file = Create("a/000004.log");
  Append(file, Pattern(100));
  ASSERT_TRUE(fs_->RenameFile(Path("a"), Path("b"), io_, nullptr).ok());
  EXPECT_EQ(Size("b/000004.log"), 100u);
  Close(file);
  EXPECT_EQ(ReadWholeFile(Path("b/000004.log")), Pattern(100));
}

TEST_P(FsConformanceTest, AFileCanBeDeletedWhileItIsOpen) {
  for (const char* name : kNames) {
    const File file = Create(name);
    Append(file, Pattern(9000));
    ASSERT_TRUE(fs_->DeleteFile(Path(name), io_, nullptr).ok());
    Append(file, Pattern(9000));
    EXPECT_TRUE(file->Sync(io_, nullptr).ok());
    Close(file);
    EXPECT_TRUE(fs_->FileExists(Path(name), io_, nullptr).IsNotFound());
  }
}

TEST_P(FsConformanceTest, ALinkToAnOpenFileHasItsSizeAndFollowsIt) {
  for (const char* name : kNames) {
    const std::string bytes = Pattern(12000);
    const File file = Create(name);
    Append(file, bytes.substr(0, 5000));
    const std::string link = std::string(name) + ".link";
    ASSERT_TRUE(fs_->LinkFile(Path(name), Path(link), io_, nullptr).ok());
    EXPECT_EQ(ReadWholeFile(Path(link)), bytes.substr(0, 5000)) << name;
    uint64_t links = 0;
    ASSERT_TRUE(fs_->NumFileLinks(Path(name), io_, &links, nullptr).ok());
    EXPECT_EQ(links, 2u);
    bool same = false;
    ASSERT_TRUE(
        fs_->AreFilesSame(Path(name), Path(link), io_, &same, nullptr).ok());
    EXPECT_TRUE(same);
    Append(file, bytes.substr(5000));
    EXPECT_EQ(Size(link), 12000u);
    EXPECT_EQ(ReadAll(link), bytes);
    Close(file);
    EXPECT_EQ(ReadWholeFile(Path(link)), bytes);
  }
}

TEST_P(FsConformanceTest, AReusedFileHasOnlyWhatTheNewWriterAppends) {
  Write("000004.log", Pattern(100000));
  File file;
  ASSERT_TRUE(fs_->ReuseWritableFile(Path("000009.log"), Path("000004.log"),
                                     file_options_, &file, nullptr)
                  .ok());
  EXPECT_TRUE(fs_->FileExists(Path("000004.log"), io_, nullptr).IsNotFound());
  const std::string bytes = Pattern(3000, 2);
  Append(file, bytes);
  Close(file);
  // The posix file system keeps the old bytes behind the new ones.
  EXPECT_EQ(ReadWholeFile(Path("000009.log")).substr(0, 3000), bytes);
}

TEST_P(FsConformanceTest, ReopenAppendsAtTheEnd) {
  for (const char* name : kNames) {
    Write(name, Pattern(5000));
    File file;
    ASSERT_TRUE(
        fs_->ReopenWritableFile(Path(name), file_options_, &file, nullptr)
            .ok());
    Append(file, "tail");
    ASSERT_TRUE(file->Sync(io_, nullptr).ok());
    Close(file);
    EXPECT_EQ(ReadWholeFile(Path(name)), Pattern(5000) + "tail");
  }
}

TEST_P(FsConformanceTest, ReopeningAnOpenFileFindsAllThatWasAppended) {
  const File file = Create("000004.log");
  Append(file, Pattern(5000));
  File second;
  ASSERT_TRUE(fs_->ReopenWritableFile(Path("000004.log"), file_options_,
                                      &second, nullptr)
                  .ok());
  EXPECT_EQ(ReadWholeFile(Path("000004.log")), Pattern(5000));
  EXPECT_TRUE(second->Sync(io_, nullptr).ok());
  Close(second);
  Close(file);
  EXPECT_EQ(ReadWholeFile(Path("000004.log")), Pattern(5000));
}

TEST_P(FsConformanceTest, TruncationByPathOfAnOpenFileIsDoneOrRefused) {
  const File file = Create("000004.log");
  Append(file, Pattern(9000));
  // RocksDB's posix file system of 7.8 refuses.
  const IOStatus status = fs_->Truncate(Path("000004.log"), 100, io_, nullptr);
  ASSERT_TRUE(status.ok() || status.IsNotSupported()) << status.ToString();
  const uint64_t size = status.ok() ? 100 : 9000;
  EXPECT_EQ(Size("000004.log"), size);
  EXPECT_EQ(ReadAll("000004.log"), Pattern(9000).substr(0, size));
}

TEST_P(FsConformanceTest, ChildrenHaveTheirLogicalSizes) {
  const File wal = Create("000004.log");
  Append(wal, Pattern(777));
  const File table = Create("000007.sst");
  Append(table, Pattern(300000));
  Write("plain", "123");
  std::vector<std::string> names;
  ASSERT_TRUE(fs_->GetChildren(dir_.path(), io_, &names, nullptr).ok());
  // 7.8 lists . and .. as well. Side files are listed: who cleans a directory
  // by its list must find them.
  names.erase(std::remove_if(names.begin(), names.end(),
                             [](const auto& n) {
                               return n[0] == '.' || IsSideFileName(n);
                             }),
              names.end());
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("000004.log", "000007.sst",
                                                     "plain"));
  std::vector<rocksdb::FileAttributes> children;
  ASSERT_TRUE(
      fs_->GetChildrenFileAttributes(dir_.path(), io_, &children, nullptr)
          .ok());
  size_t seen = 0;
  for (const auto& child : children) {
    const uint64_t expected = child.name == "000004.log"   ? 777
                              : child.name == "000007.sst" ? 300000
                                                           : 3;
    if (child.name[0] != '.' && !IsSideFileName(child.name)) {
      EXPECT_EQ(child.size_bytes, expected) << child.name;
      ++seen;
    }
  }
  EXPECT_EQ(seen, 3u);
}

TEST_P(FsConformanceTest, TheDirectoryCanBeSynced) {
  const File file = Create("000004.log");
  std::unique_ptr<rocksdb::FSDirectory> directory;
  ASSERT_TRUE(fs_->NewDirectory(dir_.path(), io_, &directory, nullptr).ok());
  EXPECT_TRUE(directory->Fsync(io_, nullptr).ok());
  EXPECT_TRUE(
      directory
          ->FsyncWithDirOptions(io_, nullptr,
                                rocksdb::DirFsyncOptions(
                                    rocksdb::DirFsyncOptions::kNewFileSynced))
          .ok());
  Close(file);
}

TEST_P(FsConformanceTest, AMissingDirectoryIsPathNotFound) {
  for (const char* name : kNames) {
    File file;
    const IOStatus status = fs_->NewWritableFile(
        Path("missing/" + std::string(name)), file_options_, &file, nullptr);
    EXPECT_TRUE(status.IsPathNotFound()) << status.ToString();
    EXPECT_EQ(file, nullptr);
  }
}

TEST_P(FsConformanceTest, ADirectoryInTheWayIsAnIoError) {
  ASSERT_TRUE(fs_->CreateDir(Path("000004.log"), io_, nullptr).ok());
  File file;
  const IOStatus status =
      fs_->NewWritableFile(Path("000004.log"), file_options_, &file, nullptr);
  EXPECT_TRUE(status.IsIOError()) << status.ToString();
  EXPECT_EQ(file, nullptr);
  EXPECT_TRUE(fs_->FileExists(Path("000004.log"), io_, nullptr).ok());
}

// Args: file system, path. 0 if opening it was refused as it should be.
int OpenWithoutPrivileges(const std::vector<std::string>& args) {
  const uid_t nobody = 65534;
  if (::geteuid() == 0 && ::setuid(nobody) != 0) {
    return 2;
  }
  std::unique_ptr<rocksdb::FSWritableFile> file;
  const IOStatus status = MakeFs(args[0])->NewWritableFile(
      args[1], rocksdb::FileOptions(), &file, nullptr);
  return status.IsIOError() && !status.IsPathNotFound() && !file ? 0 : 1;
}
const RegisterChild kOpenWithoutPrivileges("open_without_privileges",
                                           &OpenWithoutPrivileges);

TEST_P(FsConformanceTest, AReadOnlyDirectoryIsAnIoError) {
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(Path("ro").c_str(), 0555), 0);
  for (const char* name : kNames) {
    ChildProcess child("open_without_privileges",
                       {GetParam(), Path("ro/" + std::string(name))});
    EXPECT_EQ(child.Wait(), 0) << name;
  }
}

}  // namespace
}  // namespace uringfs::test
