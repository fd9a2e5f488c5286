// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// BufferBudget: how much memory the flush buffers of a file system's data files
// may take together.
//
// Nobody waits for a share: a compaction has several files open at once, and
// two that waited for each other's next buffer would wait for ever. Where the
// budget runs low a file gets fewer buffers, and where it is spent none, and is
// left to the file system underneath.

#ifndef URINGFS_PLUGIN_BUFFER_BUDGET_H_
#define URINGFS_PLUGIN_BUFFER_BUDGET_H_

#include <cstdint>
#include <utility>

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {

class BufferBudget;

// Some buffers of a budget, given back with the share. THREADS: one at a time.
class BufferShare {
 public:
  BufferShare() = default;
  BufferShare(BufferShare&& other) noexcept { *this = std::move(other); }
  BufferShare& operator=(BufferShare&& other) noexcept;
  ~BufferShare();

  // 0 for an empty share.
  uint32_t count() const { return count_; }

 private:
  friend class BufferBudget;
  BufferShare(BufferBudget* budget, uint32_t buffer_bytes, uint32_t count)
      : budget_(budget), buffer_bytes_(buffer_bytes), count_(count) {}

  BufferBudget* budget_ = nullptr;
  uint32_t buffer_bytes_ = 0;
  uint32_t count_ = 0;
};

// THREADS: any.
class BufferBudget {
 public:
  static constexpr uint32_t kMinBuffers = 2;

  // Takes `wanted` buffers for one file or, if there is less than twice that
  // left, as many as half of what is left holds, but not fewer than
  // kMinBuffers. An empty share if not even those are to be had.
  // REQUIRES: wanted >= kMinBuffers; the budget outlives the share.
  BufferShare Take(uint64_t cap_bytes, uint32_t buffer_bytes, uint32_t wanted);

  uint64_t in_use() const;
  uint64_t peak() const;

 private:
  friend class BufferShare;
  void GiveBack(uint64_t bytes);

  mutable Mutex mutex_;
  uint64_t in_use_ URINGFS_GUARDED_BY(mutex_) = 0;
  uint64_t peak_ URINGFS_GUARDED_BY(mutex_) = 0;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_BUFFER_BUDGET_H_
