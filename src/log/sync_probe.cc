// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/sync_probe.h"

#include <algorithm>

namespace uringfs {

SyncProbe* SyncProbe::OfDevice(uint64_t device_id) {
  // Two disks that share one are no disaster. Never destroyed: logs may outlive
  // statics.
  static auto* const probes = new std::array<SyncProbe, 64>;
  return &(*probes)[(device_id ^ (device_id >> 8)) % probes->size()];
}

SyncWay SyncProbe::Next() {
  uint32_t left = left_.load(std::memory_order_relaxed);
  if (left > 0) {
    // Lost counts do not matter.
    left_.store(left - 1, std::memory_order_relaxed);
    return kept();
  }
  if (!mutex_.TryLock()) {
    return kept();
  }
  const MutexLock lock(&mutex_, std::adopt_lock);
  turn_ = turn_ == SyncWay::kDsync ? SyncWay::kFlush : SyncWay::kDsync;
  return turn_;
}

int64_t SyncProbe::Median(const Samples& samples) {
  auto sorted = samples.nanos;
  std::sort(sorted.begin(), sorted.end());
  return sorted[kSamples / 2];
}

void SyncProbe::Took(SyncWay way, std::chrono::nanoseconds time) {
  if (left_.load(std::memory_order_relaxed) > 0) {
    return;
  }
  if (!mutex_.TryLock()) {
    return;
  }
  const MutexLock lock(&mutex_, std::adopt_lock);
  Samples& own = samples_[static_cast<size_t>(way)];
  if (own.count < kSamples) {
    own.nanos[own.count++] = time.count();
  }
  const Samples& dsync = samples_[static_cast<size_t>(SyncWay::kDsync)];
  const Samples& flush = samples_[static_cast<size_t>(SyncWay::kFlush)];
  if (dsync.count < kSamples || flush.count < kSamples) {
    return;
  }
  // One request waits once where the disk is busy, two wait twice: a flush has
  // to be clearly better while it is not.
  const bool flush_is_better = Median(flush) * 10 < Median(dsync) * 9;
  kept_.store(flush_is_better ? SyncWay::kFlush : SyncWay::kDsync,
              std::memory_order_relaxed);
  samples_ = {};
  left_.store(kKeptSyncs, std::memory_order_relaxed);
}

}  // namespace uringfs
