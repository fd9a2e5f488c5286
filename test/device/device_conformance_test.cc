// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What every Device promises, run over every device there is.

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "src/device/device.h"
#include "test/device/device_maker.h"
#include "test/support/seed.h"

namespace uringfs::test {
namespace {

constexpr uint32_t kBlock = kDeviceBlockBytes;

class DeviceConformance : public testing::TestWithParam<DeviceKind> {
 protected:
  void SetUp() override {
    if (UsesUring(GetParam())) {
      URINGFS_SKIP_WITHOUT_URING();
    }
    maker_ = std::make_unique<DeviceMaker>(GetParam());
  }

  Device& device() { return maker_->device(); }
  char* memory() { return maker_->memory(); }
  std::string Expected(size_t from, size_t bytes) {
    return std::string(memory() + from, bytes);
  }

  std::unique_ptr<DeviceMaker> maker_;
};

TEST_P(DeviceConformance, ANewFileIsEmptyAndTheChoiceIsAsAsked) {
  EXPECT_EQ(maker_->opened().size_bytes, 0u);
  EXPECT_NE(maker_->opened().identity.inode, 0u);
  EXPECT_EQ(device().in_flight(), 0u);
  EXPECT_EQ(device().Reap(0, nullptr, 0), 0u);
  EXPECT_EQ(device().choice().uses_io_uring, UsesUring(GetParam()));
  EXPECT_EQ(device().choice().uses_registered_buffers,
            GetParam() == DeviceKind::kUringRegistered ||
                GetParam() == DeviceKind::kUringBuffered)
      << device().choice().ToString();
}

TEST_P(DeviceConformance, ACompletedWriteCanBeReadAtOnce) {
  Write write = maker_->Make(0, 0, 2 * kBlock);
  write.tag = 7;
  EXPECT_EQ(maker_->WriteNow(&write), 0);
  EXPECT_EQ(write.tag, 7u);
  EXPECT_EQ(maker_->Content(), Expected(0, 2 * kBlock));
}

TEST_P(DeviceConformance, TwoSegmentsFollowEachOtherInTheFile) {
  Write write = maker_->Make(kBlock, 64 * kBlock, 3 * kBlock);
  write.segments[1] = {memory() + 8 * kBlock, kBlock};
  write.segment_count = 2;
  EXPECT_EQ(maker_->WriteNow(&write), 0);
  EXPECT_EQ(maker_->Content(), std::string(kBlock, '\0') +
                                   Expected(64 * kBlock, 3 * kBlock) +
                                   Expected(8 * kBlock, kBlock));
}

TEST_P(DeviceConformance, TheLongestWrite) {
  Write write = maker_->Make(0, kBlock, kMaxWriteBytes);
  EXPECT_EQ(maker_->WriteNow(&write), 0);
  EXPECT_EQ(maker_->Content(), Expected(kBlock, kMaxWriteBytes));
}

TEST_P(DeviceConformance, MemoryThatIsNotRegisteredServesAsWell) {
  AlignedBuffer other;
  ASSERT_TRUE(AlignedBuffer::Allocate(2 * kBlock, &other).ok());
  FillPattern(other.data(), other.bytes(), 99);
  Write write = maker_->Make(0, 0, kBlock);
  write.segments[0] = {other.data(), 2 * kBlock};
  EXPECT_EQ(maker_->WriteNow(&write), 0);
  EXPECT_EQ(maker_->Content(), std::string(other.data(), 2 * kBlock));
}

TEST_P(DeviceConformance, AFullQueueInAnyOrderEndsWithEveryByteInPlace) {
  const uint64_t seed = SeedOr(20);
  SCOPED_TRACE(SeedTrace(seed));
  Random random(seed);
  const size_t count = device().max_in_flight();
  ASSERT_GE(count, 64u);
  std::vector<Write> writes;
  for (size_t i = 0; i < count; ++i) {
    writes.push_back(maker_->Make(i * 4 * kBlock, i * 4 * kBlock, 4 * kBlock));
  }
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  for (size_t i = count; i > 1; --i) {
    std::swap(order[i - 1], order[random.Below(i)]);
  }
  for (const size_t i : order) {
    device().Submit(&writes[i]);
  }
  EXPECT_EQ(device().in_flight(), count);
  std::vector<Write*> all;
  while (device().in_flight() > 0) {
    Write* done[7];
    const size_t least = std::min<size_t>(3, device().in_flight());
    const size_t got = device().Reap(least, done, 7);
    ASSERT_GE(got, least);
    ASSERT_LE(got, 7u);
    all.insert(all.end(), done, done + got);
  }
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), count);
  for (size_t i = 0; i < count; ++i) {
    EXPECT_EQ(all[i], &writes[i]);
    EXPECT_EQ(all[i]->error, 0);
  }
  EXPECT_EQ(maker_->Content(), Expected(0, count * 4 * kBlock));
}

TEST_P(DeviceConformance, AWriteCanBeUsedAgainOnceItIsReaped) {
  Write write = maker_->Make(0, 0, kBlock);
  for (uint64_t i = 0; i < 200; ++i) {
    write.offset = (i % 10) * kBlock;
    write.segments[0].data = memory() + i * kBlock;
    ASSERT_EQ(maker_->WriteNow(&write), 0);
  }
  EXPECT_EQ(maker_->Content(), Expected(190 * kBlock, 10 * kBlock));
}

TEST_P(DeviceConformance, DsyncWritesAndBothKindsOfFlush) {
  Write write = maker_->Make(0, 0, 2 * kBlock);
  write.dsync = true;
  EXPECT_EQ(maker_->WriteNow(&write), 0);
  write.segments[0].bytes = kBlock;
  write.segments[1] = {memory() + 9 * kBlock, kBlock};
  write.segment_count = 2;
  EXPECT_EQ(maker_->WriteNow(&write), 0);
  EXPECT_TRUE(device().MakeDurable(SyncKind::kData).ok());
  EXPECT_TRUE(device().MakeDurable(SyncKind::kFull).ok());
  EXPECT_EQ(maker_->Content(),
            Expected(0, kBlock) + Expected(9 * kBlock, kBlock));
}

TEST_P(DeviceConformance, AFlushMayRunBesideWrites) {
  std::thread flusher([this] {
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(device().MakeDurable(SyncKind::kData).ok());
    }
  });
  for (uint64_t i = 0; i < 100; ++i) {
    Write write = maker_->Make(i * kBlock, i * kBlock, kBlock);
    EXPECT_EQ(maker_->WriteNow(&write), 0);
  }
  flusher.join();
  EXPECT_EQ(maker_->Content(), Expected(0, 100 * kBlock));
}

TEST_P(DeviceConformance, ResizeCutsAndAddsZeros) {
  Write write = maker_->Make(0, 0, 2 * kBlock);
  EXPECT_EQ(maker_->WriteNow(&write), 0);
  EXPECT_TRUE(device().Resize(5000).ok());
  EXPECT_EQ(maker_->Content(), Expected(0, 5000));
  EXPECT_TRUE(device().Resize(3 * kBlock).ok());
  EXPECT_EQ(maker_->Content(),
            Expected(0, 5000) + std::string(3 * kBlock - 5000, '\0'));
  EXPECT_TRUE(device().Resize(0).ok());
  EXPECT_EQ(maker_->Content(), "");
}

TEST_P(DeviceConformance, ReadEndsAtTheEndOfTheFile) {
  Write write = maker_->Make(0, 0, 3 * kBlock);
  EXPECT_EQ(maker_->WriteNow(&write), 0);
  AlignedBuffer buffer;
  ASSERT_TRUE(AlignedBuffer::Allocate(8 * kBlock, &buffer).ok());
  for (const size_t size : {size_t{3} * kBlock, size_t{2} * kBlock + 1,
                            size_t{2} * kBlock, size_t{100}, size_t{0}}) {
    ASSERT_TRUE(device().Resize(size).ok());
    for (size_t from = 0; from <= 4 * kBlock; from += kBlock) {
      size_t got = 77;
      ASSERT_TRUE(device().Read(from, buffer.data(), 2 * kBlock, &got).ok());
      const size_t expected =
          from >= size ? 0 : std::min<size_t>(2 * kBlock, size - from);
      ASSERT_EQ(got, expected) << size << " from " << from;
      EXPECT_EQ(std::memcmp(buffer.data(), memory() + from, got), 0);
    }
  }
}

TEST_P(DeviceConformance, AThreadMaySubmitAndExitAtOnce) {
  constexpr size_t kWrites = 32;
  for (int round = 0; round < 20; ++round) {
    std::vector<Write> writes;
    for (size_t i = 0; i < kWrites; ++i) {
      writes.push_back(
          maker_->Make(i * 8 * kBlock, (i + round) * 8 * kBlock, 8 * kBlock));
      writes.back().dsync = i % 5 == 0;
    }
    for (Write& write : writes) {
      std::thread([this, &write] { device().Submit(&write); }).join();
    }
    Write* done[kWrites];
    size_t reaped = 0;
    std::thread([&] { reaped = device().Reap(kWrites, done, kWrites); }).join();
    ASSERT_EQ(reaped, kWrites);
    for (const Write& write : writes) {
      ASSERT_EQ(write.error, 0);
    }
    ASSERT_EQ(maker_->Content(),
              Expected(static_cast<size_t>(round) * 8 * kBlock,
                       kWrites * 8 * kBlock));
    // Extending and allocating writes, which go through worker threads.
    ASSERT_TRUE(device().Resize(0).ok());
  }
}

TEST_P(DeviceConformance, CloseIsIdempotentAndTheHintDoesNoHarm) {
  device().SetLifetimeHint(2);
  EXPECT_TRUE(device().Close().ok());
  EXPECT_TRUE(device().Close().ok());
}

using DeviceConformanceDeathTest = DeviceConformance;

TEST_P(DeviceConformanceDeathTest, UnalignedAndOversizedWritesAreBugs) {
  Write write = maker_->Make(512, 0, kBlock);
  EXPECT_DEATH(device().Submit(&write), "check failed");
  write = maker_->Make(0, 512, kBlock);
  EXPECT_DEATH(device().Submit(&write), "check failed");
  write = maker_->Make(0, 0, 512);
  EXPECT_DEATH(device().Submit(&write), "check failed");
  write = maker_->Make(0, 0, kMaxWriteBytes + kBlock);
  EXPECT_DEATH(device().Submit(&write), "check failed");
  write = maker_->Make(0, 0, 0);
  EXPECT_DEATH(device().Submit(&write), "check failed");
}

INSTANTIATE_TEST_SUITE_P(All, DeviceConformance,
                         testing::ValuesIn(AllDeviceKinds()), KindName);
INSTANTIATE_TEST_SUITE_P(All, DeviceConformanceDeathTest,
                         testing::ValuesIn(AllDeviceKinds()), KindName);

}  // namespace
}  // namespace uringfs::test
