// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include <rocksdb/env.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "test/plugin/fs_fixture.h"
#include "test/support/child_process.h"

#include "gmock/gmock.h"

namespace uringfs::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

void WriteFile(rocksdb::FileSystem* fs, const std::string& path, bool close) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  const rocksdb::IOOptions io;
  ASSERT_TRUE(
      fs->NewWritableFile(path, rocksdb::FileOptions(), &file, nullptr).ok());
  ASSERT_TRUE(file->Append("123", io, nullptr).ok());
  ASSERT_TRUE(file->Append("4567", io, nullptr).ok());
  ASSERT_TRUE(file->Sync(io, nullptr).ok());
  if (close) {
    ASSERT_TRUE(file->Close(io, nullptr).ok());
  }
}

TEST(FsStatsTest, TheTextCountsClosedAndOpenFiles) {
  const TempDir dir;
  const auto fs = MakeFs("uringfs_direct");
  WriteFile(fs.get(), dir.File("1.log"), true);
  WriteFile(fs.get(), dir.File("2.log"), false);
  WriteFile(fs.get(), dir.File("3.sst"), true);
  WriteFile(fs.get(), dir.File("other"), true);
  std::unique_ptr<rocksdb::FSWritableFile> open;
  ASSERT_TRUE(fs->NewWritableFile(dir.File("4.sst"), rocksdb::FileOptions(),
                                  &open, nullptr)
                  .ok());
  ASSERT_TRUE(open->Append("12345", rocksdb::IOOptions(), nullptr).ok());
  EXPECT_THAT(UringFsStatistics(*fs),
              AllOf(HasSubstr(" open_files=1 "), HasSubstr(" base_files=1 "),
                    HasSubstr(" wal_files=2 "), HasSubstr(" wal_appends=4 "),
                    HasSubstr(" wal_appended_bytes=14 "),
                    HasSubstr(" wal_syncs=2 "), HasSubstr(" data_files=2 "),
                    HasSubstr(" data_appended_bytes=12 ")));
}

TEST(FsStatsTest, OtherFileSystemsHaveNone) {
  EXPECT_EQ(UringFsStatistics(*rocksdb::FileSystem::Default()), "");
}

size_t CountBlocks(const std::string& text) {
  size_t blocks = 0;
  const std::string head = "uringfs 0.1.0 statistics\n";
  for (size_t at = 0; (at = text.find(head, at)) != std::string::npos; ++at) {
    ++blocks;
  }
  return blocks;
}

TEST(FsStatsTest, TheyAreWrittenWhenTheFileSystemIsDestroyed) {
  const TempDir dir;
  UringFsOptions options;
  options.stats_file = dir.File("stats");
  for (size_t i = 1; i < 3; ++i) {
    WriteFile(MakeUringFs(options).get(), dir.File("1.log"), true);
    const std::string text = ReadWholeFile(options.stats_file);
    EXPECT_EQ(CountBlocks(text), i);
    EXPECT_THAT(text, HasSubstr(" wal_files=1 "));
  }
}

// Args: directory. Forks while files are open and threads flush them; the
// children leave by exit(), which runs what was registered for it.
int ForkAndExit(const std::vector<std::string>& args) {
  UringFsOptions options;
  options.stats_file = args[0] + "/stats";
  static auto* const fs =
      new std::shared_ptr<rocksdb::FileSystem>(MakeUringFs(options));
  std::unique_ptr<rocksdb::FSWritableFile> file;
  if (!(*fs)
           ->NewWritableFile(args[0] + "/1.log", rocksdb::FileOptions(), &file,
                             nullptr)
           .ok()) {
    return 2;
  }
  std::atomic<bool> done{false};
  std::thread writer([&] {
    while (!done.load()) {
      static_cast<void>(file->Append("x", rocksdb::IOOptions(), nullptr).ok() &&
                        file->Flush(rocksdb::IOOptions(), nullptr).ok());
    }
  });
  int bad = 0;
  for (int i = 0; i < 20; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::exit(0);
    }
    int outcome = 0;
    bad += ::waitpid(child, &outcome, 0) == child && outcome == 0 ? 0 : 1;
  }
  done.store(true);
  writer.join();
  return bad;
}
const RegisterChild kForkAndExit("fork_and_exit", &ForkAndExit);

TEST(FsStatsTest, AForkedChildNeitherHangsNorWritesThem) {
#ifdef URINGFS_UNDER_SANITIZER
  GTEST_SKIP() << "LeakSanitizer takes locks at exit that another thread may "
                  "have held at the fork";
#endif
  const TempDir dir;
  ChildProcess child("fork_and_exit", {dir.path()});
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(CountBlocks(ReadWholeFile(dir.File("stats"))), 1u);
}

// Args: directory, "leak" or "destroy".
int WriteAndExit(const std::vector<std::string>& args) {
  UringFsOptions options;
  options.stats_file = args[0] + "/stats";
  // As db_bench leaves its Env behind.
  static auto* const fs =
      new std::shared_ptr<rocksdb::FileSystem>(MakeUringFs(options));
  WriteFile(fs->get(), args[0] + "/1.log", true);
  if (args[1] == "destroy") {
    fs->reset();
  }
  return 0;
}
const RegisterChild kWriteAndExit("write_and_exit", &WriteAndExit);

TEST(FsStatsTest, TheyAreWrittenOnceAtExit) {
  for (const char* end : {"leak", "destroy"}) {
    const TempDir dir;
    ChildProcess child("write_and_exit", {dir.path(), end});
    ASSERT_EQ(child.Wait(), 0);
    EXPECT_EQ(CountBlocks(ReadWholeFile(dir.File("stats"))), 1u) << end;
  }
}

TEST(FsStatsTest, TheLogOfADatabaseSaysWhatItsFilesGet) {
  const TempDir dir;
  std::shared_ptr<rocksdb::Logger> logger;
  ASSERT_TRUE(
      MakeUringFs()
          ->NewLogger(dir.File("LOG"), rocksdb::IOOptions(), &logger, nullptr)
          .ok());
  logger.reset();
  EXPECT_THAT(ReadWholeFile(dir.File("LOG")),
              AllOf(HasSubstr("uringfs 0.1.0: "), HasSubstr("wal_buffers=4"),
                    Not(HasSubstr("%s"))));
}

}  // namespace
}  // namespace uringfs::test
