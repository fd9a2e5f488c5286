// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/base/aligned_buffer.h"

#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "src/base/align.h"

namespace uringfs {
namespace {
constexpr size_t kPageBytes = 4096;
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
  void* memory = ::mmap(nullptr, rounded, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return Status::FromErrno(errno, "allocate flush buffers", "");
  }
  // Best effort: without it only programs that fork beside I/O are at risk.
  (void)::madvise(memory, rounded, MADV_DONTFORK);
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
