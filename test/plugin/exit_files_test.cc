// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Ends of processes and of file systems beside which something is out of the
// ordinary: files that come late, threads and locks that never move again,
// forks, a module that was unloaded.

#include <dlfcn.h>
#include <fcntl.h>
#include <rocksdb/convenience.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uringfs/recovery.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "plugin/exit_drain.h"
#include "plugin/live_file.h"
#include "test/plugin/file_systems.h"
#include "test/plugin/open_wals.h"
#include "test/support/child_process.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

using Words = std::vector<std::string>;

class ExitFilesTest : public ::testing::Test {
 protected:
  TempDir dir_;
};

// A WAL that is opened when the handler has run.
std::string* late_path = nullptr;
rocksdb::FileSystem* late_fs = nullptr;

int OpenLate(const Words& args) {
  late_path = new std::string(args.at(0));
  late_fs =
      (new std::shared_ptr<rocksdb::FileSystem>(MakeFs("uringfs_ring")))->get();
  // Behind RocksDB's own statics, so that they are still there.
  const rocksdb::FileOptions options;
  std::atexit([] {
    auto* const file =
        new WritableFile(NewWal(late_fs, *late_path + "/000009.log"));
    ::_exit(AppendAndFlush(*file, std::string(100000, 'l')) ? 0 : 1);
  });
  const auto* const first =
      new WritableFile(NewWal(late_fs, args[0] + "/000007.log"));
  return AppendAndFlush(*first, std::string(100000, 'f')) ? (std::exit(0), 0)
                                                          : 1;
}
const RegisterChild kOpenLate("open_late", &OpenLate);

TEST_F(ExitFilesTest, AWalThatIsOpenedLaterGoesToItsFileAtEachFlush) {
  ChildProcess child("open_late", {dir_.path()});
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(SideFilesIn(dir_.path()), "");
  EXPECT_EQ(ReadWholeFile(dir_.File("000007.log")), std::string(100000, 'f'));
  EXPECT_EQ(ReadWholeFile(dir_.File("000009.log")), std::string(100000, 'l'));
}

// A thread that never moves again, within an append.
int ExitBesideAStoppedThread(const Words& args) {
  UringFsOptions options;
  options.wal_ring_after_bytes = 0;
  options.stats_file = args.at(1);
  static const auto fs = MakeUringFs(options);
  const auto* const file = new WritableFile(NewWal(fs.get(), args.at(0)));
  if (!AppendAndFlush(*file, std::string(100000, 's'))) {
    return 1;
  }
  auto* const inside = new Reservation;
  const auto live = LiveFiles::OfProcess().Find(args[0]);
  return live->log()->Reserve(10, inside).ok() ? (std::exit(0), 0) : 1;
}
const RegisterChild kExitBesideAStoppedThread("stopped",
                                              &ExitBesideAStoppedThread);

TEST_F(ExitFilesTest, ItIsNotHeldUpForEver) {
  const std::string path = dir_.File("000007.log");
  {
    ChildProcess child("stopped", {path, dir_.File("statistics")});
    EXPECT_EQ(child.Wait(), 0);
  }
  // To look at a log can wait for the same thing.
  EXPECT_FALSE(std::filesystem::exists(dir_.File("statistics")));
  EXPECT_NE(SideFilesIn(dir_.path()), "") << "as safe as after a kill";
  RecoveryReport report;
  ASSERT_TRUE(RecoverLog(path, RecoveryOptions(), &report).ok());
  EXPECT_EQ(ReadWholeFile(path), std::string(100000, 's'));
}

// Nor by the table of files, which is locked while one is being opened. Here
// that waits for a lease that is not given back: for 45 seconds, by default.
TEST_F(ExitFilesTest, ItIsNotHeldUpByATableThatIsLocked) {
  // As that of the process: whoever gave up waiting does not know when the
  // others have left it.
  static auto& files = *new LiveFiles;
  LogOptions options;
  const auto open = [&](const std::string& name) {
    std::shared_ptr<LiveFile> file;
    const Status status = files.Open(dir_.File(name), options, FileKind::kWal,
                                     std::make_shared<FsStats>(), {}, &file);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return file;
  };
  const auto wal = open("000007.log");
  const int leased =
      ::open(dir_.File("000009.log").c_str(), O_RDWR | O_CREAT, 0600);
  std::signal(SIGIO, SIG_IGN);
  if (::fcntl(leased, F_SETLEASE, F_WRLCK) != 0) {
    GTEST_SKIP() << "no leases here";
  }
  options.open_mode = OpenMode::kResume;
  std::thread opener([&] { open("000009.log"); });
  // Asked to give it back: the opener waits, in the lock.
  while (::fcntl(leased, F_GETLEASE) == F_WRLCK) {
    std::this_thread::yield();
  }
  EXPECT_FALSE(DrainWals(&files, nullptr, std::chrono::milliseconds(20)));
  ::close(leased);
  opener.join();
}

// A child of fork leaves what is its parent's alone, however it ends, and its
// own end is as good as anybody's.
int ForkAndLeave(const Words& args) {
  const bool by_exit = args.at(1) == "exit";
  static const auto fs = MakeFs("uringfs_ring");
  const auto* const file =
      new WritableFile(NewWal(fs.get(), args[0] + "/000007.log"));
  bool is_well = AppendAndFlush(*file, std::string(100000, '1'));
  const std::string before = SideFilesIn(args[0]);
  const pid_t child = ::fork();
  if (child == 0) {
    is_well = is_well && LiveFiles::IfThereAreAny() == nullptr;
    const auto* const own =
        new WritableFile(NewWal(fs.get(), args[0] + "/child/000003.log"));
    is_well = is_well && AppendAndFlush(*own, std::string(70000, 'c'));
    is_well ? (by_exit ? std::exit(0) : ::_exit(0)) : ::_exit(1);
  }
  int outcome = 0;
  is_well = is_well && ::waitpid(child, &outcome, 0) == child && outcome == 0;
  is_well = is_well && SideFilesIn(args[0]) == before && !before.empty();
  is_well = is_well && AppendAndFlush(*file, std::string(100000, '2'));
  ::_exit(is_well ? 0 : 1);
}
const RegisterChild kForkAndLeave("fork_and_leave", &ForkAndLeave);

TEST_F(ExitFilesTest, AChildOfForkTouchesOnlyItsOwn) {
  for (const std::string way : {"exit", "_exit"}) {
    SCOPED_TRACE(way);
    const TempDir dir;
    std::filesystem::create_directory(dir.File("child"));
    {
      ChildProcess child("fork_and_leave", {dir.path(), way});
      ASSERT_EQ(child.Wait(), 0);
    }
    EXPECT_EQ(SideFilesIn(dir.File("child")).empty(), way == "exit");
    for (const char* name : {"000007.log", "child/000003.log"}) {
      RecoveryReport report;
      ASSERT_TRUE(RecoverLog(dir.File(name), RecoveryOptions(), &report).ok());
    }
    EXPECT_EQ(ReadWholeFile(dir.File("child/000003.log")),
              std::string(70000, 'c'));
    EXPECT_EQ(ReadWholeFile(dir.File("000007.log")),
              std::string(100000, '1') + std::string(100000, '2'));
  }
}

// The module, loaded and unloaded as a program does that does not link us.
int LeaveTheModule(const Words& args) {
  void* const module = ::dlopen(URINGFS_MODULE, RTLD_NOW);
  static std::shared_ptr<rocksdb::FileSystem> fs;
  if (module == nullptr ||
      !rocksdb::FileSystem::CreateFromString(
           rocksdb::ConfigOptions(), "uringfs://?wal_ring_after_bytes=0", &fs)
           .ok()) {
    return 1;
  }
  const auto* const file = new WritableFile(NewWal(fs.get(), args.at(0)));
  bool is_well = AppendAndFlush(*file, std::string(100000, 'a'));
  is_well = is_well && ::dlclose(module) == 0;
  is_well = is_well && AppendAndFlush(*file, std::string(100000, 'b'));
  return is_well ? (std::exit(0), 0) : 1;
}
const RegisterChild kLeaveTheModule("leave_the_module", &LeaveTheModule);

TEST_F(ExitFilesTest, AModuleThatWasClosedDrainsAtExitAllTheSame) {
  ChildProcess child("leave_the_module", {dir_.File("000007.log")});
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(SideFilesIn(dir_.path()), "");
  EXPECT_EQ(ReadWholeFile(dir_.File("000007.log")),
            std::string(100000, 'a') + std::string(100000, 'b'));
}

TEST_F(ExitFilesTest, AFileSystemThatGoesDrainsItsOwn) {
  const std::string path = dir_.File("000007.log");
  std::filesystem::create_directory(dir_.File("other"));
  const auto others = MakeFs("uringfs_ring");
  const auto other = NewWal(others.get(), dir_.File("other/000007.log"));
  ASSERT_TRUE(AppendAndFlush(other, "123"));
  auto fs = MakeFs("uringfs_ring");
  const auto file = NewWal(fs.get(), path);
  ASSERT_TRUE(AppendAndFlush(file, std::string(100000, '1')));
  ASSERT_NE(SideFilesIn(dir_.path()), "");
  fs.reset();
  EXPECT_EQ(SideFilesIn(dir_.path()), "");
  EXPECT_EQ(ReadWholeFile(path), std::string(100000, '1'));
  ASSERT_TRUE(AppendAndFlush(file, std::string(5, '2')));
  EXPECT_EQ(ReadWholeFile(path), std::string(100000, '1') + "22222");
  EXPECT_NE(SideFilesIn(dir_.File("other")), "");
}

}  // namespace
}  // namespace uringfs::test
