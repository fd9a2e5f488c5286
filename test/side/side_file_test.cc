// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Life of side files on a real disk: made, left, gone; and what a log does
// that cannot have one.

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "test/log/fake_log.h"
#include "test/side/shared_rings.h"
#include "test/side/side_image.h"

#include "gtest/gtest.h"
#include "uringfs/log_store.h"
#include "uringfs/recovery.h"

namespace uringfs {
namespace {

using test::DirectoryForAll;
using test::Exists;
using test::InodeOf;
using test::Random;
using test::ReadWholeFile;
using test::SharedRing;
using test::SideImage;
using test::StreamBytes;
using test::TempDir;

class SideFileTest : public testing::Test {
 protected:
  void SetUp() override { URINGFS_SKIP_WITHOUT_SHARED_RINGS(dir_.path()); }

  std::unique_ptr<LogStore> MustOpen(const std::string& name,
                                     LogOptions options = SharedRing()) {
    std::unique_ptr<LogStore> log;
    const Status status = LogStore::Open(dir_.File(name), options, &log);
    EXPECT_TRUE(status.ok()) << status.ToString();
    if (log != nullptr) {
      EXPECT_TRUE(log->io_choice().uses_shared_ring)
          << log->io_choice().ToString();
    }
    return log;
  }
  std::string Side(const std::string& name) {
    return SideFilePath(dir_.File(name));
  }

  TempDir dir_;
};

TEST_F(SideFileTest, TheSideFileHasTheModeOfItsLogAndIsGoneAfterClose) {
  auto log = MustOpen("a.log");
  struct stat found = {};
  struct stat of_log = {};
  ASSERT_EQ(::stat(Side("a.log").c_str(), &found), 0);
  ASSERT_EQ(::stat(dir_.File("a.log").c_str(), &of_log), 0);
  EXPECT_EQ(found.st_mode, of_log.st_mode);
  ASSERT_TRUE(log->Append(StreamBytes(0, 100000)).ok());
  ASSERT_TRUE(log->Flush().ok());
  ASSERT_TRUE(log->Close().ok());
  EXPECT_FALSE(Exists(Side("a.log")));
  EXPECT_EQ(ReadWholeFile(dir_.File("a.log")), StreamBytes(0, 100000));
}

TEST_F(SideFileTest, ShortLogsOfAnyLengthAreExact) {
  for (uint64_t bytes : {1, 4095, 4096, 4097, 65535, 65536, 65537, 70000}) {
    auto log = MustOpen("a.log", SharedRing(64 * 1024, 4));
    ASSERT_TRUE(log->Append(StreamBytes(0, bytes)).ok());
    ASSERT_TRUE(log->Close().ok());
    EXPECT_EQ(log->hi_written(), bytes);
    EXPECT_EQ(ReadWholeFile(dir_.File("a.log")), StreamBytes(0, bytes));
    EXPECT_FALSE(Exists(Side("a.log")));
  }
}

TEST_F(SideFileTest, EachLogHasOneOfItsOwnWhichGoesWithIt) {
  auto first = MustOpen("1.log");
  auto second = MustOpen("2.log");
  EXPECT_NE(InodeOf(Side("2.log")), InodeOf(Side("1.log")));
  ASSERT_TRUE(first->Append("first").ok());
  ASSERT_TRUE(first->LeaveSideFile().ok());
  EXPECT_TRUE(Exists(Side("1.log"))) << "it tells how long the log was";
  ASSERT_TRUE(first->Close().ok());
  EXPECT_FALSE(Exists(Side("1.log")));
  EXPECT_TRUE(Exists(Side("2.log")));
  ASSERT_TRUE(second->Close().ok());
  EXPECT_FALSE(Exists(Side("2.log")));
}

TEST_F(SideFileTest, AFileThatCannotBeRemovedWhenTheProcessEnds) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can take rights away";
  }
  const std::string shared = DirectoryForAll(dir_);
  int opened[2];
  int closed_to_it[2];
  ASSERT_EQ(::pipe(opened), 0);
  ASSERT_EQ(::pipe(closed_to_it), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    char byte = 0;
    std::unique_ptr<LogStore> log;
    const bool is_good =
        ::setgid(65534) == 0 && ::setuid(65534) == 0 &&
        LogStore::Open(shared + "/a.log", SharedRing(), &log).ok() &&
        log->Append(StreamBytes(0, 5000)).ok() && log->Flush().ok() &&
        ::write(opened[1], &byte, 1) == 1 &&
        ::read(closed_to_it[0], &byte, 1) == 1 &&
        log->SettleForGood(std::chrono::seconds(20)).ok() &&
        log->Append(StreamBytes(5000, 5000)).ok() && log->Flush().ok();
    ::_exit(is_good ? 0 : 1);
  }
  ::close(opened[1]);
  char byte = 0;
  ASSERT_EQ(::read(opened[0], &byte, 1), 1);
  ASSERT_EQ(::chmod(shared.c_str(), 0755), 0);
  ASSERT_EQ(::write(closed_to_it[1], &byte, 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(ReadWholeFile(shared + "/a.log") == StreamBytes(0, 10000));
  EXPECT_FALSE(SideImage(shared + "/a.log").is_live());
}

// By which rsync knows that it has changed, within one second.
TEST_F(SideFileTest, WhatIsFlushedChangesItsSize) {
  auto log = MustOpen("a.log");
  const auto size = [&] { return std::filesystem::file_size(Side("a.log")); };
  const auto at_first = size();
  std::set<uintmax_t> sizes;
  for (uint64_t bytes = 0; sizes.size() < 10; bytes += 10) {
    ASSERT_TRUE(log->Append(StreamBytes(bytes, 10)).ok());
    ASSERT_TRUE(log->Flush().ok());
    sizes.insert(size());
    std::this_thread::yield();
  }
  EXPECT_GE(*sizes.begin(), at_first);
  EXPECT_LT(*sizes.rbegin(), at_first + kSideTailLimit);
  const SideImage side(dir_.File("a.log"));
  EXPECT_EQ(side.Recover(ReadWholeFile(dir_.File("a.log"))),
            StreamBytes(0, log->size()));
  ASSERT_TRUE(log->Close().ok());
}

TEST_F(SideFileTest, AnotherGeometryGetsAFileOfItsOwn) {
  auto first = MustOpen("1.log");
  auto second = MustOpen("2.log", SharedRing(8192, 4));
  ASSERT_TRUE(first->Close().ok());
  auto third = MustOpen("3.log", SharedRing(16384, 2));
  ASSERT_TRUE(third->Append(StreamBytes(0, 200000)).ok());
  ASSERT_TRUE(third->Close().ok());
  ASSERT_TRUE(second->Close().ok());
  EXPECT_FALSE(Exists(Side("1.log")));
  EXPECT_EQ(ReadWholeFile(dir_.File("3.log")), StreamBytes(0, 200000));
}

TEST_F(SideFileTest, AReplacedLogDoesNotTakeTheNewSideFileAway) {
  auto old = MustOpen("a.log");
  ASSERT_TRUE(old->Append("old").ok());
  auto replacement = MustOpen("a.log");
  ASSERT_TRUE(replacement->Append("new").ok());
  ASSERT_TRUE(replacement->Flush().ok());
  ASSERT_TRUE(old->Close().ok());
  // The image first: then the file has all below its `written`.
  EXPECT_EQ(
      SideImage(dir_.File("a.log")).Recover(ReadWholeFile(dir_.File("a.log"))),
      "new");
  ASSERT_TRUE(replacement->Close().ok());
  EXPECT_EQ(ReadWholeFile(dir_.File("a.log")), "new");
  EXPECT_FALSE(Exists(Side("a.log")));
}

TEST_F(SideFileTest, AResumedLogIsRecoveredFirst) {
  const std::string path = dir_.File("a.log");
  {
    auto log = MustOpen("a.log");
    ASSERT_TRUE(log->Append(StreamBytes(0, 10000)).ok());
    ASSERT_TRUE(log->Close().ok());
  }
  LogOptions resume = SharedRing();
  resume.open_mode = OpenMode::kResume;
  auto log = MustOpen("a.log", resume);
  EXPECT_EQ(log->size(), 10000u);
  ASSERT_TRUE(log->Append(StreamBytes(10000, 10)).ok());
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(SideImage(path).filled(), 10010u);
  std::unique_ptr<LogStore> second;
  const Status status = LogStore::Open(path, resume, &second);
  EXPECT_FALSE(status.ok()) << "another writer has it";
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(ReadWholeFile(path), StreamBytes(0, 10010));
}

// Nobody would recover it.
TEST_F(SideFileTest, ALogByASymbolicLinkHasAPrivateRing) {
  for (const uint64_t small : {0u, 100u}) {
    std::ofstream(dir_.File("target"), std::ios::trunc);
    std::filesystem::create_symlink(dir_.File("target"), dir_.File("a.log"));
    LogOptions options = SharedRing();
    options.shared_ring_after_bytes = small;
    std::unique_ptr<LogStore> log;
    ASSERT_TRUE(LogStore::Open(dir_.File("a.log"), options, &log).ok());
    ASSERT_TRUE(log->Append(StreamBytes(0, 9000)).ok());
    EXPECT_TRUE(log->io_choice().lost_shared_ring);
    EXPECT_FALSE(Exists(Side("a.log")));
    ASSERT_TRUE(log->Flush().ok());
    EXPECT_EQ(ReadWholeFile(dir_.File("target")).substr(0, 9000),
              StreamBytes(0, 9000));
    ASSERT_TRUE(log->Close().ok());
    std::filesystem::remove(dir_.File("a.log"));
  }
}

TEST_F(SideFileTest, SomebodyElsesLogHasAPrivateRing) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can open what is somebody else's";
  }
  std::ofstream(dir_.File("a.log")) << "12345";
  ASSERT_EQ(::chown(dir_.File("a.log").c_str(), 65534, 65534), 0);
  LogOptions resume = SharedRing();
  resume.open_mode = OpenMode::kResume;
  std::unique_ptr<LogStore> log;
  ASSERT_TRUE(LogStore::Open(dir_.File("a.log"), resume, &log).ok());
  EXPECT_TRUE(log->io_choice().lost_shared_ring);
}

// A child of fork has the descriptor, and would go on holding the lock.
TEST_F(SideFileTest, AClosedLogIsFreeThoughAChildLives) {
  auto log = MustOpen("a.log");
  ASSERT_TRUE(log->Append("12345").ok());
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::close(pipe[1]);
    (void)!::read(pipe[0], &byte, 1);
    ::_exit(0);
  }
  ASSERT_TRUE(log->Close().ok());
  LogOptions resume = SharedRing();
  resume.open_mode = OpenMode::kResume;
  std::unique_ptr<LogStore> again;
  const Status status = LogStore::Open(dir_.File("a.log"), resume, &again);
  EXPECT_TRUE(status.ok()) << status.ToString();
  ::close(pipe[1]);
  ::close(pipe[0]);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST_F(SideFileTest, WithoutASideFileTheRingIsPrivateAndSaysWhy) {
  // A directory stands where the side file would be.
  ASSERT_EQ(::mkdir(Side("a.log").c_str(), 0700), 0);
  std::unique_ptr<LogStore> log;
  ASSERT_TRUE(LogStore::Open(dir_.File("a.log"), SharedRing(), &log).ok());
  EXPECT_FALSE(log->io_choice().uses_shared_ring);
  EXPECT_NE(log->io_choice().reason.find("private ring"), std::string::npos)
      << log->io_choice().reason;
  ASSERT_TRUE(log->Append(StreamBytes(0, 100000)).ok());
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(log->hi_written(), 100000u) << "as a private ring does";
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(ReadWholeFile(dir_.File("a.log")), StreamBytes(0, 100000));
}

TEST_F(SideFileTest, AViewFollowsALogThatIsWritten) {
  auto log = MustOpen("a.log", SharedRing(8192, 3));
  constexpr uint64_t kBytes = 6 << 20;
  const std::string stream = StreamBytes(0, kBytes);
  std::thread writer([&] {
    Random random(5);
    for (uint64_t at = 0; at < kBytes;) {
      const uint64_t bytes = std::min(kBytes - at, random.LogUniform(1, 30000));
      ASSERT_TRUE(log->Append(stream.substr(at, bytes)).ok());
      at += bytes;
      ASSERT_TRUE(log->Flush().ok());
    }
    ASSERT_TRUE(log->Close().ok());
  });
  std::unique_ptr<LogView> view;
  ASSERT_TRUE(LogView::Open(dir_.File("a.log"), nullptr, &view).ok());
  std::string seen;
  std::string piece(32768, '\0');
  while (seen.size() < kBytes) {
    uint64_t size = 0;
    ASSERT_TRUE(view->Size(&size).ok());
    ASSERT_GE(size, seen.size());
    size_t got = 0;
    ASSERT_TRUE(view->Read(seen.size(), piece.size(), piece.data(), &got).ok());
    ASSERT_EQ(piece.compare(0, got, stream, seen.size(), got), 0)
        << "at " << seen.size();
    seen.append(piece, 0, got);
  }
  writer.join();
}

}  // namespace
}  // namespace uringfs
