// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// ReadRing: one io_uring that several threads share. Whoever waits for a read
// takes the completions of all; one thread at a time waits in the kernel, the
// others for it.
//
// THREADS: any.

#ifndef URINGFS_READ_READ_RING_H_
#define URINGFS_READ_READ_RING_H_

#include <chrono>
#include <cstddef>
#include <memory>

#include "src/device/sys.h"
#include "src/device/uring_queue.h"

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"
#include "uringfs/read_rings.h"

namespace uringfs {

class ReadRing {
 public:
  explicit ReadRing(Sys* sys) : sys_(sys) {}
  // REQUIRES: nothing is under way.
  ~ReadRing() = default;
  ReadRing(const ReadRing&) = delete;
  ReadRing& operator=(const ReadRing&) = delete;

  // Starts the first ones of `requests`, as many as there is room for, from
  // what each has got on. Returns how many: 0 too if io_uring is refused.
  size_t Start(ReadRequest* const* requests, size_t count);

  // Waits until the kernel is done with it; `result` says what came of it.
  // REQUIRES: Start took it.
  void Await(ReadRequest* request);

 private:
  // Completions that nobody has taken yet fit into the queue of them.
  static constexpr size_t kMaxUnderWay = UringQueue::kEntries;

  bool EnsureQueue() URINGFS_REQUIRES(mutex_);
  // Hands what was prepared to the kernel, and answers how many it took.
  size_t Submit(size_t prepared) URINGFS_REQUIRES(mutex_);
  // Takes the completions that are there.
  void Reap() URINGFS_REQUIRES(mutex_);
  // Waits for one more, without the mutex.
  void WaitForOne() URINGFS_REQUIRES(mutex_);

  Sys* const sys_;
  Mutex mutex_;
  CondVar reaped_;
  // Its completions belong to whoever holds the mutex, or waits in the kernel.
  std::unique_ptr<UringQueue> queue_ URINGFS_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point no_try_before_
      URINGFS_GUARDED_BY(mutex_);
  size_t under_way_ URINGFS_GUARDED_BY(mutex_) = 0;
  bool is_awaited_ URINGFS_GUARDED_BY(mutex_) = false;  // in the kernel
};

}  // namespace uringfs

#endif  // URINGFS_READ_READ_RING_H_
