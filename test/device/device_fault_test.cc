// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Every fault a kernel can answer with, at every device on a real file.

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "src/device/device.h"
#include "src/device/io_errno.h"
#include "test/device/device_maker.h"
#include "test/device/fault_sys.h"

namespace uringfs::test {
namespace {

constexpr uint32_t kBlock = kDeviceBlockBytes;
constexpr uint32_t kBytes = 8 * kBlock;

class DeviceFault : public testing::TestWithParam<DeviceKind> {
 protected:
  void SetUp() override {
    if (UsesUring(GetParam())) {
      URINGFS_SKIP_WITHOUT_URING();
    }
    maker_ = std::make_unique<DeviceMaker>(GetParam(), &sys_);
  }

  Device& device() { return maker_->device(); }
  // The call that tells what became of a write.
  Call WriteCall() const {
    return UsesUring(GetParam()) ? Call::kRingResult : Call::kPwrite;
  }
  std::string Expected(size_t from, size_t bytes) {
    return std::string(maker_->memory() + from, bytes);
  }
  void ExpectWholeWrite() {
    Write write = maker_->Make(0, 0, kBytes - kBlock);
    write.segments[1] = {maker_->memory() + kBytes - kBlock, kBlock};
    write.segment_count = 2;
    EXPECT_EQ(maker_->WriteNow(&write), 0);
    EXPECT_EQ(maker_->Content(), Expected(0, kBytes));
  }

  FaultSys sys_;
  std::unique_ptr<DeviceMaker> maker_;
};

TEST_P(DeviceFault, InterruptedWritesAreRetriedAsOftenAsItTakes) {
  sys_.ScriptNext(WriteCall(), -EINTR, 100);
  ExpectWholeWrite();
  EXPECT_EQ(sys_.calls(WriteCall()), 101u);
}

TEST_P(DeviceFault, AgainIsRetriedABoundedNumberOfTimes) {
  sys_.ScriptNext(WriteCall(), -EAGAIN, kMaxRetries);
  ExpectWholeWrite();
  EXPECT_EQ(sys_.calls(WriteCall()), kMaxRetries + 1u);
}

TEST_P(DeviceFault, EndlessAgainEndsWithPwriteOrAnError) {
  sys_.ScriptNext(WriteCall(), -EAGAIN, 1000);
  if (UsesUring(GetParam())) {
    ExpectWholeWrite();
    EXPECT_EQ(sys_.calls(Call::kPwrite), 1u);
    return;
  }
  Write write = maker_->Make(0, 0, kBytes);
  EXPECT_EQ(maker_->WriteNow(&write), EAGAIN);
  EXPECT_EQ(sys_.calls(WriteCall()), kMaxRetries + 1u);
}

TEST_P(DeviceFault, ShortTransfersGoOnAtABlock) {
  // One within the first block, at a block, in the second segment, by a byte.
  for (const int bytes : {100, 4096, 5000, 7 * 4096 + 12, 8 * 4096 - 1}) {
    ASSERT_TRUE(device().Resize(0).ok());
    sys_.ScriptNext(WriteCall(), bytes);
    ExpectWholeWrite();
  }
}

TEST_P(DeviceFault, ManyShortTransfersWithProgressAreFine) {
  const bool was_direct = device().choice().uses_direct_io;
  sys_.ScriptNext(WriteCall(), 4097, 6);
  ExpectWholeWrite();
  // An unaligned remainder would have cost O_DIRECT.
  EXPECT_EQ(device().choice().uses_direct_io, was_direct);
}

TEST_P(DeviceFault, ATransferOfNothingIsAnError) {
  sys_.ScriptNext(WriteCall(), 0);
  sys_.ScriptNext(Call::kPwrite, 0);
  Write write = maker_->Make(0, 0, kBytes);
  EXPECT_EQ(maker_->WriteNow(&write), EIO);
}

TEST_P(DeviceFault, NoProgressEndsWithTheReasonTheKernelGives) {
  sys_.ScriptNext(WriteCall(), 100, kMaxShortTransfers);
  sys_.ScriptNext(Call::kPwrite, 100, kMaxShortTransfers);
  sys_.Script(Call::kPwrite, kMaxShortTransfers, -ENOSPC);
  Write write = maker_->Make(0, 0, kBytes);
  EXPECT_EQ(maker_->WriteNow(&write), ENOSPC);
}

TEST_P(DeviceFault, NoProgressWithoutAReasonIsEio) {
  sys_.ScriptNext(WriteCall(), 100, 1000);
  sys_.ScriptNext(Call::kPwrite, 100, kMaxShortTransfers);
  sys_.Script(Call::kPwrite, kMaxShortTransfers, 100);
  Write write = maker_->Make(0, 0, kBytes);
  EXPECT_EQ(maker_->WriteNow(&write), EIO);
}

TEST_P(DeviceFault, AnErrorIsToldAtOnceAndIsOfThatWriteOnly) {
  for (const int error : {ENOSPC, EDQUOT, EIO, EROFS, EFBIG}) {
    const uint64_t before = sys_.calls(WriteCall());
    sys_.ScriptNext(WriteCall(), -error);
    Write write = maker_->Make(0, 0, kBytes);
    EXPECT_EQ(maker_->WriteNow(&write), error);
    EXPECT_EQ(sys_.calls(WriteCall()), before + 1);
    ExpectWholeWrite();
  }
}

TEST_P(DeviceFault, OneOfManyFailsAndTheOthersDoNot) {
  constexpr size_t kWrites = 16;
  sys_.Script(WriteCall(), 5, -ENOSPC);
  std::vector<Write> writes;
  for (size_t i = 0; i < kWrites; ++i) {
    writes.push_back(maker_->Make(i * kBlock, i * kBlock, kBlock));
  }
  for (Write& write : writes) {
    device().Submit(&write);
  }
  Write* done[kWrites];
  EXPECT_EQ(device().Reap(kWrites, done, kWrites), kWrites);
  size_t failed = 0;
  for (const Write& write : writes) {
    failed += write.error == ENOSPC ? 1 : 0;
  }
  EXPECT_EQ(failed, 1u);
}

TEST_P(DeviceFault, AFailedFlushIsToldOnceAndNeverRetried) {
  sys_.Script(Call::kDataSync, 0, -EIO);
  sys_.Script(Call::kFullSync, 0, -ENOSPC);
  const Status data = device().MakeDurable(SyncKind::kData);
  EXPECT_EQ(data.error_number(), EIO);
  EXPECT_EQ(sys_.calls(Call::kDataSync), 1u);
  const Status full = device().MakeDurable(SyncKind::kFull);
  EXPECT_EQ(full.code(), Status::Code::kNoSpace);
  EXPECT_EQ(sys_.calls(Call::kFullSync), 1u);
}

TEST_P(DeviceFault, AnInterruptedFlushIsRetried) {
  sys_.Script(Call::kDataSync, 0, -EINTR, 3);
  EXPECT_TRUE(device().MakeDurable(SyncKind::kData).ok());
  EXPECT_EQ(sys_.calls(Call::kDataSync), 4u);
}

TEST_P(DeviceFault, ResizeReadAndCloseTellTheirErrors) {
  sys_.Script(Call::kTruncate, 0, -EINTR);
  sys_.Script(Call::kTruncate, 1, -ENOSPC);
  EXPECT_EQ(device().Resize(kBytes).code(), Status::Code::kNoSpace);
  EXPECT_TRUE(device().Resize(kBytes).ok());

  size_t got = 0;
  sys_.Script(Call::kPread, 0, -EINTR);
  sys_.Script(Call::kPread, 1, 5000);
  EXPECT_TRUE(device().Read(0, maker_->memory(), kBytes, &got).ok());
  EXPECT_EQ(got, kBytes);
  sys_.ScriptNext(Call::kPread, -EIO);
  EXPECT_EQ(device().Read(0, maker_->memory(), kBytes, &got).error_number(),
            EIO);

  sys_.Script(Call::kClose, 0, -EIO);
  EXPECT_EQ(device().Close().error_number(), EIO);
  EXPECT_EQ(device().Close().error_number(), EIO);
  EXPECT_EQ(sys_.calls(Call::kClose), 1u);
}

TEST_P(DeviceFault, AnInterruptedCloseHasClosed) {
  sys_.Script(Call::kClose, 0, -EINTR);
  EXPECT_TRUE(device().Close().ok());
  EXPECT_EQ(sys_.calls(Call::kClose), 1u);
}

TEST_P(DeviceFault, RefusedDirectTransfersGoOnBuffered) {
  const bool was_direct = device().choice().uses_direct_io;
  sys_.ScriptNext(WriteCall(), -EINVAL);
  sys_.ScriptNext(Call::kPwrite, -EINVAL);
  if (!was_direct) {
    Write write = maker_->Make(0, 0, kBytes);
    EXPECT_EQ(maker_->WriteNow(&write), EINVAL);
    return;
  }
  ExpectWholeWrite();
  EXPECT_FALSE(device().choice().uses_direct_io);
  EXPECT_NE(device().choice().reason.find("refused"), std::string::npos);
  ExpectWholeWrite();
}

INSTANTIATE_TEST_SUITE_P(Real, DeviceFault,
                         testing::ValuesIn(RealDeviceKinds()), KindName);

// What only a ring can do wrong.
class RingFault : public DeviceFault {};

TEST_P(RingFault, CancelledWithTheirThreadWritesAreFinishedByPwrite) {
  for (const int error : {ECANCELED, EFAULT, ENOMEM, EOPNOTSUPP, EINVAL}) {
    const uint64_t before = sys_.calls(Call::kPwrite);
    sys_.ScriptNext(Call::kRingResult, -error);
    ExpectWholeWrite();
    EXPECT_EQ(sys_.calls(Call::kPwrite), before + 1);
  }
  EXPECT_TRUE(GetParam() == DeviceKind::kUringBuffered ||
              device().choice().uses_direct_io);
}

TEST_P(RingFault, SubmissionThatIsShortOrBusyIsRepeated) {
  sys_.ScriptNext(Call::kRingSubmit, -EINTR, 3);
  ExpectWholeWrite();
  sys_.ScriptNext(Call::kRingSubmit, 0, 2);  // took nothing, and said so
  ExpectWholeWrite();
  sys_.ScriptNext(Call::kRingSubmit, -EBUSY, kMaxRetries);
  ExpectWholeWrite();
  EXPECT_EQ(sys_.calls(Call::kPwrite), 0u);
}

TEST_P(RingFault, RefusedSubmissionIsDoneByPwriteAndItsRequestNever) {
  constexpr size_t kRounds = 300;  // more than the submission queue holds
  sys_.ScriptNext(Call::kRingSubmit, -EPERM, kRounds);
  for (size_t i = 0; i < kRounds; ++i) {
    Write write = maker_->Make(0, i * kBlock, kBlock);
    ASSERT_EQ(maker_->WriteNow(&write), 0);
  }
  EXPECT_EQ(sys_.calls(Call::kPwrite), kRounds);
  EXPECT_NE(device().choice().reason.find("io_uring_enter"), std::string::npos);
  // The withdrawn requests go with the next ones, and must not write.
  Write last = maker_->Make(kBlock, 500 * kBlock, kBlock);
  ASSERT_GE(sys_.calls(Call::kRingSubmit), kRounds);
  const uint64_t by_pwrite = sys_.calls(Call::kPwrite);
  ASSERT_EQ(maker_->WriteNow(&last), 0);
  EXPECT_EQ(sys_.calls(Call::kPwrite), by_pwrite);  // the ring is back
  EXPECT_EQ(maker_->Content(), Expected((kRounds - 1) * kBlock, kBlock) +
                                   Expected(500 * kBlock, kBlock));
}

TEST_P(RingFault, BusySubmissionWithAFullQueueLosesNothing) {
  constexpr size_t kWrites = 64;
  for (uint64_t k = 0; k < 200; k += 3) {
    sys_.Script(Call::kRingSubmit, k, k % 2 == 0 ? -EAGAIN : -EBUSY);
    sys_.Script(Call::kRingResult, k, k % 2 == 0 ? -EAGAIN : 4096);
  }
  std::vector<Write> writes;
  for (size_t i = 0; i < kWrites; ++i) {
    writes.push_back(maker_->Make(i * kBytes, i * kBytes, kBytes));
  }
  for (Write& write : writes) {
    device().Submit(&write);
  }
  Write* done[kWrites];
  EXPECT_EQ(device().Reap(kWrites, done, kWrites), kWrites);
  for (const Write& write : writes) {
    EXPECT_EQ(write.error, 0);
  }
  EXPECT_EQ(maker_->Content(), Expected(0, kWrites * kBytes));
}

TEST_P(RingFault, InterruptedWaitsGoOn) {
  sys_.ScriptNext(Call::kRingWait, -EINTR, 50);
  ExpectWholeWrite();
}

TEST_P(RingFault, RequestsOfThreadsThatExitedAreNotLost) {
  // Extending writes are parked with the submitting thread's workers, and some
  // kernels cancel them when it exits.
  constexpr size_t kWrites = 32;
  for (int round = 0; round < 30; ++round) {
    std::vector<Write> writes;
    for (size_t i = 0; i < kWrites; ++i) {
      writes.push_back(maker_->Make(i * kBytes, i * kBytes, kBytes));
    }
    std::thread([&] {
      for (Write& write : writes) {
        device().Submit(&write);
      }
    }).join();
    Write* done[kWrites];
    ASSERT_EQ(device().Reap(kWrites, done, kWrites), kWrites);
    for (const Write& write : writes) {
      ASSERT_EQ(write.error, 0);
    }
    ASSERT_EQ(maker_->Content(), Expected(0, kWrites * kBytes));
    ASSERT_TRUE(device().Resize(0).ok());
  }
  RecordProperty("finished_by_pwrite",
                 static_cast<int>(sys_.calls(Call::kPwrite)));
}

INSTANTIATE_TEST_SUITE_P(Real, RingFault,
                         testing::Values(DeviceKind::kUringRegistered,
                                         DeviceKind::kUringUnregistered,
                                         DeviceKind::kUringBuffered),
                         KindName);

TEST(RequiredDirectIo, IsNeverDropped) {
  TempDir dir;
  FaultSys sys;
  IoContext context(nullptr, 0, &sys);
  LogOptions options;
  options.direct_io = DirectIo::kRequired;
  options.io_engine = IoEngine::kPwrite;
  OpenedDevice opened;
  const Status status =
      OpenDevice(dir.File("file"), options, &context, &opened);
  if (!status.ok()) {
    GTEST_SKIP() << status.ToString();
  }
  AlignedBuffer memory;
  ASSERT_TRUE(AlignedBuffer::Allocate(kBlock, &memory).ok());
  Write write;
  write.segments[0] = {memory.data(), kBlock};
  write.segment_count = 1;
  sys.Script(Call::kPwrite, 0, -EINVAL);
  opened.device->Submit(&write);
  Write* done = nullptr;
  EXPECT_EQ(opened.device->Reap(1, &done, 1), 1u);
  EXPECT_EQ(write.error, EINVAL);
  EXPECT_TRUE(opened.device->choice().uses_direct_io);
}

}  // namespace
}  // namespace uringfs::test
