// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Processes that end without closing their database, in every way a process
// can, and what plain posix finds then. README.md of the plugin has it as a
// table.

#include <dlfcn.h>
#include <fcntl.h>
#include <rocksdb/convenience.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "plugin/exit_drain.h"
#include "plugin/live_file.h"
#include "test/plugin/child_process.h"
#include "test/plugin/db_fixture.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

using Words = std::vector<std::string>;
using WritableFile = std::unique_ptr<rocksdb::FSWritableFile>;

constexpr uint64_t kKeys = 600;
constexpr size_t kThreads = 3;

rocksdb::Options WalOnly(rocksdb::Env* env) {
  rocksdb::Options options;  // a memtable that holds all of it
  options.env = env;
  options.create_if_missing = true;
  return options;
}

// A database that nobody will close.
rocksdb::DB* Leak(const std::string& dir, const std::string& fs) {
  static auto* const env = new EnvByName(fs);
  return OpenDb(WalOnly(env->get()), dir).release();
}

bool PutKeys(rocksdb::DB* db, uint64_t begin, uint64_t end) {
  bool is_well = true;
  for (uint64_t i = begin; i < end; ++i) {
    is_well =
        db->Put(rocksdb::WriteOptions(), Key(i), Value(i)).ok() && is_well;
  }
  return is_well;
}

std::string SideFilesIn(const std::string& dir) {
  std::string names;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.path().extension() == ".uringfs") {
      names += entry.path().filename().string() + " ";
    }
  }
  return names;
}

uint64_t CountKeys(const std::string& dir, const std::string& fs) {
  const EnvByName env(fs);
  const auto db = OpenDb(WalOnly(env.get()), dir);
  if (db == nullptr) {
    return 0;
  }
  uint64_t keys = 0;
  const std::unique_ptr<rocksdb::Iterator> at(
      db->NewIterator(rocksdb::ReadOptions()));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    keys += at->value() == Value(std::stoull(at->key().ToString().substr(3)));
  }
  return keys;
}

// A WAL of its own, without a database.
WritableFile NewWal(rocksdb::FileSystem* fs, const std::string& path) {
  WritableFile file;
  const auto status =
      fs->NewWritableFile(path, rocksdb::FileOptions(), &file, nullptr);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return file;
}

bool AppendAndFlush(const WritableFile& file, const std::string& bytes) {
  const rocksdb::IOOptions io;
  return file->Append(bytes, io, nullptr).ok() && file->Flush(io, nullptr).ok();
}

std::atomic<bool> is_terminated{false};

void EndBySignal() {
  std::signal(SIGTERM, [](int) { is_terminated = true; });
  std::thread([] {
    while (!is_terminated) {
      std::this_thread::yield();
    }
    std::exit(0);
  }).detach();
  ::kill(::getpid(), SIGTERM);
  ::pause();
}

void EndBySignalHandler() {
  // Of a thread that is inside nothing.
  std::signal(SIGTERM, [](int) { std::exit(0); });
  ::kill(::getpid(), SIGTERM);
  ::pause();
}

[[noreturn]] void EndBy(const std::string& way) {
  if (way == "quick_exit") {
    std::quick_exit(0);
  } else if (way == "sigterm") {
    EndBySignal();
  } else if (way == "handler") {
    EndBySignalHandler();
  } else if (way == "_exit") {
    ::_exit(0);
  } else if (way == "abort") {
    std::abort();
  } else if (way == "kill") {
    ::kill(::getpid(), SIGKILL);
  } else if (way == "exec") {
    ::execl("/bin/true", "true", nullptr);
  }
  std::exit(0);
}

int PutAndLeave(const Words& args) {
  return PutKeys(Leak(args.at(0), args.at(1)), 0, kKeys)
             ? (EndBy(args.at(2)), 0)
             : 1;
}
const RegisterChild kPutAndLeave("put_and_leave", &PutAndLeave);

class ExitTest : public ::testing::Test {
 protected:
  // Exits happen at once, so what was not drained is in the side file.
  void PutAndEndBy(const std::string& way, const std::string& fs) {
    std::filesystem::remove_all(path_);
    ChildProcess child("put_and_leave", {path_, fs, way});
    ended_ = child.Wait();
  }

  TempDir dir_;
  const std::string path_ = dir_.File("db");
  int ended_ = 0;
};

TEST_F(ExitTest, PosixFindsAllAndNothingElseIsLeft) {
  for (const char* fs : {"uringfs", "uringfs_ring", "uringfs_pwrite"}) {
    for (const char* way : {"exit", "quick_exit", "sigterm", "handler"}) {
      SCOPED_TRACE(std::string(fs) + " " + way);
      PutAndEndBy(way, fs);
      EXPECT_EQ(ended_, 0);
      EXPECT_EQ(SideFilesIn(path_), "");
      EXPECT_EQ(CountKeys(path_, "posix"), kKeys);
    }
  }
}

TEST_F(ExitTest, WithoutHandlersTheSideFileHasIt) {
  for (const char* way : {"_exit", "abort", "kill", "exec"}) {
    SCOPED_TRACE(way);
    PutAndEndBy(way, "uringfs_ring");
    EXPECT_NE(SideFilesIn(path_), "");
    EXPECT_EQ(CountKeys(path_, "uringfs"), kKeys);
    EXPECT_EQ(SideFilesIn(path_), "");
  }
}

// Who has put how much when the process was gone; in a file, mapped.
using Board = std::array<std::atomic<uint64_t>, kThreads>;

Board* MapBoard(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  EXPECT_GE(fd, 0);
  EXPECT_EQ(::ftruncate(fd, sizeof(Board)), 0);
  void* const memory =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  EXPECT_NE(memory, MAP_FAILED);
  ::close(fd);
  return static_cast<Board*>(memory);
}

uint64_t KeyOfThread(size_t thread, uint64_t i) {
  return thread * 1000000000u + i;
}

// They go on until there is no process any more: beside the handlers of exit,
// some of them slow, and behind.
int PutBesideExit(const Words& args) {
  std::atexit(
      [] { std::this_thread::sleep_for(std::chrono::milliseconds(30)); });
  Board* const board = MapBoard(args.at(1));
  rocksdb::DB* const db = Leak(args.at(0), args.at(2));
  for (size_t thread = 0; thread < kThreads; ++thread) {
    std::thread([=] {
      for (uint64_t i = 0;; ++i) {
        const uint64_t key = KeyOfThread(thread, i);
        if (!db->Put(rocksdb::WriteOptions(), Key(key), Value(key)).ok()) {
          ::_exit(3);
        }
        (*board)[thread].store(i + 1);
      }
    }).detach();
  }
  while ((*board)[0] < 2000) {
    std::this_thread::yield();
  }
  // What RocksDB's destructors of statics do to threads that go on is not to
  // be seen here: the handlers that were there before it are the last.
  std::exit(0);
}
const RegisterChild kPutBesideExit("put_beside_exit", &PutBesideExit);

TEST_F(ExitTest, PosixFindsAllThatThreadsPutBesideIt) {
  for (int round = 0; round < 6; ++round) {
    SCOPED_TRACE(round);
    std::filesystem::remove_all(path_);
    const std::string board_path = dir_.File("board" + std::to_string(round));
    ChildProcess child("put_beside_exit", {path_, board_path, "uringfs"});
    EXPECT_EQ(child.Wait(), 0);
    EXPECT_EQ(SideFilesIn(path_), "");
    const Board& board = *MapBoard(board_path);
    const EnvByName env("posix");
    const auto db = OpenDb(WalOnly(env.get()), path_);
    ASSERT_NE(db, nullptr);
    for (size_t thread = 0; thread < kThreads; ++thread) {
      Check(db.get(), KeyOfThread(thread, 0),
            KeyOfThread(thread, board[thread].load()));
    }
  }
}

// Closed by the destructor of an object that was there before.
struct DbOfTheProcess {
  std::unique_ptr<EnvByName> env;
  std::unique_ptr<rocksdb::DB> db;
};

int CloseByStatic(const Words& args) {
  // RocksDB's own statics are to be there before, and so to go behind.
  if (CountKeys(args.at(1), "posix") != 0) {
    return 1;
  }
  static DbOfTheProcess process;
  process.env = std::make_unique<EnvByName>("uringfs");
  process.db = OpenDb(WalOnly(process.env->get()), args.at(0));
  if (!PutKeys(process.db.get(), 0, kKeys)) {
    return 1;
  }
  std::exit(0);
}
const RegisterChild kCloseByStatic("close_by_static", &CloseByStatic);

TEST_F(ExitTest, ADatabaseThatADestructorOfAStaticClosesIsWhole) {
  ChildProcess child("close_by_static", {path_, dir_.File("other")});
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(SideFilesIn(path_), "");
  EXPECT_EQ(CountKeys(path_, "posix"), kKeys);
}

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

TEST_F(ExitTest, AWalThatIsOpenedLaterGoesToItsFileAtEachFlush) {
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

TEST_F(ExitTest, ItIsNotHeldUpForEver) {
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
TEST_F(ExitTest, ItIsNotHeldUpByATableThatIsLocked) {
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

TEST_F(ExitTest, AChildOfForkTouchesOnlyItsOwn) {
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

TEST_F(ExitTest, AModuleThatWasClosedDrainsAtExitAllTheSame) {
  ChildProcess child("leave_the_module", {dir_.File("000007.log")});
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(SideFilesIn(dir_.path()), "");
  EXPECT_EQ(ReadWholeFile(dir_.File("000007.log")),
            std::string(100000, 'a') + std::string(100000, 'b'));
}

TEST_F(ExitTest, AFileSystemThatGoesDrainsItsOwn) {
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
