// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The file size limit of the process (RLIMIT_FSIZE): what does not fit is an
// error, never the signal that would end this test, and what fits is written
// to the byte.

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "src/base/file_size_limit.h"
#include "src/device/device.h"
#include "test/device/device_maker.h"
#include "test/support/file_size_limit.h"

namespace uringfs::test {
namespace {

constexpr uint32_t kBlock = kDeviceBlockBytes;

class DeviceLimit : public testing::TestWithParam<DeviceKind> {
 protected:
  void SetUp() override {
    if (UsesUring(GetParam())) {
      URINGFS_SKIP_WITHOUT_URING();
    }
    maker_ = std::make_unique<DeviceMaker>(GetParam());
  }

  Device& device() { return maker_->device(); }
  std::string Memory(size_t from, size_t bytes) {
    return std::string(maker_->memory() + from, bytes);
  }
  // By the call that carries it out at once.
  int WriteAtOnce(Write* write) {
    device().WriteNow(write);
    Write* done = nullptr;
    EXPECT_EQ(device().Reap(1, &done, 1), 1u);
    return write->error;
  }

  std::unique_ptr<DeviceMaker> maker_;
};

TEST_P(DeviceLimit, AWriteThatDoesNotFitIsAnErrorOfThatWriteOnly) {
  ScopedFileSizeLimit limit(2 * kBlock);
  for (const uint64_t begin : {0, 1, 2, 3, 100}) {
    Write write = maker_->Make(begin * kBlock, 0, 4 * kBlock);
    EXPECT_EQ(maker_->WriteNow(&write), EFBIG) << begin;
    EXPECT_EQ(WriteAtOnce(&write), EFBIG) << begin;
    write.dsync = true;
    EXPECT_EQ(maker_->WriteNow(&write), EFBIG) << begin;
    EXPECT_EQ(WriteAtOnce(&write), EFBIG) << begin;
  }
  EXPECT_EQ(maker_->Content(), "") << "nothing of it, also not a part";
  Write inside = maker_->Make(0, kBlock, 2 * kBlock);
  EXPECT_EQ(maker_->WriteNow(&inside), 0);
  EXPECT_EQ(maker_->Content(), Memory(kBlock, 2 * kBlock));
  // Asked anew each time.
  limit.Lift();
  Write write = maker_->Make(0, 0, 4 * kBlock);
  EXPECT_EQ(maker_->WriteNow(&write), 0);
  EXPECT_EQ(maker_->Content(), Memory(0, 4 * kBlock));
  limit.Set(2 * kBlock);
  EXPECT_EQ(maker_->WriteNow(&write), EFBIG) << "an overwrite counts as well";
}

TEST_P(DeviceLimit, OfManyInFlightThoseThatFitAreWritten) {
  constexpr size_t kWrites = 32;
  const ScopedFileSizeLimit limit(kWrites / 2 * kBlock);
  std::vector<Write> writes;
  for (size_t i = 0; i < kWrites; ++i) {
    writes.push_back(maker_->Make(i * kBlock, i * kBlock, kBlock));
  }
  for (Write& write : writes) {
    device().Submit(&write);
  }
  Write* done[kWrites];
  EXPECT_EQ(device().Reap(kWrites, done, kWrites), kWrites);
  for (size_t i = 0; i < kWrites; ++i) {
    EXPECT_EQ(writes[i].error, i < kWrites / 2 ? 0 : EFBIG) << i;
  }
  EXPECT_EQ(maker_->Content(), Memory(0, kWrites / 2 * kBlock));
}

TEST_P(DeviceLimit, PaddingIsLeftOutWhereItDoesNotFit) {
  constexpr uint32_t kTail = 1000;
  ScopedFileSizeLimit limit(2 * kBlock + kTail);
  for (const bool is_durable : {false, true}) {
    for (const bool at_once : {false, true}) {
      ASSERT_TRUE(device().Resize(0).ok());
      Write write = maker_->Make(0, 0, 2 * kBlock);
      write.segments[write.segment_count++] = {maker_->memory() + 7 * kBlock,
                                               kBlock};
      write.dsync = is_durable;
      const auto outcome = [&](uint32_t padding) {
        write.padding_bytes = padding;
        return at_once ? WriteAtOnce(&write) : maker_->WriteNow(&write);
      };
      EXPECT_EQ(outcome(kBlock - kTail - 1), EFBIG) << "one byte too long";
      EXPECT_EQ(maker_->Content(), "");
      EXPECT_EQ(outcome(kBlock - kTail), 0);
      EXPECT_EQ(maker_->Content(),
                Memory(0, 2 * kBlock) + Memory(7 * kBlock, kTail));
      EXPECT_EQ(outcome(kBlock - 1), 0);
      EXPECT_EQ(maker_->Content(),
                Memory(0, 2 * kBlock) + Memory(7 * kBlock, kTail));
    }
  }
  // It goes on as before once there is room.
  limit.Lift();
  Write write = maker_->Make(kBlock, 0, 4 * kBlock);
  write.padding_bytes = 100;
  EXPECT_EQ(maker_->WriteNow(&write), 0);
  EXPECT_EQ(maker_->Content(), Memory(0, kBlock) + Memory(0, 4 * kBlock));
  const bool is_buffered = GetParam() == DeviceKind::kPwriteBuffered ||
                           GetParam() == DeviceKind::kUringBuffered;
  EXPECT_EQ(device().choice().uses_direct_io, !is_buffered);
}

TEST_P(DeviceLimit, ACachedWriteGoesUpToIt) {
  const ScopedFileSizeLimit limit(5000);
  EXPECT_EQ(device().WriteCached(0, maker_->memory(), 5001).error_number(),
            EFBIG);
  EXPECT_TRUE(device().WriteCached(0, maker_->memory(), 4990).ok());
  EXPECT_TRUE(device().WriteCached(4990, maker_->memory() + 4990, 10).ok());
  const Status status = device().WriteCached(5000, maker_->memory(), 1);
  EXPECT_EQ(status.error_number(), EFBIG);
  EXPECT_NE(status.ToString().find("RLIMIT_FSIZE"), std::string::npos)
      << status.ToString();
  EXPECT_EQ(maker_->Content(), Memory(0, 5000));
}

TEST_P(DeviceLimit, AFileThatIsLongerCanBeCutAndNotGrow) {
  Write write = maker_->Make(0, 0, 4 * kBlock);
  ASSERT_EQ(maker_->WriteNow(&write), 0);
  const ScopedFileSizeLimit limit(kBlock);
  EXPECT_EQ(device().Resize(5 * kBlock).error_number(), EFBIG);
  EXPECT_TRUE(device().Resize(3 * kBlock).ok());
  EXPECT_EQ(maker_->Content(), Memory(0, 3 * kBlock));
  EXPECT_TRUE(device().Resize(0).ok());
  EXPECT_EQ(device().Resize(kBlock + 1).error_number(), EFBIG);
  EXPECT_TRUE(device().Resize(kBlock).ok());
}

INSTANTIATE_TEST_SUITE_P(Real, DeviceLimit,
                         testing::ValuesIn(RealDeviceKinds()), KindName);

TEST(DeviceLimitTest, SpaceAheadIsDeclinedWithAReason) {
  const ScopedFileSizeLimit limit(3 * kBlock);
  for (const bool extends : {false, true}) {
    DeviceMaker maker(DeviceKind::kPwriteDirect);
    if (!maker.device().choice().uses_direct_io) {
      GTEST_SKIP() << maker.device().choice().reason;
    }
    const auto ahead = [&](uint64_t from, uint64_t to) {
      return extends ? maker.device().Extend(from, to)
                     : maker.device().Allocate(from, to);
    };
    EXPECT_TRUE(ahead(0, 2 * kBlock).ok());
    EXPECT_EQ(ahead(2 * kBlock, 4 * kBlock).error_number(), EFBIG);
    EXPECT_EQ(maker.Content(), std::string(2 * kBlock, '\0'));
    const std::string reason = maker.device().choice().reason;
    EXPECT_NE(reason.find("ahead"), std::string::npos) << reason;
    EXPECT_NE(reason.find("RLIMIT_FSIZE"), std::string::npos) << reason;
  }
}

TEST(DeviceLimitTest, WhereDirectIsRequiredTheLastBlockHasToFit) {
  const TempDir dir;
  AlignedBuffer memory;
  ASSERT_TRUE(AlignedBuffer::Allocate(2 * kBlock, &memory).ok());
  IoContext context(memory.data(), memory.bytes());
  LogOptions options;
  options.direct_io = DirectIo::kRequired;
  options.io_engine = IoEngine::kPwrite;
  OpenedDevice opened;
  const Status status =
      OpenDevice(dir.File("file"), options, &context, &opened);
  if (!status.ok()) {
    GTEST_SKIP() << status.ToString();
  }
  const ScopedFileSizeLimit limit(kBlock + 1000);
  Write write;
  write.segments[write.segment_count++] = {memory.data(), 2 * kBlock};
  write.padding_bytes = kBlock - 1000;
  opened.device->WriteNow(&write);
  Write* done = nullptr;
  EXPECT_EQ(opened.device->Reap(1, &done, 1), 1u);
  EXPECT_EQ(write.error, EFBIG);
  EXPECT_TRUE(opened.device->choice().uses_direct_io);
}

TEST(FileSizeLimitTest, IsReadAnewEachTime) {
  ScopedFileSizeLimit limit(1000);
  EXPECT_EQ(FileSizeLimit(), 1000u);
  EXPECT_TRUE(MayWriteUpTo(1000));
  EXPECT_FALSE(MayWriteUpTo(1001));
  limit.Set(2000);
  EXPECT_EQ(FileSizeLimit(), 2000u);
  limit.Lift();
  EXPECT_GT(FileSizeLimit(), 2000u);
}

}  // namespace
}  // namespace uringfs::test
