// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/base/fork_count.h"

#include <pthread.h>

#include <atomic>

namespace uringfs {
namespace {

std::atomic<uint32_t> fork_count{0};

// relaxed: a child starts with one thread.
void CountFork() { fork_count.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

uint32_t ForkCount() {
  static const int registered = ::pthread_atfork(nullptr, nullptr, &CountFork);
  static_cast<void>(registered);  // ENOMEM only: as if nobody ever forked
  return fork_count.load(std::memory_order_relaxed);
}

}  // namespace uringfs
