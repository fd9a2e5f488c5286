// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Zeros ahead of the end of a file: that they are there and written, and what
// becomes of it when the file system or the disk will not.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "src/device/device.h"
#include "src/device/io_errno.h"
#include "test/device/device_maker.h"
#include "test/device/fault_sys.h"

namespace uringfs::test {
namespace {

constexpr uint64_t kBlock = kDeviceBlockBytes;

class DeviceExtendTest : public testing::Test {
 protected:
  Device& device() { return maker_.device(); }
  void WriteBlocks(uint64_t at, uint64_t count) {
    Write write =
        maker_.Make(at * kBlock, 0, static_cast<uint32_t>(count * kBlock));
    ASSERT_EQ(maker_.WriteNow(&write), 0);
  }
  std::string Letters(uint64_t count) {
    return std::string(maker_.memory(), count * kBlock);
  }

  FaultSys sys_;
  DeviceMaker maker_{DeviceKind::kPwriteDirect, &sys_};
};

TEST_F(DeviceExtendTest, ZerosFollowAndCanBeOverwritten) {
  WriteBlocks(0, 2);
  ASSERT_TRUE(device().Extend(2 * kBlock, 200 * kBlock).ok());
  EXPECT_EQ(maker_.Content(), Letters(2) + std::string(198 * kBlock, '\0'));
  WriteBlocks(2, 1);
  EXPECT_EQ(maker_.Content(),
            Letters(2) + Letters(1) + std::string(197 * kBlock, '\0'));
  ASSERT_TRUE(device().Resize(3 * kBlock).ok());
  EXPECT_EQ(maker_.Content(), Letters(2) + Letters(1));
}

TEST_F(DeviceExtendTest, BehindAnEndWithinABlock) {
  WriteBlocks(0, 2);
  ASSERT_TRUE(device().Resize(kBlock + 100).ok());
  ASSERT_TRUE(device().Extend(2 * kBlock, 4 * kBlock).ok());
  EXPECT_EQ(maker_.Content(), Letters(2).substr(0, kBlock + 100) +
                                  std::string(3 * kBlock - 100, '\0'));
}

// 0: all extents of the file are written; 1: not all; -1: it cannot be told.
int HasUnwrittenExtents(const std::string& path) {
  std::vector<char> memory(sizeof(fiemap) + 64 * sizeof(fiemap_extent));
  auto* const map = reinterpret_cast<fiemap*>(memory.data());
  map->fm_length = FIEMAP_MAX_OFFSET;
  map->fm_flags = FIEMAP_FLAG_SYNC;
  map->fm_extent_count = 64;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const int result = ::ioctl(fd, FS_IOC_FIEMAP, map);
  ::close(fd);
  if (result != 0 || map->fm_mapped_extents == 0) {
    return -1;
  }
  for (uint32_t i = 0; i < map->fm_mapped_extents; ++i) {
    if ((map->fm_extents[i].fe_flags & FIEMAP_EXTENT_UNWRITTEN) != 0) {
      return 1;
    }
  }
  return 0;
}

TEST_F(DeviceExtendTest, TheExtentsAreWrittenAndNotOnlyAllocated) {
  ASSERT_TRUE(device().Extend(0, 300 * kBlock).ok());
  ASSERT_TRUE(device().MakeDurable(SyncKind::kData).ok());
  const int unwritten = HasUnwrittenExtents(maker_.path());
  if (unwritten < 0) {
    GTEST_SKIP() << "this file system does not tell its extents";
  }
  EXPECT_EQ(unwritten, 0) << "their first write would change metadata";
}

TEST_F(DeviceExtendTest, WhatTheKernelDoesNotKnowIsDoneByHand) {
  for (const int error : {EOPNOTSUPP, EINVAL, ENOSYS}) {
    ASSERT_TRUE(device().Resize(0).ok());
    const uint64_t writes = sys_.calls(Call::kPwrite);
    sys_.ScriptNext(Call::kAllocate, -error);
    ASSERT_TRUE(device().Extend(0, 100 * kBlock).ok()) << error;
    EXPECT_EQ(maker_.Content(), std::string(100 * kBlock, '\0'));
    EXPECT_EQ(sys_.calls(Call::kPwrite), writes + 2);
  }
}

TEST_F(DeviceExtendTest, AFullDiskAndAFileSystemThatCannot) {
  sys_.ScriptNext(Call::kAllocate, -EOPNOTSUPP);
  sys_.Script(Call::kAllocate, 1, -ENOSPC);
  EXPECT_EQ(device().Extend(0, 4 * kBlock).code(), Status::Code::kNoSpace);
  sys_.ScriptNext(Call::kAllocate, -EOPNOTSUPP, 2);
  EXPECT_EQ(device().Extend(0, 4 * kBlock).code(), Status::Code::kNotSupported);
  EXPECT_EQ(maker_.Content(), "");
  sys_.ScriptNext(Call::kAllocate, -EINTR, 30);
  EXPECT_TRUE(device().Extend(0, 4 * kBlock).ok());
}

TEST_F(DeviceExtendTest, AWriteOfZerosThatFails) {
  struct Case {
    int answer;
    int times;
    int error;
  };
  for (const Case& each :
       {Case{-EIO, 1, EIO}, Case{-ENOSPC, 1, ENOSPC}, Case{-EINTR, 50, 0},
        Case{-EAGAIN, 3, 0}, Case{-EAGAIN, 1000, EAGAIN}, Case{0, 1, EIO},
        Case{5000, 4, 0}, Case{100, 3, EIO}}) {
    SCOPED_TRACE(each.answer);
    SCOPED_TRACE(each.times);
    FaultSys sys;
    DeviceMaker maker(DeviceKind::kPwriteDirect, &sys);
    sys.ScriptNext(Call::kAllocate, -EOPNOTSUPP);
    sys.ScriptNext(Call::kPwrite, each.answer, each.times);
    const Status status = maker.device().Extend(0, 100 * kBlock);
    EXPECT_EQ(status.error_number(), each.error) << status.ToString();
    // Whatever became of it: nothing but zeros.
    EXPECT_EQ(maker.Content(), std::string(100 * kBlock, '\0'));
    EXPECT_TRUE(maker.device().choice().uses_direct_io);
  }
}

TEST_F(DeviceExtendTest, AllocatedSpaceIsThereAndReadsAsZeros) {
  WriteBlocks(0, 2);
  ASSERT_TRUE(device().Allocate(2 * kBlock, 100 * kBlock).ok());
  EXPECT_EQ(sys_.calls(Call::kPwrite), 1u) << "nothing is written";
  EXPECT_EQ(maker_.Content(), Letters(2) + std::string(98 * kBlock, '\0'));
  WriteBlocks(50, 1);
  ASSERT_TRUE(device().Resize(3 * kBlock).ok());
  EXPECT_EQ(maker_.Content(), Letters(2) + std::string(kBlock, '\0'));
  sys_.ScriptNext(Call::kAllocate, -ENOSPC);
  EXPECT_EQ(device().Allocate(3 * kBlock, 4 * kBlock).code(),
            Status::Code::kNoSpace);
}

TEST(DeviceExtendBufferedTest, IsNotDone) {
  DeviceMaker maker(DeviceKind::kPwriteBuffered);
  EXPECT_EQ(maker.device().Allocate(0, kBlock).code(),
            Status::Code::kNotSupported);
  EXPECT_EQ(maker.device().Extend(0, kBlock).code(),
            Status::Code::kNotSupported);
  EXPECT_EQ(maker.Content(), "");
}

}  // namespace
}  // namespace uringfs::test
