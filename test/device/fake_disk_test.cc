// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The power-loss model is what other tests believe in: it must lose what may
// be lost, and only that.

#include "test/support/fake_disk.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "src/base/aligned_buffer.h"
#include "test/support/fake_device.h"

namespace uringfs::test {
namespace {

constexpr uint32_t kBlock = kDeviceBlockBytes;
constexpr int kImages = 300;  // enough to see every outcome of a coin

class FakeDiskTest : public testing::Test {
 protected:
  void Start(const FakeDiskOptions& options = {}, std::string image = "") {
    disk_ = FakeDisk::Create(options, std::move(image));
    device_ = FakeDevice::Open(disk_).device;
    if (memory_.data() == nullptr) {
      ASSERT_TRUE(AlignedBuffer::Allocate(64 * kBlock, &memory_).ok());
    }
    for (size_t i = 0; i < 64; ++i) {
      std::memset(Block(i), 'A' + static_cast<char>(i), kBlock);
    }
  }
  // Tests that hold completions end with this, while their writes live.
  void ReapAll() {
    Write* done[64];
    device_->Reap(device_->in_flight(), done, 64);
  }

  char* Block(size_t i) { return memory_.data() + i * kBlock; }
  // One block of letter 'A' + `letter`.
  Write Make(uint64_t block, size_t letter, bool dsync = false) {
    Write write;
    write.offset = block * kBlock;
    write.segments[0] = {Block(letter), kBlock};
    write.segment_count = 1;
    write.dsync = dsync;
    return write;
  }
  void WriteNow(uint64_t block, size_t letter, bool dsync = false) {
    Write write = Make(block, letter, dsync);
    device_->Submit(&write);
    Write* done = nullptr;
    ASSERT_EQ(device_->Reap(1, &done, 1), 1u);
  }
  void Flush() { ASSERT_TRUE(device_->MakeDurable(SyncKind::kData).ok()); }
  std::set<std::string> Crashes() {
    std::set<std::string> images;
    for (int i = 0; i < kImages; ++i) {
      images.insert(disk_->CrashImage(random_));
    }
    return images;
  }

  Random random_{SeedOr(3)};
  std::shared_ptr<FakeDisk> disk_;
  std::unique_ptr<Device> device_;
  AlignedBuffer memory_;
};

std::string Letters(char letter, size_t bytes = kBlock) {
  return std::string(bytes, letter);
}

TEST_F(FakeDiskTest, WhatWasFlushedIsAlwaysFound) {
  Start();
  WriteNow(0, 0);
  WriteNow(1, 1);
  Flush();
  EXPECT_EQ(Crashes(), std::set{Letters('A') + Letters('B')});
}

TEST_F(FakeDiskTest, WhatWasNotFlushedIsDroppedKeptOrTorn) {
  Start({}, Letters('z'));
  WriteNow(0, 0);
  const std::set<std::string> images = Crashes();
  EXPECT_TRUE(images.count(Letters('z')));
  EXPECT_TRUE(images.count(Letters('A')));
  EXPECT_GT(images.size(), 10u);
  for (const std::string& image : images) {
    ASSERT_EQ(image.size(), kBlock);
    for (size_t i = 0; i < kBlock; ++i) {
      ASSERT_TRUE(image[i] == 'z' || image[i] == 'A');
      // A sector is whole.
      ASSERT_EQ(image[i], image[i / 512 * 512]);
    }
  }
}

TEST_F(FakeDiskTest, SizeAndBytesAreLostIndependently) {
  Start({}, Letters('z'));
  WriteNow(1, 0);
  bool zeros = false;
  std::set<size_t> sizes;
  for (const std::string& image : Crashes()) {
    sizes.insert(image.size());
    ASSERT_EQ(image.substr(0, kBlock), Letters('z'));
    zeros |= image == Letters('z') + Letters('\0');
  }
  EXPECT_EQ(sizes, (std::set<size_t>{kBlock, 2 * kBlock}));
  EXPECT_TRUE(zeros) << "a size may be found without its bytes";
}

TEST_F(FakeDiskTest, DsyncCoversItsOwnBytesOnly) {
  Start({}, std::string(2 * kBlock, 'z'));
  WriteNow(0, 0);
  WriteNow(1, 1, true);
  bool lost = false;
  for (const std::string& image : Crashes()) {
    ASSERT_EQ(image.substr(kBlock), Letters('B'));
    lost |= image[0] == 'z';
  }
  EXPECT_TRUE(lost);
}

TEST_F(FakeDiskTest, AnOlderVersionNeverComesBackOverADurableOne) {
  Start({}, Letters('z'));
  WriteNow(0, 0);
  WriteNow(0, 1, true);
  EXPECT_EQ(Crashes(), std::set{Letters('B')});
}

TEST_F(FakeDiskTest, DsyncDoesNotCoverTheSize) {
  Start();
  WriteNow(0, 0, true);
  EXPECT_EQ(Crashes(), (std::set{std::string(), Letters('A')}));
  WriteNow(0, 1, true);  // inside the file: still nothing that covers the size
  EXPECT_TRUE(Crashes().count(""));
  Flush();
  EXPECT_EQ(Crashes(), std::set{Letters('B')});
}

TEST_F(FakeDiskTest, WhatWasExtendedIsZerosOrShorterUntilItIsFlushed) {
  Start({}, Letters('z'));
  ASSERT_TRUE(device_->Extend(kBlock, 2 * kBlock).ok());
  const std::string longer = Letters('z') + std::string(kBlock, '\0');
  EXPECT_EQ(disk_->Image(), longer);
  EXPECT_EQ(Crashes(), (std::set{Letters('z'), longer}));
  Flush();
  WriteNow(1, 1, true);
  EXPECT_EQ(Crashes(), std::set{Letters('z') + Letters('B')});
}

TEST_F(FakeDiskTest, AFlushDoesNotCoverWhatWasNotReaped) {
  Start({}, Letters('z'));
  disk_->HoldCompletions(true);
  Write write = Make(0, 0);
  device_->Submit(&write);
  Write* done = nullptr;
  EXPECT_EQ(device_->Reap(0, &done, 1), 0u);
  Flush();
  EXPECT_EQ(disk_->Image(), Letters('z'));
  EXPECT_TRUE(Crashes().count(Letters('z')));
  EXPECT_TRUE(Crashes().count(Letters('A')))
      << "it may have landed all the same";
  ReapAll();
}

TEST_F(FakeDiskTest, AfterAFailedFlushTheNextOneProvesNothing) {
  Start({}, std::string(2 * kBlock, 'z'));
  WriteNow(0, 0);
  disk_->FailFlush(0, EIO);
  EXPECT_EQ(device_->MakeDurable(SyncKind::kData).error_number(), EIO);
  WriteNow(1, 1);
  Flush();
  bool lost = false;
  for (const std::string& image : Crashes()) {
    ASSERT_EQ(image.substr(kBlock), Letters('B'));
    lost |= image[0] == 'z';
  }
  EXPECT_TRUE(lost);
}

TEST_F(FakeDiskTest, ResizeIsLostUntilItIsFlushed) {
  Start({}, std::string(2 * kBlock, 'z'));
  ASSERT_TRUE(device_->Resize(100).ok());
  ASSERT_TRUE(device_->Resize(kBlock).ok());
  EXPECT_EQ(disk_->Image(),
            std::string(100, 'z') + Letters('\0', kBlock - 100));
  EXPECT_EQ(Crashes(), (std::set{std::string(2 * kBlock, 'z'),
                                 std::string(100, 'z'), disk_->Image()}));
  Flush();
  EXPECT_EQ(Crashes(), std::set{disk_->Image()});
}

TEST_F(FakeDiskTest, AKilledProcessLeavesWritesInFlightWholeOrNot) {
  Start({}, std::string(3 * kBlock, 'z'));
  WriteNow(0, 0);
  disk_->HoldCompletions(true);
  Write one = Make(1, 1);
  Write two = Make(2, 2);
  device_->Submit(&one);
  device_->Submit(&two);
  std::set<std::string> images;
  for (int i = 0; i < kImages; ++i) {
    images.insert(disk_->KillImage(random_));
  }
  EXPECT_EQ(images.size(), 4u);
  for (const std::string& image : images) {
    EXPECT_EQ(image.substr(0, kBlock), Letters('A'));
  }
  ReapAll();
}

TEST_F(FakeDiskTest, CompletionsComeInTheOrderAskedFor) {
  for (const CompletionOrder order :
       {CompletionOrder::kFifo, CompletionOrder::kLifo}) {
    FakeDiskOptions options;
    options.order = order;
    Start(options);
    Write writes[3] = {Make(0, 0), Make(1, 1), Make(2, 2)};
    for (Write& write : writes) {
      device_->Submit(&write);
    }
    Write* done[3];
    ASSERT_EQ(device_->Reap(3, done, 3), 3u);
    const bool fifo = order == CompletionOrder::kFifo;
    EXPECT_EQ(done[0], &writes[fifo ? 0 : 2]);
    EXPECT_EQ(done[2], &writes[fifo ? 2 : 0]);
    device_.reset();
  }
}

TEST_F(FakeDiskTest, FaultsHitTheirOperation) {
  Start();
  disk_->FailWrite(1, ENOSPC);
  disk_->FailResize(0, EFBIG);
  disk_->FailOperation(4, EIO);
  Write write = Make(0, 0);
  Write* done = nullptr;
  for (const int expected : {0, ENOSPC}) {  // operations 0 and 1
    device_->Submit(&write);
    ASSERT_EQ(device_->Reap(1, &done, 1), 1u);
    EXPECT_EQ(write.error, expected);
  }
  EXPECT_EQ(device_->Resize(0).error_number(), EFBIG);  // 2
  Flush();                                              // 3
  EXPECT_EQ(device_->MakeDurable(SyncKind::kFull).error_number(), EIO);
  EXPECT_EQ(disk_->operations(), 5u);
  EXPECT_EQ(disk_->writes(), 2u);
  EXPECT_EQ(disk_->flushes(), 2u);
  EXPECT_EQ(disk_->submitted().size(), 2u);
}

// Aligned memory is not inherited by fork, so the dying process has to make
// its own: it must run the test from the start.
class FakeDiskDeathTest : public FakeDiskTest {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(FakeDiskDeathTest, MemoryThatChangesInFlightIsABug) {
  Start();
  Write write = Make(0, 0);
  Write* done = nullptr;
  EXPECT_DEATH(
      {
        device_->Submit(&write);
        Block(0)[17] = '!';
        device_->Reap(1, &done, 1);
      },
      "check failed");
}

TEST_F(FakeDiskDeathTest, OverlapInFlightIsABug) {
  Start();
  Write one = Make(0, 0);
  Write two = Make(0, 1);
  EXPECT_DEATH(
      {
        device_->Submit(&one);
        device_->Submit(&two);
      },
      "check failed");
}

}  // namespace
}  // namespace uringfs::test
