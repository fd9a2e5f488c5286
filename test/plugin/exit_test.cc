// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Processes that end without closing their database, in every way a process
// can, and what plain posix finds then. README.md of the plugin has it as a
// table.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "test/plugin/db_fixture.h"
#include "test/plugin/open_wals.h"
#include "test/support/child_process.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

using Words = std::vector<std::string>;

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

}  // namespace
}  // namespace uringfs::test
