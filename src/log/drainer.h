// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Drainer: the one thread of the core. It looks every few milliseconds at the
// logs with a shared ring and writes out what lies in them, so that little does
// for long and Flush need not. With nothing left to write it sleeps until a
// Flush wakes it.
//
// It starts with the first such log and never ends; a child of fork has none
// and starts its own.

#ifndef URINGFS_LOG_DRAINER_H_
#define URINGFS_LOG_DRAINER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"
#include "uringfs/status.h"

namespace uringfs {

class Drainable {
 public:
  virtual ~Drainable() = default;
  // Called by the drainer every few milliseconds; it is `now`. False: nothing
  // is left to be written out, and WakeIfAsleep will be called when there is.
  virtual bool DrainTick(std::chrono::steady_clock::time_point now) = 0;
};

class Drainer {
 public:
  // Between two looks at a log: how long it must be left alone to count as
  // idle, and how often full buffers are looked after that no appender has
  // handed on.
  static constexpr std::chrono::milliseconds kTick{4};

  static Drainer& OfProcess();

  // Errors: no thread can be started.
  Status Add(Drainable* log);
  // Afterwards the log is not called any more.
  void Remove(Drainable* log);

  // To be called after every change that makes DrainTick answer true. Costs a
  // load while the drainer is at work.
  void WakeIfAsleep() {
    // seq_cst: partner of the store in Run(). Either we see it asleep, or it
    // sees, when it looks once more before it sleeps, what we published
    // (SideFile::PublishFilled, seq_cst as well).
    if (is_asleep_.load(std::memory_order_seq_cst)) {
      Wake();
    }
  }

 private:
  explicit Drainer(uint32_t forks) : forks_(forks) {}
  Status Start() URINGFS_REQUIRES(mutex_);
  void Run();
  bool TickAll();
  void Wake();

  const uint32_t forks_;
  std::atomic<bool> is_asleep_{false};
  Mutex mutex_;
  CondVar changed_;
  std::vector<Drainable*> logs_ URINGFS_GUARDED_BY(mutex_);
  bool is_started_ URINGFS_GUARDED_BY(mutex_) = false;
  // Since the tick began.
  bool was_changed_ URINGFS_GUARDED_BY(mutex_) = false;
  Drainable* visited_ URINGFS_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_DRAINER_H_
