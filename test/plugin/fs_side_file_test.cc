// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// WALs with side files beside closes, forks, kills and other users: single
// calls of the file system. Whole databases: db_side_file_test.cc.

#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "plugin/live_file.h"
#include "test/plugin/fs_fixture.h"
#include "test/support/child_process.h"

#include "gmock/gmock.h"
#include "uringfs/recovery.h"

namespace uringfs::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Empty if there is none. gtest would print all of them.
std::string Difference(const std::string& got, const std::string& expected) {
  if (got == expected) {
    return "";
  }
  const auto at =
      std::mismatch(got.begin(), got.end(), expected.begin(), expected.end());
  return std::to_string(got.size()) + " bytes, not " +
         std::to_string(expected.size()) + ", alike up to " +
         std::to_string(at.first - got.begin());
}

class FsSideFileTest : public FsFixture {
 protected:
  const std::string name_ = "000004.log";
  const std::string side_ = SideFilePath(Path(name_));

  void SetUp() override {
    fs_ = MakeFs("uringfs_ring");
    const File probe = Create("000001.log");
    if (!std::filesystem::exists(SideFilePath(Path("000001.log")))) {
      GTEST_SKIP() << "no shared rings on this file system";
    }
    Close(probe);
    Delete("000001.log");
    fs_ = MakeFs(GetParam());
  }

  void Delete(const std::string& name) {
    const auto status = fs_->DeleteFile(Path(name), io_, nullptr);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  void Flush(const File& file) {
    const auto status = file->Flush(io_, nullptr);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
};

INSTANTIATE_TEST_SUITE_P(All, FsSideFileTest,
                         ::testing::Values("uringfs_ring", "uringfs"),
                         [](const auto& param) { return param.param; });

TEST_P(FsSideFileTest, ALogIsRenamedOrReusedBesideItsClose) {
  const std::string next_name = "000005.log";
  for (int round = 0; round < 600; ++round) {
    SCOPED_TRACE(round);
    // Below and above the length from which on it has a side file anyhow.
    const std::string bytes = Pattern(round % 3 == 0 ? 70000 : 500);
    const File old = Create(name_);
    Append(old, bytes);
    Flush(old);
    std::atomic<int> ready{0};
    rocksdb::IOStatus closed;
    std::thread closer([&] {
      ready.fetch_add(1);
      while (ready.load() < 2) {
      }
      closed = old->Close(io_, nullptr);
    });
    while (ready.load() < 1) {
    }
    ready.fetch_add(1);
    // To meet the close at all its points, one round or another.
    for (std::atomic<int> spin{round % 200 * 50}; spin.load() > 0; --spin) {
    }
    File next;
    const bool reuse = round % 2 == 0;
    const rocksdb::IOStatus status =
        reuse ? fs_->ReuseWritableFile(Path(next_name), Path(name_),
                                       file_options_, &next, nullptr)
              : fs_->RenameFile(Path(name_), Path(next_name), io_, nullptr);
    closer.join();
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_TRUE(closed.ok()) << closed.ToString();
    if (reuse) {
      Append(next, "next");
      Close(next);
    }
    EXPECT_FALSE(std::filesystem::exists(Path(name_)));
    ASSERT_EQ(
        Difference(ReadWholeFile(Path(next_name)), reuse ? "next" : bytes), "");
    Delete(next_name);
    ASSERT_TRUE(std::filesystem::is_empty(dir_.path()));
  }
}

// Between the making of its side file and the taking of it, a log looks as if
// it were nobody's. Its own process must not wait for itself to let go of it.
TEST_P(FsSideFileTest, AnOpenLogIsNoneToRecoverWhateverItsSideFileSays) {
  fs_ = MakeUringFs();
  const File live = Create(name_);
  Append(live, Pattern(500));
  Flush(live);
  ASSERT_FALSE(std::filesystem::exists(side_));
  std::ofstream(side_) << std::string(8192, '\0');

  // Another database is opened: from here on directories are looked at anew.
  std::filesystem::create_directory(Path("other"));
  rocksdb::FileLock* lock = nullptr;
  ASSERT_TRUE(fs_->LockFile(Path("other/LOCK"), io_, &lock, nullptr).ok());
  ASSERT_TRUE(fs_->UnlockFile(lock, io_, nullptr).ok());
  File next;
  const auto status =
      fs_->NewWritableFile(Path("000005.log"), file_options_, &next, nullptr);
  EXPECT_TRUE(status.ok()) << status.ToString();
  Append(live, Pattern(200000));
  Close(live);
  EXPECT_EQ(
      Difference(ReadWholeFile(Path(name_)), Pattern(500) + Pattern(200000)),
      "");
}

// A WAL that was synced often has zeros ahead, and gets more in the background:
// not where somebody else writes by now.
TEST_P(FsSideFileTest, WhoReopensALogLosesNothingToZeros) {
  UringFsOptions options;
  options.wal_ring_after_bytes = 0;
  options.wal_preextend = WalPreextend::kOn;
  fs_ = MakeUringFs(options);
  const File first = Create(name_);
  std::string all;
  for (int i = 0; i < 200; ++i) {
    const std::string piece(1000, static_cast<char>('a' + i % 26));
    all += piece;
    Append(first, piece);
    ASSERT_TRUE(first->Sync(io_, nullptr).ok());
  }
  File second;
  ASSERT_TRUE(
      fs_->ReopenWritableFile(Path(name_), file_options_, &second, nullptr)
          .ok());
  const std::string more = Pattern(200000);
  Append(second, more);
  ASSERT_TRUE(second->Sync(io_, nullptr).ok());
  // As long as the background thread could take to do harm.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(Difference(ReadWholeFile(Path(name_)), all + more), "");
}

// Kills the process behind the first call that takes a file its name away.
class KillingFs : public rocksdb::FileSystemWrapper {
 public:
  KillingFs() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "KillingFs"; }
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) override {
    rocksdb::IOStatus status = target()->RenameFile(from, to, options, dbg);
    ::raise(SIGKILL);
    return status;
  }
  rocksdb::IOStatus DeleteFile(const std::string& path,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) override {
    rocksdb::IOStatus status = target()->DeleteFile(path, options, dbg);
    ::raise(SIGKILL);
    return status;
  }
};

constexpr size_t kLiveBytes = 300000;

// Args: directory. Killed while 000004.log becomes 000006.log, and 000005.log
// has kLiveBytes that are flushed.
int ReuseAndDie(const std::vector<std::string>& args) {
  std::shared_ptr<rocksdb::FileSystem> fs;
  const rocksdb::FileOptions options;
  const rocksdb::IOOptions io;
  std::unique_ptr<rocksdb::FSWritableFile> old;
  std::unique_ptr<rocksdb::FSWritableFile> live;
  std::unique_ptr<rocksdb::FSWritableFile> next;
  const std::string dir = args.at(0) + "/";
  const bool good =
      NewUringFileSystem(std::make_shared<KillingFs>(), UringFsOptions(), &fs)
          .ok() &&
      fs->NewWritableFile(dir + "000004.log", options, &old, nullptr).ok() &&
      old->Append("old", io, nullptr).ok() && old->Close(io, nullptr).ok() &&
      fs->NewWritableFile(dir + "000005.log", options, &live, nullptr).ok() &&
      live->Append(Pattern(kLiveBytes), io, nullptr).ok() &&
      live->Flush(io, nullptr).ok() &&
      fs->ReuseWritableFile(dir + "000006.log", dir + "000004.log", options,
                            &next, nullptr)
          .ok();
  return good ? ::raise(SIGKILL) : 1;
}
const RegisterChild kReuseAndDie("reuse_and_die", &ReuseAndDie);

TEST_P(FsSideFileTest, AKillWhileALogIsReusedLosesNothingOfTheOneBefore) {
  ChildProcess child("reuse_and_die", {dir_.path()});
  ASSERT_EQ(child.Wait(), -SIGKILL);
  EXPECT_EQ(Difference(ReadAll("000005.log"), Pattern(kLiveBytes)), "");
  MakeDatabase();
  rocksdb::FileLock* lock = nullptr;
  const auto status = fs_->LockFile(Path("LOCK"), io_, &lock, nullptr);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_TRUE(fs_->UnlockFile(lock, io_, nullptr).ok());
  EXPECT_EQ(Difference(ReadWholeFile(Path("000005.log")), Pattern(kLiveBytes)),
            "");
  EXPECT_FALSE(std::filesystem::exists(SideFilePath(Path("000005.log"))));
  // Over old records under a new number RocksDB 7.8 loops for ever when it may
  // skip what does not fit: the only mode in which it reuses logs.
  std::error_code missing;
  const auto bytes = std::filesystem::file_size(Path("000006.log"), missing);
  EXPECT_TRUE(missing || bytes == 0) << bytes;
}

// A child of fork that lives on without exec, and looks when it is told to.
class ForkedChild {
 public:
  // `look` returns 0 if all is as it should be.
  template <class Look>
  explicit ForkedChild(const Look& look) {
    EXPECT_EQ(::pipe(go_.data()), 0);
    EXPECT_EQ(::pipe(seen_.data()), 0);
    pid_ = ::fork();
    if (pid_ != 0) {
      ::close(seen_[1]);  // so that a child that is gone ends its pipe
      return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    char step = 0;
    while (::read(go_[0], &step, 1) == 1) {
      const int wrong = look(step);
      if (wrong != 0 || ::write(seen_[1], &step, 1) != 1) {
        ::_exit(wrong);
      }
    }
    ::_exit(126);
  }
  ~ForkedChild() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(go_[0]);
    ::close(go_[1]);
    ::close(seen_[0]);
  }
  ForkedChild(const ForkedChild&) = delete;
  ForkedChild& operator=(const ForkedChild&) = delete;

  // Lets it look, and waits for it. Its exit code, or 0 if it lives on.
  int Look(char step) {
    char seen = 0;
    int outcome = 0;
    if (pid_ < 0 || ::write(go_[1], &step, 1) != 1) {
      return 127;
    }
    if (::read(seen_[0], &seen, 1) == 1) {
      return 0;
    }
    ::waitpid(pid_, &outcome, 0);
    pid_ = -1;
    return WIFEXITED(outcome) ? WEXITSTATUS(outcome) : -WTERMSIG(outcome);
  }

 private:
  std::array<int, 2> go_ = {-1, -1};
  std::array<int, 2> seen_ = {-1, -1};
  pid_t pid_ = -1;
};

bool Sees(rocksdb::FileSystem* fs, const std::string& path,
          const std::string& expected) {
  uint64_t size = 0;
  std::string all;
  return fs->GetFileSize(path, rocksdb::IOOptions(), &size, nullptr).ok() &&
         size == expected.size() &&
         rocksdb::ReadFileToString(fs, path, &all).ok() && all == expected;
}

TEST_P(FsSideFileTest, AChildOfForkSeesWhatItsParentHasFlushed) {
  // Before the fork: without a side file, but for "uringfs_ring", and with one.
  for (const size_t before : {300, 100000}) {
    SCOPED_TRACE(before);
    const std::vector<size_t> ends = {before,  before + 1, 120000,
                                      3000000, 3000007,    3500000};
    const std::string bytes = Pattern(ends.back());
    const File file = Create(name_);
    Append(file, bytes.substr(0, before));
    Flush(file);
    std::shared_ptr<rocksdb::FileSystem> own;
    ForkedChild child([&](char step) {
      // It takes none of its parent's objects but the one it is to try.
      own = own ? own : MakeFs(GetParam());
      const std::string expected =
          bytes.substr(0, ends[static_cast<size_t>(step)]);
      return (Sees(fs_.get(), Path(name_), expected) ? 0 : 1) +
             (Sees(own.get(), Path(name_), expected) ? 0 : 2);
    });
    for (size_t step = 0; step < ends.size(); ++step) {
      if (step > 0) {
        Append(file, bytes.substr(ends[step - 1], ends[step] - ends[step - 1]));
        Flush(file);
      }
      ASSERT_EQ(child.Look(static_cast<char>(step)), 0)
          << "step " << step << "; 1: by the inherited one, 2: by its own";
    }
    Close(file);
    EXPECT_EQ(child.Look(static_cast<char>(ends.size() - 1)), 0) << "closed";
    EXPECT_EQ(Difference(ReadWholeFile(Path(name_)), bytes), "");
    Delete(name_);
  }
}

// Args: WAL, bytes of Pattern() that it should have. Prints the errors.
constexpr int kNoWayThere = 77;
int ReadAsNobody(const std::vector<std::string>& args) {
  const uid_t nobody = 65534;
  if (::setgroups(0, nullptr) != 0 || ::setgid(nobody) != 0 ||
      ::setuid(nobody) != 0) {
    return 2;
  }
  struct stat there = {};
  if (::stat(args.at(0).c_str(), &there) != 0) {
    return kNoWayThere;
  }
  const auto fs = MakeFs("uringfs");
  uint64_t size = 0;
  std::string all;
  const rocksdb::Status sized =
      fs->GetFileSize(args[0], rocksdb::IOOptions(), &size, nullptr);
  const rocksdb::Status read =
      rocksdb::ReadFileToString(fs.get(), args[0], &all);
  // RocksDB passes over logs that it cannot open, unless it is told not to.
  std::vector<std::string> names;
  const rocksdb::Status listed =
      fs->GetChildren(args[0].substr(0, args[0].find_last_of('/')),
                      rocksdb::IOOptions(), &names, nullptr);
  std::cout << "size: " << sized.ToString() << "\nread: " << read.ToString()
            << "\nlist: " << listed.ToString() << std::endl;
  if (!sized.ok() && !read.ok() && !listed.ok()) {
    return 3;
  }
  const std::string expected = Pattern(std::stoull(args.at(1)));
  return sized.ok() && read.ok() && listed.ok() && size == expected.size() &&
                 all == expected
             ? 0
             : 1;
}
const RegisterChild kReadAsNobody("read_as_nobody", &ReadAsNobody);

// Args: WAL, its place in the archive. Makes it as root, and archives it as
// somebody else, who may not take its mark off.
int ArchiveAsNobody(const std::vector<std::string>& args) {
  const uid_t nobody = 65534;
  const auto fs = MakeFs("uringfs");
  std::unique_ptr<rocksdb::FSWritableFile> file;
  const rocksdb::IOOptions options;
  const bool is_made =
      fs->NewWritableFile(args.at(0), rocksdb::FileOptions(), &file, nullptr)
          .ok() &&
      file->Append(Pattern(70001), options, nullptr).ok() &&
      file->Flush(options, nullptr).ok() && ::setgid(nobody) == 0 &&
      ::setuid(nobody) == 0;
  return is_made && file->Close(options, nullptr).ok() &&
                 fs->RenameFile(args[0], args.at(1), options, nullptr).ok()
             ? 0
             : 1;
}
const RegisterChild kArchiveAsNobody("archive_as_nobody", &ArchiveAsNobody);

TEST_P(FsSideFileTest, AnArchivedLogIsWholeThoughItsMarkStays) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can be somebody else";
  }
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0777), 0);
  const std::string archived = Path("archive/" + name_);
  std::filesystem::create_directory(Path("archive"));
  ASSERT_EQ(::chmod(Path("archive").c_str(), 0777), 0);
  ChildProcess child("archive_as_nobody", {Path(name_), archived});
  EXPECT_EQ(child.Wait(), 0) << child.ReadAll();
  EXPECT_FALSE(LacksSideFile(archived));
  std::string bytes;
  EXPECT_TRUE(rocksdb::ReadFileToString(fs_.get(), archived, &bytes).ok());
  EXPECT_EQ(Difference(bytes, Pattern(70001)), "");
  Delete("archive/" + name_);
  EXPECT_FALSE(std::filesystem::exists(SideFilePath(archived)));
}

TEST_P(FsSideFileTest, ALinkOfAnOpenLogHasNoSideFile) {
  const File file = Create(name_);
  Append(file, Pattern(70001));
  Flush(file);
  ASSERT_TRUE(std::filesystem::exists(side_));
  std::filesystem::create_directory(Path("shipped"));
  const std::string link = Path("shipped/" + name_);
  ASSERT_TRUE(
      fs_->LinkFile(Path(name_), link, rocksdb::IOOptions(), nullptr).ok());
  EXPECT_FALSE(std::filesystem::exists(SideFilePath(link)));
}

// RocksDB may make the next WAL long before it needs it (async_wal_precreate),
// and write to this one until then (manual_wal_flush).
TEST_P(FsSideFileTest, ALogStaysInItsRingUntilTheNextHasARecord) {
  const auto stable = [this](const std::string& name) {
    return LiveFiles::OfProcess().Find(Path(name))->log()->hi_stable();
  };
  const File file = Create(name_);
  Append(file, Pattern(70001));
  Flush(file);
  const File next = Create("000007.log");
  Append(file, Pattern(70001));
  Flush(file);
  EXPECT_EQ(stable(name_), 0u) << "a flush waits for the device";
  // Durably, so that power loss leaves no gap in front of the next one.
  Append(next, "x");
  EXPECT_EQ(stable(name_), 140002u);
  // That one has a ring of its own, whatever is made ahead of time.
  const File later = Create("000008.log");
  Append(next, Pattern(70001));
  Flush(next);
  EXPECT_EQ(stable("000007.log"), 0u);
  // RocksDB may pass over it before that one has a record.
  // The tag may have been lost on the way here.
  for (const auto type : {rocksdb::IOType::kManifest, rocksdb::IOType::kUnknown,
                          rocksdb::IOType::kUnknown}) {
    Append(next, "y");
    Flush(next);
    rocksdb::FileOptions options;
    options.io_options.type = type;
    File manifest;
    const std::string path = Path("MANIFEST-000009");
    ASSERT_TRUE(
        (std::filesystem::exists(path)
             ? fs_->ReopenWritableFile(path, options, &manifest, nullptr)
             : fs_->NewWritableFile(path, options, &manifest, nullptr))
            .ok());
    Append(manifest, "x");
    const auto log = LiveFiles::OfProcess().Find(Path("000007.log"))->log();
    EXPECT_EQ(log->hi_written(), log->size());
  }
}

// Whoever may read a WAL may read what is beside it.
TEST_P(FsSideFileTest, AnotherUserReadsAnOpenWal) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can be somebody else";
  }
  const size_t bytes = 70001;
  const std::vector<std::string> args = {Path(name_), std::to_string(bytes)};
  const File file = Create(name_);
  Append(file, Pattern(bytes));
  Flush(file);
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(Path(name_).c_str(), 0644), 0);
  ASSERT_TRUE(std::filesystem::exists(side_));
  {
    ChildProcess beside("read_as_nobody", args);
    const std::string told = beside.ReadAll();
    if (beside.Wait() == kNoWayThere) {
      GTEST_SKIP() << "no way for others to " << dir_.path();
    }
    EXPECT_EQ(beside.Wait(), 0) << told;
  }
  // Who may not, because somebody has changed that, is told so.
  ASSERT_EQ(::chmod(side_.c_str(), 0600), 0);
  ChildProcess beside("read_as_nobody", args);
  const std::string told = beside.ReadAll();
  EXPECT_EQ(beside.Wait(), 3) << told;
  const std::string of_size = told.substr(0, told.find('\n'));
  const std::string of_read = told.substr(of_size.size());
  EXPECT_THAT(of_size, HasSubstr(side_));
  EXPECT_THAT(of_read, HasSubstr(side_));
  EXPECT_THAT(of_read, HasSubstr("Permission denied"));
  Close(file);
  ChildProcess behind("read_as_nobody", args);
  EXPECT_THAT(behind.ReadAll(), Not(HasSubstr(side_)));
  EXPECT_EQ(behind.Wait(), 0);
}

}  // namespace
}  // namespace uringfs::test
