// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "plugin/live_file.h"

#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

class LiveFilesTest : public ::testing::Test {
 protected:
  std::shared_ptr<LiveFile> Open(const std::string& name) {
    std::shared_ptr<LiveFile> file;
    const Status status =
        files_.Open(dir_.File(name), LogOptions(), FileKind::kWal,
                    std::make_shared<FsStats>(), {}, &file);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return file;
  }

  test::TempDir dir_;
  LiveFiles files_;
};

TEST_F(LiveFilesTest, FilesAreFoundByEveryNameTheyHave) {
  EXPECT_EQ(files_.Find(dir_.File("a")), nullptr);
  const auto file = Open("a");
  ASSERT_EQ(::link(dir_.File("a").c_str(), dir_.File("b").c_str()), 0);
  EXPECT_EQ(files_.Find(dir_.File("a")), file);
  EXPECT_EQ(files_.Find(dir_.File("b")), file);
  EXPECT_EQ(files_.Find(dir_.File("c")), nullptr);
  const auto other = Open("c");
  EXPECT_EQ(files_.Find(dir_.File("c")), other);
  files_.Remove(*file);
  EXPECT_EQ(files_.Find(dir_.File("a")), nullptr);
  EXPECT_EQ(files_.Find(dir_.File("c")), other);
}

TEST_F(LiveFilesTest, AClosedOrDetachedFileIsNotFound) {
  const auto closed = Open("a");
  EXPECT_TRUE(closed->Close().ok());
  EXPECT_EQ(files_.Find(dir_.File("a")), nullptr);
  const auto detached = Open("b");
  files_.Detach(dir_.File("b"));
  EXPECT_TRUE(detached->plain());
  EXPECT_EQ(files_.Find(dir_.File("b")), nullptr);
  uint64_t size = 0;
  Status status;
  EXPECT_FALSE(detached->ReadableSize(&size, &status));
}

TEST_F(LiveFilesTest, WalsBesideAreWrittenOut) {
  const auto wal = Open("000001.log");
  const auto other = Open("other");
  for (const auto& file : {wal, other}) {
    ASSERT_TRUE(file->log()->Append("123").ok());
  }
  std::string reason;
  const auto leave = [&](const std::string& path) {
    return files_.LeaveSideFilesBeside(path, &reason).ok();
  };
  EXPECT_TRUE(leave(dir_.File("below/000002.log")));
  EXPECT_EQ(wal->log()->hi_written(), 0u);
  EXPECT_TRUE(leave(dir_.File("000002.log")));
  // Durably, so that power loss leaves no gap in front of the next one.
  EXPECT_EQ(wal->log()->hi_stable(), 3u);
  EXPECT_EQ(other->log()->hi_written(), 0u);
  EXPECT_TRUE(wal->Close().ok());
  EXPECT_TRUE(leave(dir_.File("000002.log")));
}

TEST_F(LiveFilesTest, ADetachedFileIsHeldUntilItIsRemoved) {
  EXPECT_FALSE(files_.Holds(dir_.File("a")));
  const auto file = Open("a");
  EXPECT_TRUE(files_.Holds(dir_.File("a")));
  EXPECT_FALSE(files_.Holds(dir_.File("b")));
  EXPECT_TRUE(files_.HoldsAnyBeside(dir_.File("b")));
  EXPECT_FALSE(files_.HoldsAnyBeside(dir_.File("below/b")));
  EXPECT_FALSE(files_.HoldsAnyBeside("b"));
  files_.Detach(dir_.File("a"));
  EXPECT_TRUE(files_.Holds(dir_.File("a")));
  files_.Remove(*file);
  EXPECT_FALSE(files_.Holds(dir_.File("a")));
  EXPECT_FALSE(files_.HoldsAnyBeside(dir_.File("a")));
}

TEST_F(LiveFilesTest, ReadableSizeCoversEveryAppendThatReturned) {
  const auto file = Open("a");
  uint64_t size = 1;
  Status status;
  EXPECT_TRUE(file->ReadableSize(&size, &status));
  EXPECT_EQ(size, 0u);
  EXPECT_TRUE(file->log()->Append("12345").ok());
  EXPECT_TRUE(file->ReadableSize(&size, &status));
  EXPECT_EQ(size, 5u);
  EXPECT_EQ(test::ReadWholeFile(dir_.File("a")).substr(0, 5), "12345");
  EXPECT_TRUE(file->Settle().ok());
  EXPECT_EQ(test::ReadWholeFile(dir_.File("a")), "12345");
  EXPECT_TRUE(file->log()->Truncate(2).ok());
  EXPECT_TRUE(file->ReadableSize(&size, &status));
  EXPECT_EQ(size, 2u);
}

TEST_F(LiveFilesTest, WhoCanOpenAFileCanFindIt) {
  // A reader that sees the file before it is registered would read raw bytes.
  constexpr int kFiles = 300;
  const auto name = [](int i) {
    return std::string("f").append(std::to_string(i));
  };
  std::atomic<int> seen{0};
  std::thread opener([&] {
    for (int i = 0; i < kFiles; ++i) {
      const auto file = Open(name(i));
      while (seen.load() <= i) {
        std::this_thread::yield();
      }
      files_.Remove(*file);
    }
  });
  for (int i = 0; i < kFiles; ++i) {
    const std::string path = dir_.File(name(i));
    while (::access(path.c_str(), F_OK) != 0) {
    }
    EXPECT_NE(files_.Find(path), nullptr) << path;
    seen.store(i + 1);
  }
  opener.join();
}

}  // namespace
}  // namespace uringfs
