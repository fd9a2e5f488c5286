// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/base/aligned_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "src/base/align.h"

namespace uringfs {
namespace {

constexpr size_t kPageBytes = 4096;
// Of x86-64, and of aarch64 with pages of 4 KiB.
constexpr size_t kHugePageBytes = size_t{2} << 20;

// Maps `bytes` at a multiple of `alignment`. MAP_FAILED and errno, or memory.
void* MapAligned(size_t bytes, size_t alignment) {
  const size_t slack = alignment - kPageBytes;
  void* const memory = ::mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || slack == 0) {
    return memory;
  }
  char* const begin = static_cast<char*>(memory);
  const size_t front = AlignUp(reinterpret_cast<uintptr_t>(begin), alignment) -
                       reinterpret_cast<uintptr_t>(begin);
  if (front > 0) {
    (void)::munmap(begin, front);
  }
  if (front < slack) {
    (void)::munmap(begin + front + bytes, slack - front);
  }
  return begin + front;
}

}  // namespace

AlignedBuffer::~AlignedBuffer() { Release(); }

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  if (this != &other) {
    Release();
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

Status AlignedBuffer::Allocate(size_t bytes, AlignedBuffer* buffer) {
  const size_t rounded = AlignUp(bytes, kPageBytes);
  const size_t huge = ::sysconf(_SC_PAGESIZE) == kPageBytes
                          ? AlignDown(rounded, kHugePageBytes)
                          : 0;
  void* memory = MapAligned(rounded, huge > 0 ? kHugePageBytes : kPageBytes);
  if (memory == MAP_FAILED) {
    // Where memory is counted to the byte there may be no slack to be had.
    memory = MapAligned(rounded, kPageBytes);
  }
  if (memory == MAP_FAILED) {
    return Status::FromErrno(errno, "allocate flush buffers", "");
  }
  // Best effort: without it only programs that fork beside I/O are at risk.
  (void)::madvise(memory, rounded, MADV_DONTFORK);
  // Best effort, too. A write of 256 KiB is one piece of memory to the device
  // then, instead of 64.
  if (huge > 0) {
    (void)::madvise(memory, huge, MADV_HUGEPAGE);
  }
  buffer->Release();
  buffer->data_ = static_cast<char*>(memory);
  buffer->bytes_ = rounded;
  return Status::Ok();
}

void AlignedBuffer::Release() {
  if (data_ != nullptr) {
    ::munmap(data_, bytes_);
    data_ = nullptr;
    bytes_ = 0;
  }
}

}  // namespace uringfs
