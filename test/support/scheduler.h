// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Runs threads one at a time and lets a seed decide, before every atomic
// operation, who goes on. With ScheduledAtomic as the atomic type the shipped
// ring runs under it unchanged, and a failing seed can be run again.
//
// It explores interleavings, not weak memory: that is left to the stress tests
// under ThreadSanitizer.

#ifndef URINGFS_TEST_SUPPORT_SCHEDULER_H_
#define URINGFS_TEST_SUPPORT_SCHEDULER_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "test/support/seed.h"

namespace uringfs::test {

class Scheduler {
 public:
  explicit Scheduler(uint64_t seed) : random_(seed) {}

  // Runs the bodies to their end, interleaved.
  void Run(const std::vector<std::function<void()>>& bodies);

  // A switch point; nothing for threads that are not scheduled.
  static void Point();

  uint64_t switches() const { return switches_; }

 private:
  void RunBody(size_t self, const std::function<void()>& body);
  void Yield(size_t self);
  void PickNext();  // REQUIRES: mutex_ held

  std::mutex mutex_;
  std::deque<std::condition_variable> turn_;  // one a thread
  Random random_;
  std::vector<bool> is_done_;
  size_t running_ = 0;
  size_t left_ = 0;
  uint64_t switches_ = 0;
};

template <class T>
class ScheduledAtomic {
 public:
  ScheduledAtomic() = default;
  explicit(false) ScheduledAtomic(T value) : value_(value) {}

  T load(std::memory_order) const {
    Scheduler::Point();
    return value_.load();
  }
  void store(T value, std::memory_order) {
    Scheduler::Point();
    value_.store(value);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order,
                               std::memory_order) {
    Scheduler::Point();
    return value_.compare_exchange_strong(expected, desired);
  }
  T fetch_sub(T amount, std::memory_order) {
    Scheduler::Point();
    return value_.fetch_sub(amount);
  }

 private:
  std::atomic<T> value_{};
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_SUPPORT_SCHEDULER_H_
