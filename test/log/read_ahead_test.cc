// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What is read ahead is what the file holds, whatever the device does.

#include "uringfs/read_ahead.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <string>

#include "src/base/aligned_buffer.h"
#include "src/device/uring_queue.h"
#include "src/log/read_ahead_on.h"
#include "test/device/device_maker.h"
#include "test/device/fault_sys.h"
#include "test/log/fake_log.h"
#include "test/support/seed.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::Call;
using test::FaultSys;
using test::Random;
using test::StreamBytes;

constexpr size_t kWindow = 256 << 10;
constexpr size_t kWindows = 4;

class ReadAheadTest : public testing::Test {
 protected:
  void SetUp() override { URINGFS_SKIP_WITHOUT_URING(); }

  std::string Write(uint64_t bytes) {
    content_ = StreamBytes(0, bytes);
    std::ofstream(path_, std::ios::trunc) << content_;
    return path_;
  }

  std::unique_ptr<ReadAhead> MustOpen(size_t window = kWindow,
                                      size_t windows = kWindows) {
    std::unique_ptr<ReadAhead> reader;
    const Status status = ReadAhead::Open(path_, window, windows, &reader);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return reader;
  }

  std::unique_ptr<ReadAhead> MustOpenOnFaults() {
    AlignedBuffer memory;
    constexpr size_t kBytes = kWindows * kWindow;
    EXPECT_TRUE(AlignedBuffer::Allocate(kBytes + 4096, &memory).ok());
    std::unique_ptr<ReadAhead> reader;
    const Status status = OpenReadAheadOn(
        std::make_unique<Workspace>(std::move(memory), kBytes, &sys_), path_,
        kWindow, kWindows, &reader);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return reader;
  }

  void ExpectRead(ReadAhead* reader, uint64_t offset, size_t bytes) {
    std::string out(bytes, '?');
    size_t got = 0;
    const Status status = reader->Read(offset, bytes, out.data(), &got);
    ASSERT_TRUE(status.ok()) << status.ToString();
    const size_t size = content_.size();
    const size_t first = std::min<size_t>(offset, size);
    ASSERT_EQ(got, std::min(bytes, size - first)) << "at " << offset;
    ASSERT_EQ(out.compare(0, got, content_, first, got), 0) << "at " << offset;
  }

  void ExpectWhole(ReadAhead* reader, size_t step) {
    for (uint64_t at = 0; at <= content_.size(); at += step) {
      ExpectRead(reader, at, step);
    }
  }

  const test::TempDir dir_;
  const std::string path_ = dir_.File("table");
  std::string content_;
  FaultSys sys_;
};

TEST_F(ReadAheadTest, FromOneEndToTheOther) {
  for (const uint64_t size :
       {uint64_t{0}, uint64_t{1}, uint64_t{4095}, uint64_t{4096},
        uint64_t{kWindow}, uint64_t{2 * kWindow + 1}, uint64_t{5000001}}) {
    SCOPED_TRACE(size);
    Write(size);
    for (const size_t step : {4101u, 262144u, 3000000u}) {
      ExpectWhole(MustOpen().get(), step);
      ExpectWhole(MustOpen(4096).get(), step);
      ExpectWhole(MustOpen(4096, 2).get(), step);
    }
  }
}

TEST_F(ReadAheadTest, EachByteComesFromTheDeviceOnce) {
  Write(5000001);
  const auto reader = MustOpen();
  ExpectWhole(reader.get(), 5000);
  EXPECT_EQ(reader->device_bytes(), content_.size());
}

// RocksDB reads some MiB and one block more: the device has to be asked for all
// of it before the read comes.
TEST_F(ReadAheadTest, AllWindowsButOneAreAheadOfTheReader) {
  Write(5000001);
  constexpr size_t kAhead = (kWindows - 1) * kWindow;
  for (const size_t step : {size_t{4101}, kWindow, kAhead}) {
    const auto reader = MustOpen();
    for (uint64_t at = 0; at < content_.size(); at += step) {
      ExpectRead(reader.get(), at, step);
      ASSERT_GE(reader->device_bytes(),
                std::min<uint64_t>(at + step + kAhead, content_.size()))
          << "behind " << at << " by " << step;
    }
  }
}

TEST_F(ReadAheadTest, AnywhereInAnyOrder) {
  const uint64_t seed = test::SeedOr(81);
  SCOPED_TRACE(test::SeedTrace(seed));
  Random random(seed);
  Write(6000000 + random.Below(100000));
  const auto reader = MustOpen(64 << 10);
  uint64_t at = 0;
  for (int i = 0; i < 3000; ++i) {
    if (random.OneIn(4)) {
      at = random.Below(content_.size() + 10000);
    }
    const size_t bytes = random.LogUniform(1, 300000);
    ASSERT_NO_FATAL_FAILURE(ExpectRead(reader.get(), at, bytes));
    at += bytes + (random.OneIn(3) ? random.Below(100000) : 0);
  }
}

// The device is still filling the windows that the jump leaves behind.
TEST_F(ReadAheadTest, JumpsBeforeTheDeviceIsDone) {
  const uint64_t seed = test::SeedOr(82);
  SCOPED_TRACE(test::SeedTrace(seed));
  Random random(seed);
  constexpr size_t kLarge = 4 << 20;
  Write(6 * kLarge);
  const auto reader = MustOpen(kWindow, kLarge / kWindow);
  for (int i = 0; i < 100; ++i) {
    ExpectRead(reader.get(), random.Below(content_.size()), 100);
    if (random.OneIn(2)) {
      ExpectRead(reader.get(), random.Below(content_.size()), kLarge);
    }
  }
}

TEST_F(ReadAheadTest, WhatIsAppendedLaterIsNotSeen) {
  Write(10000);
  const auto reader = MustOpen();
  std::ofstream(path_, std::ios::app) << "later";
  ExpectWhole(reader.get(), 4096);
}

TEST_F(ReadAheadTest, BadArgumentsAreRefused) {
  Write(1);
  std::unique_ptr<ReadAhead> reader;
  for (const size_t window : {size_t{0}, size_t{4095}, size_t{6000},
                              ReadAhead::kMaxWindowBytes + 4096}) {
    EXPECT_EQ(ReadAhead::Open(path_, window, kWindows, &reader).code(),
              Status::Code::kInvalidArgument);
  }
  for (const size_t windows :
       {size_t{0}, size_t{1}, ReadAhead::kMaxWindows + 1}) {
    EXPECT_EQ(ReadAhead::Open(path_, kWindow, windows, &reader).code(),
              Status::Code::kInvalidArgument);
  }
  const Status status =
      ReadAhead::Open(dir_.File("none"), kWindow, kWindows, &reader);
  EXPECT_NE(status.ToString().find(dir_.File("none")), std::string::npos);
  EXPECT_EQ(reader, nullptr);
}

TEST_F(ReadAheadTest, ShortTransfersAreMadeWhole) {
  Write(6 * kWindow);
  for (const int answer : {1, 4095, 4096, 5000, 0}) {
    SCOPED_TRACE(answer);
    const auto reader = MustOpenOnFaults();
    sys_.ScriptNext(Call::kRingResult, answer, 3);
    ExpectWhole(reader.get(), 10000);
  }
}

TEST_F(ReadAheadTest, WhatTheRingDoesNotTakeIsReadAllTheSame) {
  Write(6 * kWindow);
  for (const Call call : {Call::kRingSubmit, Call::kRingResult}) {
    for (const int error : {-EAGAIN, -ECANCELED, -ENOMEM}) {
      const auto reader = MustOpenOnFaults();
      sys_.ScriptNext(call, error, 3);
      ExpectWhole(reader.get(), 10000);
    }
  }
}

// As many as the queue holds are left in it; it is used again all the same.
TEST_F(ReadAheadTest, ARingThatTookNothingForLongIsUsedAgain) {
  Write(6 * kWindow);
  const auto reader = MustOpenOnFaults();
  sys_.ScriptNext(Call::kRingSubmit, -EAGAIN, UringQueue::kEntries);
  while (sys_.calls(Call::kRingSubmit) < 2 * UringQueue::kEntries) {
    const uint64_t before = sys_.calls(Call::kRingSubmit);
    ExpectWhole(reader.get(), 100000);
    ASSERT_GT(sys_.calls(Call::kRingSubmit), before) << "nobody tries any more";
  }
  EXPECT_GT(sys_.calls(Call::kRingResult), 0u);
}

TEST_F(ReadAheadTest, AnErrorIsToldAndTheNextCallTriesAgain) {
  Write(6 * kWindow);
  const auto reader = MustOpenOnFaults();
  // All windows, which come back in any order; the first that is needed fails
  // again.
  sys_.ScriptNext(Call::kRingResult, -EIO, 4);
  sys_.ScriptNext(Call::kPread, -EIO);
  std::string out(5000, '?');
  size_t got = 0;
  const Status status = reader->Read(0, out.size(), out.data(), &got);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.ToString().find(path_), std::string::npos);
  ExpectWhole(reader.get(), 10000);
}

TEST_F(ReadAheadTest, AFileThatBecameShorterIsAnError) {
  Write(8 * kWindow);
  const auto reader = MustOpen();
  ExpectRead(reader.get(), 0, 1000);
  ASSERT_EQ(::truncate(path_.c_str(), kWindow), 0);
  std::string out(8 * kWindow, '?');
  size_t got = 0;
  EXPECT_FALSE(reader->Read(1000, out.size(), out.data(), &got).ok());
}

TEST_F(ReadAheadTest, AChildOfForkIsToldThatItCannot) {
  Write(6 * kWindow);
  auto reader = MustOpen();
  ExpectRead(reader.get(), 0, 1000);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    size_t got = 0;
    const Status status = reader->Read(1000, 1, &byte, &got);
    reader.reset();
    ::_exit(status.code() == Status::Code::kNotSupported ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ExpectWhole(reader.get(), 10000);
}

}  // namespace
}  // namespace uringfs
