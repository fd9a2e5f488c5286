// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// SyncProbe: which of two ways to make an overwrite durable is faster on a
// disk, learnt from the syncs that come along. Both do it; a drive may be much
// slower at one of them.
//
// Some syncs go one way and some the other, in turns; the flush is kept if its
// median is lower by a tenth or more, else the durable write. After many more
// it is asked again: what shares the disk may have changed.
//
// THREADS: any.

#ifndef URINGFS_LOG_SYNC_PROBE_H_
#define URINGFS_LOG_SYNC_PROBE_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {

enum class SyncWay : uint8_t {
  kDsync,  // the write itself is durable (RWF_DSYNC)
  kFlush,  // a write, then a device flush (fdatasync)
};

class SyncProbe {
 public:
  static constexpr size_t kSamples = 32;         // of each way
  static constexpr uint32_t kKeptSyncs = 65536;  // before it is asked again

  // The one of a disk (st_dev); lives as long as the process.
  static SyncProbe* OfDevice(uint64_t device_id);

  SyncProbe() = default;
  SyncProbe(const SyncProbe&) = delete;
  SyncProbe& operator=(const SyncProbe&) = delete;

  // The way the next sync should go, if it can.
  SyncWay Next();
  // A sync that went this way took so long.
  void Took(SyncWay way, std::chrono::nanoseconds time);

  // The way that was kept last; kDsync before any was.
  SyncWay kept() const { return kept_.load(std::memory_order_relaxed); }

 private:
  struct Samples {
    std::array<int64_t, kSamples> nanos = {};
    size_t count = 0;
  };
  static int64_t Median(const Samples& samples);

  // relaxed, both: hints.
  std::atomic<SyncWay> kept_{SyncWay::kDsync};
  std::atomic<uint32_t> left_{0};  // syncs until it is asked again

  // Never waited for: a child of fork may find it locked for ever.
  Mutex mutex_;
  std::array<Samples, 2> samples_ URINGFS_GUARDED_BY(mutex_);
  SyncWay turn_ URINGFS_GUARDED_BY(mutex_) = SyncWay::kFlush;
};

// Times one sync.
class SyncTimer {
 public:
  explicit SyncTimer(SyncProbe* probe)
      : probe_(probe), way_(probe->Next()), begin_(Clock::now()) {}
  SyncWay way() const { return way_; }
  void Took(SyncWay way) const { probe_->Took(way, Clock::now() - begin_); }

 private:
  using Clock = std::chrono::steady_clock;
  SyncProbe* const probe_;
  const SyncWay way_;
  const Clock::time_point begin_;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_SYNC_PROBE_H_
