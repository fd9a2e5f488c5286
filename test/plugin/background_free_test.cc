// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The name of a deleted file is gone at once; its blocks follow, and are back
// where somebody counts on that.

#include "plugin/background_free.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "test/plugin/file_systems.h"
#include "test/plugin/small_disk.h"
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
    struct statfs disk = {};
    ASSERT_EQ(::statfs(dir_.path().c_str(), &disk), 0);
    if (disk.f_type != EXT4_SUPER_MAGIC && disk.f_type != XFS_SUPER_MAGIC) {
      GTEST_SKIP() << "neither ext4 nor XFS: perhaps nothing is put off";
    }
  }

  std::string Make(const std::string& name, off_t bytes = kLong) {
    const int fd = ::open(dir_.File(name).c_str(),
                          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT_EQ(::posix_fallocate(fd, 0, bytes), 0);
    ::close(fd);
    return dir_.File(name);
  }

  // Handles of this process of files that have lost their name.
  std::vector<int> NamelessHandles() const {
    std::vector<int> handles;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code error;
      const std::string file = std::filesystem::read_symlink(entry, error);
      if (file.find(dir_.path()) == 0 &&
          file.find(" (deleted)") != std::string::npos) {
        handles.push_back(std::stoi(entry.path().filename()));
      }
    }
    return handles;
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
  EXPECT_EQ(NamelessHandles().size(), 1u);
  blocks.LetGo();
  EXPECT_TRUE(NamelessHandles().empty());
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
    EXPECT_TRUE(background.Wait());
    EXPECT_TRUE(NamelessHandles().empty());
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

TEST_F(BackgroundFreeTest, ADiskThatIsSmallPutsNothingOff) {
  const SmallDisk disk(dir_);
  if (!disk.mounted()) {
    GTEST_SKIP() << "cannot mount an ext4 image (needs root and mkfs.ext4)";
  }
  BackgroundFree background(StartBackgroundThread, 0);
  EXPECT_FALSE(background.Hold(Make("000001.sst")).is_empty());
  std::filesystem::copy(dir_.File("000001.sst"), disk.File("000001.sst"));
  EXPECT_TRUE(background.Hold(disk.File("000001.sst")).is_empty());
}

TEST_F(BackgroundFreeTest, OfMemoryNothingIsPutOff) {
  std::string path = "/dev/shm/uringfs_test_XXXXXX";
  const int fd = ::mkstemp(path.data());
  if (fd < 0) {
    GTEST_SKIP() << "no /dev/shm";
  }
  BackgroundFree background(StartBackgroundThread, 0);
  EXPECT_EQ(::posix_fallocate(fd, 0, kLong), 0);
  EXPECT_TRUE(background.Hold(path).is_empty());
  ::close(fd);
  ::unlink(path.c_str());
}

// Held by whoever is about to delete, or waiting: all count.
TEST_F(BackgroundFreeTest, NoMoreThanThatAreHeld) {
  BackgroundFree background([](const auto&) { return true; });
  constexpr size_t kHere = BackgroundFree::kMaxHeld / 2;
  std::vector<BlockHandle> held;
  for (size_t i = 0; i < kHere; ++i) {
    held.push_back(background.Hold(Make("000001.sst")));
    ASSERT_FALSE(held.back().is_empty());
  }
  for (size_t i = kHere; i < BackgroundFree::kMaxHeld; ++i) {
    Delete(&background, Make("000002.sst"));
  }
  EXPECT_EQ(background.handed_over(), BackgroundFree::kMaxHeld - kHere);
  EXPECT_TRUE(background.Hold(Make("000003.sst")).is_empty());
  held.pop_back();
  EXPECT_FALSE(background.Hold(Make("000003.sst")).is_empty());
}

TEST_F(BackgroundFreeTest, WhatWaitsIsKnownByDisk) {
  BackgroundFree background([](const auto&) { return true; });
  EXPECT_EQ(background.WaitingOn(dir_.path()), 0u);
  for (int i = 0; i < 3; ++i) {
    Delete(&background, Make("000001.sst"));
  }
  EXPECT_GE(background.WaitingOn(dir_.path()), 3 * BackgroundFree::kMinBytes);
  EXPECT_EQ(background.WaitingOn("/proc"), 0u);
  EXPECT_EQ(background.WaitingOn(dir_.File("none")), 0u);
  EXPECT_FALSE(background.Wait()) << "nobody does it, and it is not for ever";
}

// A host that closes what it did not open, and opens others.
TEST_F(BackgroundFreeTest, AnotherFilesDescriptorIsLeftAlone) {
  const std::string path = Make("000001.sst");
  BlockHandle blocks = BackgroundFree::OfProcess().Hold(path);
  ASSERT_EQ(::unlink(path.c_str()), 0);
  ASSERT_EQ(NamelessHandles().size(), 1u);
  const int descriptor = NamelessHandles().front();
  // The same inode even.
  const int other =
      ::open(("/proc/self/fd/" + std::to_string(descriptor)).c_str(),
             O_RDONLY | O_CLOEXEC);
  ASSERT_GE(other, 0);
  ASSERT_EQ(::dup2(other, descriptor), descriptor);
  ::close(other);
  blocks.LetGo();
  EXPECT_TRUE(blocks.is_empty());
  EXPECT_EQ(::close(descriptor), 0);
}

TEST_F(BackgroundFreeTest, WithoutAThreadItIsDoneAtOnce) {
  int asked = 0;
  BackgroundFree background([&](const auto&) { return ++asked > 2; });
  for (int i = 0; i < 2; ++i) {
    Delete(&background, Make("000001.sst"));
    EXPECT_TRUE(NamelessHandles().empty());
    EXPECT_EQ(asked, i + 1);
  }
  EXPECT_TRUE(background.Wait());
  EXPECT_EQ(background.handed_over(), 0u);
  Delete(&background, Make("000001.sst"));
  EXPECT_EQ(background.handed_over(), 1u);
}

// Who has closed the database may take its disk away.
TEST_F(BackgroundFreeTest, ItIsDoneWhenTheDatabaseIsUnlocked) {
  for (int i = 0; i < 10; ++i) {
    rocksdb::FileLock* lock = nullptr;
    ASSERT_TRUE(fs_->LockFile(dir_.File("LOCK"), io_, &lock, nullptr).ok());
    for (int file = 0; file < 10; ++file) {
      const std::string path = Make(std::to_string(file) + ".sst");
      ASSERT_TRUE(fs_->DeleteFile(path, io_, nullptr).ok());
    }
    ASSERT_TRUE(fs_->UnlockFile(lock, io_, nullptr).ok());
    EXPECT_TRUE(NamelessHandles().empty());
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
