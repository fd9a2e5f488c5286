// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// SyncSchedule: when a log whose flushed bytes are to be durable within a time
// is synced in the background. The next sync begins when the last one is over
// and bytes wait; but on a fast disk not at once, since each one costs the
// writers something: a quarter of the time after the last one began. Three
// quarters are left for the device.
//
// It goes by what it saw at its looks: what was flushed in between counts as
// flushed right behind the earlier one.
//
// THREADS: single-owner; the thread that syncs.

#ifndef URINGFS_LOG_SYNC_SCHEDULE_H_
#define URINGFS_LOG_SYNC_SCHEDULE_H_

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace uringfs {

class SyncSchedule {
 public:
  using Clock = std::chrono::steady_clock;

  // `now`: nothing was flushed before.
  SyncSchedule(Clock::duration within, Clock::time_point now)
      : within_(within), clean_at_(now) {}

  // A look at `now`, at which the stream was flushed below `flushed` and
  // durable below `stable`; before `awake_since` nobody would have flushed
  // unnoticed. Whether it is to be synced below `flushed`.
  bool Begin(Clock::time_point now, Clock::time_point awake_since,
             uint64_t flushed, uint64_t stable) {
    clean_at_ = std::max(clean_at_, awake_since);
    if (flushed <= stable) {
      clean_at_ = now;
      return false;
    }
    if (now < begun_at_ + within_ / 4) {
      return false;
    }
    begun_at_ = now;
    return true;
  }

  // The sync that began at the last look is over, of all that was flushed then
  // or of less. How long some byte may have waited for it.
  Clock::duration End(Clock::time_point now, bool is_all) {
    const Clock::duration waited = now - clean_at_;
    if (is_all) {
      clean_at_ = begun_at_;
    }
    return waited;
  }

 private:
  const Clock::duration within_;
  // All that was flushed before is durable.
  Clock::time_point clean_at_;
  Clock::time_point begun_at_;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_SYNC_SCHEDULE_H_
