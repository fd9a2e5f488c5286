// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Workspace: what a log needs while it is open and can hand on when it closes:
// the memory of its ring, a block for the tail copy, and the io_uring that has
// both registered. Kept in a pool of the process, because making one costs
// more than writing a small file.

#ifndef URINGFS_LOG_WORKSPACE_H_
#define URINGFS_LOG_WORKSPACE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "src/base/aligned_buffer.h"
#include "src/device/io_context.h"

#include "uringfs/status.h"

namespace uringfs {

class Workspace {
 public:
  // From the pool, or new; `ring_bytes` is 0 for a ring that lives elsewhere.
  // Errors: ENOMEM.
  static Status Acquire(size_t ring_bytes, std::unique_ptr<Workspace>* out);

  // Back to the pool, or freed if the pool holds enough.
  // REQUIRES: no write names its memory any more.
  static void Release(std::unique_ptr<Workspace> workspace);

  // `sys` is for tests: such a workspace is never pooled.
  Workspace(AlignedBuffer memory, size_t ring_bytes, Sys* sys = nullptr);

  char* ring_memory() const { return memory_.data(); }
  // One block, behind the ring.
  char* tail_block() const { return memory_.data() + ring_bytes_; }
  IoContext* context() { return &context_; }

 private:
  AlignedBuffer memory_;
  const size_t ring_bytes_;
  IoContext context_;
  const uint32_t forks_;  // a forked child has neither the memory nor the ring
};

}  // namespace uringfs

#endif  // URINGFS_LOG_WORKSPACE_H_
