// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The shared ring's side of LogEngine: Flush as a store, and what the drainer
// does in the background.

#include <algorithm>

#include "src/log/backoff.h"
#include "src/log/log_engine.h"

namespace uringfs {
namespace {
constexpr int kStepsOfATick = 64;
}  // namespace

// Publishes the stream below `offset` if all of it is seen to be filled: each
// buffer from the last known end on was written already, or has no writer
// inside. A sealed buffer gets no new writers, and the current one is asked
// last, so what was seen stays true.
bool LogEngine::TryPublish(uint64_t offset) {
  const uint64_t known = std::max(side_->filled(), written_.value());
  for (uint64_t seq = ring_.SeqOf(known); known < offset; ++seq) {
    bool installed = false;
    const BufferWord word = ring_.Look(seq, &installed);
    if (!installed) {
      if (written_.value() >= ring_.BeginOf(seq + 1)) {
        continue;  // recycled meanwhile
      }
      return false;  // its rotator is about to install it
    }
    if (word.has_writers()) {
      return false;
    }
    if (ring_.BeginOf(seq) + word.reserved >= offset) {
      break;
    }
    if (word.phase == BufferPhase::kOpen) {
      return false;
    }
  }
  side_->PublishFilled(offset);
  return true;
}

// REQUIRES: `offset` is reserved.
Status LogEngine::PublishTo(uint64_t offset) {
  Backoff backoff;
  while (!TryPublish(offset)) {
    // Nothing is held that a writer could need.
    Status status = CheckUsable();
    if (!status.ok()) {
      return status;
    }
    backoff.Pause();
  }
  if (drainer_ != nullptr) {
    drainer_->WakeIfAsleep();
  }
  return Status::Ok();
}

bool LogEngine::DrainTick(std::chrono::steady_clock::time_point now) {
  if (!restart_mutex_.TryLockShared()) {
    return true;
  }
  const SharedLock lock(&restart_mutex_, std::adopt_lock);
  if (side_ == nullptr) {
    return false;  // see SettleForGood
  }
  const uint64_t filled = side_->filled();
  const uint64_t wanted = schedule_.Begin(now, filled, written_.value());
  bool moved = true;
  // Other logs want to be drained too.
  for (int steps = 0; steps < kStepsOfATick && moved && CheckUsable().ok();
       ++steps) {
    moved = false;
    // One step at a time: others wait for the gate.
    flush_gate_.TryExclusive([&] {
      flush_gate_.AssertLed();
      moved = flusher_.Step(wanted, /*wait=*/true);
      if (flusher_.has_failed()) {
        Fail(flusher_.error());
      }
    });
  }
  // If a writer was inside the last buffer, the next look finds it gone.
  schedule_.End(written_.value());
  if (options_.max_extend_bytes > 0 && CheckUsable().ok()) {
    ExtendAhead();
    FlushWindow();
  }
  return written_.value() < filled && CheckUsable().ok();
}

}  // namespace uringfs
