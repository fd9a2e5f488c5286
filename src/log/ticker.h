// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Ticker: a thread that looks at logs every few milliseconds. With nothing left
// to do it sleeps until somebody wakes it. The core has two: one drains shared
// rings, so that Flush need not; the other makes logs durable in time, where
// that was asked for. A device flush would hold up the first one.
//
// It starts with the first log and never ends; a child of fork has none and
// starts its own.

#ifndef URINGFS_LOG_TICKER_H_
#define URINGFS_LOG_TICKER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"
#include "uringfs/status.h"

namespace uringfs {

class Ticker {
 public:
  using Clock = std::chrono::steady_clock;

  struct Tick {
    Clock::time_point now;
    // The thread has looked at every log at each tick since then.
    Clock::time_point awake_since;
  };
  // A look at a log. False: nothing is left to be done, and WakeIfAsleep will
  // be called when there is.
  using Look = std::function<bool(const Tick&)>;

  // Between two looks. Of the one that drains: how long a log must be left
  // alone to count as idle, and how often full buffers are looked after that no
  // appender has handed on.
  static constexpr std::chrono::milliseconds kDrainTick{4};
  static constexpr std::chrono::milliseconds kSyncTick{1};

  // One for each of the first 16 devices: a slow one holds up no other.
  static Ticker& ForDrains(uint64_t device);
  static Ticker& ForSyncs(uint64_t device);

  // Errors: no thread can be started.
  Status Add(const Look* look);
  // Afterwards it is not called any more.
  void Remove(const Look* look);

  // To be called after every change that makes a look answer true. Costs a
  // load while the thread is at work.
  void WakeIfAsleep() {
    // seq_cst: partner of the store in Run(). Either we see it asleep, or it
    // sees, when it looks once more before it sleeps, what the caller changed
    // before, by a seq_cst access or in front of one.
    if (is_asleep_.load(std::memory_order_seq_cst)) {
      Wake();
    }
  }

 private:
  Ticker(const char* name, std::chrono::milliseconds tick);
  static Ticker& OfProcess(std::atomic<Ticker*>* current, const char* name,
                           std::chrono::milliseconds tick);
  Status Start() URINGFS_REQUIRES(mutex_);
  void Run();
  bool LookAtAll();
  void Wake();

  const char* const name_;
  const std::chrono::milliseconds tick_;
  const uint32_t forks_;
  std::atomic<bool> is_asleep_{false};
  Mutex mutex_;
  CondVar changed_;
  std::vector<const Look*> looks_ URINGFS_GUARDED_BY(mutex_);
  bool is_started_ URINGFS_GUARDED_BY(mutex_) = false;
  // Since the tick began.
  bool was_changed_ URINGFS_GUARDED_BY(mutex_) = false;
  Clock::time_point awake_since_ URINGFS_GUARDED_BY(mutex_);
  const Look* current_ URINGFS_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_TICKER_H_
