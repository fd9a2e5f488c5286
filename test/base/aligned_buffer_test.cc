// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/base/aligned_buffer.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

#include "src/base/align.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

constexpr size_t kPageBytes = 4096;

TEST(AlignedBufferTest, IsPageAlignedRoundedUpAndZero) {
  for (size_t bytes : {size_t{1}, kPageBytes, kPageBytes + 1, size_t{100000}}) {
    AlignedBuffer buffer;
    ASSERT_TRUE(AlignedBuffer::Allocate(bytes, &buffer).ok());
    EXPECT_EQ(buffer.bytes(), AlignUp(bytes, kPageBytes));
    EXPECT_TRUE(
        IsAligned(reinterpret_cast<uintptr_t>(buffer.data()), kPageBytes));
    EXPECT_TRUE(std::all_of(buffer.data(), buffer.data() + buffer.bytes(),
                            [](char c) { return c == 0; }));
    std::memset(buffer.data(), 'x', buffer.bytes());
  }
}

// Else the kernel could not make one of its huge pages of it.
TEST(AlignedBufferTest, LargeOnesBeginAtAHugePage) {
  constexpr size_t kHuge = size_t{2} << 20;
  for (size_t bytes : {kHuge, kHuge + 1, 2 * kHuge + 3 * kPageBytes}) {
    AlignedBuffer buffers[3];
    for (AlignedBuffer& buffer : buffers) {
      ASSERT_TRUE(AlignedBuffer::Allocate(bytes, &buffer).ok());
      EXPECT_EQ(buffer.bytes(), AlignUp(bytes, kPageBytes));
      EXPECT_TRUE(IsAligned(reinterpret_cast<uintptr_t>(buffer.data()), kHuge));
      EXPECT_TRUE(std::all_of(buffer.data(), buffer.data() + buffer.bytes(),
                              [](char c) { return c == 0; }));
      std::memset(buffer.data(), 'x', buffer.bytes());
    }
  }
}

// In pages.
size_t AddressSpace() {
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages;
}

TEST(AlignedBufferTest, WhatAlignmentCostsIsGivenBack) {
  constexpr size_t kHuge = size_t{2} << 20;
  constexpr size_t kPages = kHuge / kPageBytes + 1;
  constexpr size_t kCount = 64;
  const size_t before = AddressSpace();
  {
    std::vector<AlignedBuffer> buffers(kCount);
    for (AlignedBuffer& buffer : buffers) {
      ASSERT_TRUE(AlignedBuffer::Allocate(kPages * kPageBytes, &buffer).ok());
    }
    // Others of this process may take a little meanwhile.
    EXPECT_LT(AddressSpace() - before, kCount * (kPages + 10));
  }
  EXPECT_LT(AddressSpace(), before + kPages);
}

TEST(AlignedBufferTest, MoveHandsTheMemoryOver) {
  AlignedBuffer from;
  ASSERT_TRUE(AlignedBuffer::Allocate(kPageBytes, &from).ok());
  char* const memory = from.data();
  memory[7] = 'm';

  AlignedBuffer to(std::move(from));
  EXPECT_EQ(to.data(), memory);
  EXPECT_EQ(to.data()[7], 'm');

  AlignedBuffer other;
  ASSERT_TRUE(AlignedBuffer::Allocate(kPageBytes, &other).ok());
  other = std::move(to);
  EXPECT_EQ(other.data(), memory);
  EXPECT_EQ(other.bytes(), kPageBytes);
}

TEST(AlignedBufferTest, AllocateIntoAFullBufferReplacesIt) {
  AlignedBuffer buffer;
  ASSERT_TRUE(AlignedBuffer::Allocate(kPageBytes, &buffer).ok());
  buffer.data()[0] = 'x';
  ASSERT_TRUE(AlignedBuffer::Allocate(2 * kPageBytes, &buffer).ok());
  EXPECT_EQ(buffer.bytes(), 2 * kPageBytes);
  EXPECT_EQ(buffer.data()[0], 0);
}

TEST(AlignedBufferTest, TooMuchMemoryIsAnErrorThatSaysSo) {
  AlignedBuffer buffer;
  ASSERT_TRUE(AlignedBuffer::Allocate(kPageBytes, &buffer).ok());
  char* const before = buffer.data();
  const Status status = AlignedBuffer::Allocate(size_t{1} << 60, &buffer);
  EXPECT_EQ(status.code(), Status::Code::kIoError);
  EXPECT_EQ(status.error_number(), ENOMEM);
  EXPECT_EQ(buffer.data(), before) << "a failed call leaves the buffer alone";
}

// A child that touched a page under direct I/O would move the write to a copy:
// the pages are not there in a child at all.
TEST(AlignedBufferTest, IsNotInheritedByFork) {
  AlignedBuffer buffer;
  ASSERT_TRUE(AlignedBuffer::Allocate(kPageBytes, &buffer).ok());
  buffer.data()[0] = 'x';
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // The kernel reads the memory for us: EFAULT where there is none.
    const ssize_t written = ::write(ends[1], buffer.data(), 1);
    ::_exit(written == -1 && errno == EFAULT ? 0 : 1);
  }
  int outcome = 0;
  ASSERT_EQ(::waitpid(child, &outcome, 0), child);
  EXPECT_TRUE(WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace uringfs
