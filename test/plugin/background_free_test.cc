// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The name of a deleted file is gone at once; its blocks follow, and are back
// where somebody counts on that.

#include "plugin/background_free.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "test/plugin/file_systems.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

constexpr off_t kLong = off_t{BackgroundFree::kMinBytes};

class BackgroundFreeTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto space = std::filesystem::space(dir_.path());
    if (space.available < 2 * BackgroundFree::kMinSpace) {
      GTEST_SKIP() << "the disk is so full that nothing is put off: "
                   << space.available << " bytes are left";
    }
  }

  std::string Make(const std::string& name, off_t bytes = kLong) {
    const int fd = ::open(dir_.File(name).c_str(),
                          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT_EQ(::posix_fallocate(fd, 0, bytes), 0);
    ::close(fd);
    return dir_.File(name);
  }

  // Handles of this process of files that have no name in the directory now.
  int NamelessHandles() const {
    int count = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code error;
      const std::string file = std::filesystem::read_symlink(entry, error);
      count += file.find(dir_.path()) == 0 &&
                       file.find(" (deleted)") != std::string::npos
                   ? 1
                   : 0;
    }
    return count;
  }

  bool Exists(const std::string& path) const {
    return fs_->FileExists(path, io_, nullptr).ok();
  }

  // Deletes it as the file system does.
  static void Delete(BackgroundFree* background, const std::string& path) {
    BlockHandle blocks = background->Hold(path);
    ASSERT_EQ(::unlink(path.c_str()), 0);
    background->Free(std::move(blocks));
  }

  const TempDir dir_;
  const rocksdb::IOOptions io_;
  const std::shared_ptr<rocksdb::FileSystem> fs_ =
      MakeUringFs(UringFsOptions());
};

TEST_F(BackgroundFreeTest, AHandleKeepsTheBlocksAndNothingElse) {
  const std::string path = Make("000001.sst");
  BlockHandle blocks = BackgroundFree::OfProcess().Hold(path);
  ASSERT_FALSE(blocks.is_empty());
  EXPECT_GE(blocks.bytes(), BackgroundFree::kMinBytes);
  EXPECT_TRUE(Exists(path));
  ASSERT_EQ(::unlink(path.c_str()), 0);
  EXPECT_FALSE(Exists(path));
  EXPECT_EQ(NamelessHandles(), 1);
  blocks.LetGo();
  EXPECT_EQ(NamelessHandles(), 0);
}

TEST_F(BackgroundFreeTest, FilesOfDatabasesGoThisWay) {
  BackgroundFree& background = BackgroundFree::OfProcess();
  for (const char* name : {"000001.sst", "000002.blob", "000003.log"}) {
    SCOPED_TRACE(name);
    const std::string path = Make(name);
    const uint64_t before = background.handed_over();
    ASSERT_TRUE(fs_->DeleteFile(path, io_, nullptr).ok());
    EXPECT_FALSE(Exists(path));
    EXPECT_EQ(background.handed_over(), before + 1);
    background.Wait();
    EXPECT_EQ(NamelessHandles(), 0);
    EXPECT_TRUE(fs_->DeleteFile(path, io_, nullptr).IsPathNotFound());
  }
}

TEST_F(BackgroundFreeTest, OthersAreDeletedAsEver) {
  BackgroundFree& background = BackgroundFree::OfProcess();
  EXPECT_TRUE(background.Hold(Make("short", kLong / 2)).is_empty());
  EXPECT_TRUE(background.Hold(dir_.File("none")).is_empty());
  EXPECT_TRUE(background.Hold(dir_.path()).is_empty());
  const std::string path = Make("long");
  ASSERT_EQ(::symlink(path.c_str(), dir_.File("symlink").c_str()), 0);
  EXPECT_TRUE(background.Hold(dir_.File("symlink")).is_empty());
  ASSERT_EQ(::link(path.c_str(), dir_.File("link").c_str()), 0);
  EXPECT_TRUE(background.Hold(path).is_empty());
  const uint64_t before = background.handed_over();
  ASSERT_TRUE(fs_->DeleteFile(Make("MANIFEST-000001"), io_, nullptr).ok());
  ASSERT_TRUE(fs_->DeleteFile(dir_.File("short"), io_, nullptr).ok());
  EXPECT_EQ(background.handed_over(), before);
}

TEST_F(BackgroundFreeTest, WhereSpaceIsShortNothingIsPutOff) {
  BackgroundFree background(StartBackgroundThread, UINT64_MAX);
  EXPECT_TRUE(background.Hold(Make("000001.sst")).is_empty());
}

TEST_F(BackgroundFreeTest, NoMoreThanThatWaits) {
  BackgroundFree background([](const auto&) { return true; });
  for (size_t i = 0; i < BackgroundFree::kMaxWaiting; ++i) {
    Delete(&background, Make("000001.sst"));
  }
  EXPECT_EQ(background.handed_over(), BackgroundFree::kMaxWaiting);
  EXPECT_TRUE(background.Hold(Make("000001.sst")).is_empty());
}

TEST_F(BackgroundFreeTest, WithoutAThreadItIsDoneAtOnce) {
  int asked = 0;
  BackgroundFree background([&](const auto&) { return ++asked > 2; });
  for (int i = 0; i < 2; ++i) {
    Delete(&background, Make("000001.sst"));
    EXPECT_EQ(NamelessHandles(), 0);
    EXPECT_EQ(asked, i + 1);
  }
  background.Wait();
  EXPECT_EQ(background.handed_over(), 0u);
  Delete(&background, Make("000001.sst"));
  EXPECT_EQ(background.handed_over(), 1u);
}

// Whoever asks how much is free, or has closed the database and takes the disk
// away, finds everything done.
TEST_F(BackgroundFreeTest, ItIsDoneWhereSomebodyCountsOnIt) {
  for (int i = 0; i < 10; ++i) {
    for (int file = 0; file < 10; ++file) {
      const std::string path = Make(std::to_string(file) + ".sst");
      ASSERT_TRUE(fs_->DeleteFile(path, io_, nullptr).ok());
    }
    uint64_t bytes = 0;
    ASSERT_TRUE(fs_->GetFreeSpace(dir_.path(), io_, &bytes, nullptr).ok());
    EXPECT_EQ(NamelessHandles(), 0);
    EXPECT_GT(bytes, 0u);

    rocksdb::FileLock* lock = nullptr;
    ASSERT_TRUE(fs_->LockFile(dir_.File("LOCK"), io_, &lock, nullptr).ok());
    ASSERT_TRUE(fs_->DeleteFile(Make("000001.sst"), io_, nullptr).ok());
    ASSERT_TRUE(fs_->UnlockFile(lock, io_, nullptr).ok());
    EXPECT_EQ(NamelessHandles(), 0);
  }
}

TEST_F(BackgroundFreeTest, AChildOfForkDeletesToo) {
  ASSERT_TRUE(fs_->DeleteFile(Make("000001.sst"), io_, nullptr).ok());
  const std::string path = Make("000002.sst");
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    uint64_t bytes = 0;
    const bool is_good =
        fs_->DeleteFile(path, io_, nullptr).ok() &&
        fs_->GetFreeSpace(dir_.path(), io_, &bytes, nullptr).ok() &&
        BackgroundFree::OfProcess().handed_over() == 1;
    ::_exit(is_good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(Exists(path));
}

}  // namespace
}  // namespace uringfs::test
