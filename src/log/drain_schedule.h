// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// DrainSchedule: how far a log with a shared ring is to be written out at a
// look of the drainer's. Full buffers go at every look. The rest, which costs
// one more write of the tail block, goes when the log has not moved since the
// last look, and at the latest before anything that was flushed has waited for
// `within`.
//
// It goes by what it saw at its looks: what was flushed in between counts as
// flushed right behind the earlier one. So each look says what may still be
// there from before the next, and a log whose full buffers are written faster
// than that never has its tail written in vain.
//
// THREADS: single-owner; the drainer's.

#ifndef URINGFS_LOG_DRAIN_SCHEDULE_H_
#define URINGFS_LOG_DRAIN_SCHEDULE_H_

#include <chrono>
#include <cstdint>

namespace uringfs {

class DrainSchedule {
 public:
  using Clock = std::chrono::steady_clock;

  // Looks are `tick` apart, or a little more. A `within` of 0: as long as the
  // log moves, only full buffers.
  DrainSchedule(Clock::duration within, Clock::duration tick)
      : within_(within), tick_(tick) {}

  // A look at `now`, at which the stream was flushed below `filled` and
  // written below `written`. The log is to be written below the answer; 0: full
  // buffers only.
  uint64_t Begin(Clock::time_point now, uint64_t filled, uint64_t written) {
    const bool is_idle = filled == filled_;
    filled_ = filled;
    now_ = now;
    if (written >= mark_) {
      clean_at_ = mark_at_;
      mark_ = filled;
      mark_at_ = now;
    }
    // The next look would be too late.
    const bool is_due =
        within_ > Clock::duration::zero() && now + tick_ >= clean_at_ + within_;
    return is_idle || is_due ? filled : 0;
  }

  // The end of the same look.
  void End(uint64_t written) {
    if (written >= filled_) {
      clean_at_ = now_;
      mark_ = filled_;
      mark_at_ = now_;
    }
  }

 private:
  const Clock::duration within_;
  const Clock::duration tick_;
  // Of the look that is on, or the last one.
  uint64_t filled_ = 0;
  Clock::time_point now_;
  // All that was flushed before is written.
  Clock::time_point clean_at_;
  // What was flushed at the look `mark_at_`; the first one whose bytes were not
  // written at the last look.
  uint64_t mark_ = 0;
  Clock::time_point mark_at_;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_DRAIN_SCHEDULE_H_
