// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Page-aligned anonymous memory for direct writes. It reads as zeros when new
// and is not inherited by fork: a child that touched a page under direct I/O
// would move the write to a copy. From 2 MiB on it is of huge pages, where the
// system has some for who asks (transparent_hugepage).

#ifndef URINGFS_BASE_ALIGNED_BUFFER_H_
#define URINGFS_BASE_ALIGNED_BUFFER_H_

#include <cstddef>

#include "uringfs/status.h"

namespace uringfs {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  ~AlignedBuffer();
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;

  // REQUIRES: 0 < bytes. Rounded up to whole pages. Errors: ENOMEM.
  static Status Allocate(size_t bytes, AlignedBuffer* buffer);

  char* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  void Release();

  char* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace uringfs

#endif  // URINGFS_BASE_ALIGNED_BUFFER_H_
