// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/workspace.h"

#include <utility>
#include <vector>

#include "src/base/fork_count.h"
#include "src/device/device.h"

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {
namespace {

// Idle memory the pool may hold. Enough for the files a database has open for
// write at once; what is beyond it is freed.
constexpr size_t kMaxIdleBytes = 32u << 20;
// What an io_uring counts for beside the ring's memory.
constexpr size_t kQueueCost = 256u << 10;

struct Pool {
  Mutex mutex;
  std::vector<std::unique_ptr<Workspace>> idle URINGFS_GUARDED_BY(mutex);
  size_t idle_bytes URINGFS_GUARDED_BY(mutex) = 0;
};

// Never destroyed: logs may be closed by destructors of statics.
Pool& ThePool() {
  static Pool* const pool = new Pool;
  return *pool;
}

}  // namespace

Workspace::Workspace(AlignedBuffer memory, size_t ring_bytes, Sys* sys)
    : memory_(std::move(memory)),
      ring_bytes_(ring_bytes),
      context_(memory_.data(), memory_.bytes(), sys),
      forks_(ForkCount()) {}

Status Workspace::Acquire(size_t ring_bytes, std::unique_ptr<Workspace>* out) {
  {
    Pool& pool = ThePool();
    const MutexLock lock(&pool.mutex);
    for (auto it = pool.idle.begin(); it != pool.idle.end(); ++it) {
      if ((*it)->ring_bytes_ != ring_bytes) {
        continue;
      }
      std::unique_ptr<Workspace> found = std::move(*it);
      pool.idle.erase(it);
      pool.idle_bytes -= ring_bytes + kQueueCost;
      if (found->forks_ != ForkCount()) {
        // After a fork the memory is not mapped here and the ring is the
        // parent's: forget both without touching them.
        (void)found.release();
        break;
      }
      *out = std::move(found);
      return Status::Ok();
    }
  }
  AlignedBuffer memory;
  Status status =
      AlignedBuffer::Allocate(ring_bytes + kDeviceBlockBytes, &memory);
  if (status.ok()) {
    *out = std::make_unique<Workspace>(std::move(memory), ring_bytes);
  }
  return status;
}

void Workspace::Release(std::unique_ptr<Workspace> workspace) {
  if (workspace->forks_ != ForkCount()) {
    (void)workspace.release();
    return;
  }
  if (workspace->context_.sys() != Sys::Real()) {
    return;
  }
  Pool& pool = ThePool();
  const MutexLock lock(&pool.mutex);
  const size_t cost = workspace->ring_bytes_ + kQueueCost;
  // The oldest goes: what was used last is what is used next, in size too.
  while (pool.idle_bytes + cost > kMaxIdleBytes && !pool.idle.empty()) {
    pool.idle_bytes -= pool.idle.front()->ring_bytes_ + kQueueCost;
    pool.idle.erase(pool.idle.begin());
  }
  if (pool.idle_bytes + cost <= kMaxIdleBytes) {
    pool.idle_bytes += cost;
    pool.idle.push_back(std::move(workspace));
  }
}

}  // namespace uringfs
