// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Life of side files on a real disk: made, handed on, gone; and what a log does
// that cannot have one.

#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <thread>

#include "test/log/fake_log.h"
#include "test/log/side_image.h"

#include "gtest/gtest.h"
#include "uringfs/log_store.h"
#include "uringfs/recovery.h"

namespace uringfs {
namespace {

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

TEST_F(SideFileTest, TheSideFileIsPrivateAndGoneAfterClose) {
  auto log = MustOpen("a.log");
  struct stat found = {};
  ASSERT_EQ(::stat(Side("a.log").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0600u);
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

TEST_F(SideFileTest, TheNextLogTakesTheSideFileOver) {
  auto first = MustOpen("1.log");
  const ino_t inode = InodeOf(Side("1.log"));
  auto second = MustOpen("2.log");
  EXPECT_NE(InodeOf(Side("2.log")), inode);
  ASSERT_TRUE(first->Append("first").ok());
  ASSERT_TRUE(first->Close().ok());
  auto third = MustOpen("3.log");
  EXPECT_EQ(InodeOf(Side("3.log")), inode);
  EXPECT_FALSE(Exists(Side("1.log")));
  ASSERT_TRUE(third->Append("third").ok());
  ASSERT_TRUE(third->Flush().ok());
  EXPECT_EQ(SideImage(dir_.File("3.log")).Recover(""), "third");
  ASSERT_TRUE(second->Close().ok());
  EXPECT_TRUE(Exists(Side("2.log"))) << "kept for the next one";
  ASSERT_TRUE(third->Close().ok());
  EXPECT_FALSE(Exists(Side("2.log"))) << "the last one takes all along";
  EXPECT_FALSE(Exists(Side("3.log")));
  EXPECT_EQ(ReadWholeFile(dir_.File("3.log")), "third");
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
  EXPECT_EQ(SideImage(dir_.File("a.log")).Recover(""), "new");
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
  ASSERT_TRUE(LogView::Open(dir_.File("a.log"), &view).ok());
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
