// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// From the ring outwards: publishing it in the side file, writing it out,
// syncing it, and what is done in the background.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>

#include "src/base/posix_file.h"
#include "src/log/backoff.h"
#include "src/log/log_engine.h"

namespace uringfs {
namespace {
constexpr int kStepsOfATick = 64;
}  // namespace

// Whether the stream from `known` to `offset` is seen to be filled: each buffer
// was written already, or has no writer inside. A sealed buffer gets no new
// writers, and the current one is asked last, so what was seen stays true.
bool LogEngine::IsFilled(uint64_t known, uint64_t offset) const {
  for (uint64_t seq = ring_.SeqOf(known); known < offset; ++seq) {
    bool installed = false;
    const BufferWord word = ring_.Look(seq, &installed);
    if (!installed) {
      if (writes_.written() >= ring_.BeginOf(seq + 1)) {
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
  return true;
}

// Publishes the stream below `offset` if all of it is filled.
bool LogEngine::TryPublish(uint64_t offset) {
  if (!IsFilled(std::max(side_->filled(), writes_.written()), offset)) {
    return false;
  }
  side_->PublishFilled(offset);
  return true;
}

// REQUIRES: `offset` is reserved.
Status LogEngine::PublishTo(uint64_t offset) {
  Backoff backoff;
  Status status;
  // Of a log that has failed `offset` may lie within an append: see ClaimedEnd.
  while ((status = state_.CheckUsable()).ok() && !TryPublish(offset)) {
    // Nothing is held that a writer could need.
    backoff.Pause();
  }
  if (!status.ok()) {
    return status;
  }
  if (drainer_ != nullptr) {
    drainer_->WakeIfAsleep();
  }
  return Status::Ok();
}

// Whether a flush may leave bytes in the ring.
bool LogEngine::IsPublishedOnly() const { return side_ != nullptr; }

// What a kill must not take is published first: whatever waits for the file
// may be cut off by one.
Status LogEngine::WriteOutTo(uint64_t offset) {
  Status status = IsPublishedOnly() ? PublishTo(offset) : Status::Ok();
  if (status.ok()) {
    status = writes_.WriteTo(offset);
  }
  // relaxed: whoever flushes after LeaveSideFile returned has been told so.
  if (status.ok() && stays_exact_.load(std::memory_order_relaxed)) {
    // Nothing is to be done but where direct I/O is required.
    writes_.Lead([&](Flusher* flusher) {
      writes_.AssertLed();
      status = CutAlone(flusher);
    });
    state_.FailUnlessOk(status);
  }
  return status;
}

Status LogEngine::Flush() {
  Status status = state_.CheckUsable();
  if (!status.ok()) {
    return KeepPromises(status, /*durably=*/false);
  }
  CountOne(&counters_.flushes);
  if (IsTooLong(0)) {
    TryGrow();
  }
  const SharedLock lock(&restart_mutex_);
  const uint64_t end = ClaimedEnd();
  status = IsPublishedOnly() ? PublishTo(end) : WriteOutTo(end);
  if (syncer_ != nullptr) {
    // [F1] seq_cst, between what was written and the look at the thread: see
    // Ticker::WakeIfAsleep. Partner of the load in SyncTick.
    flush_marks_.fetch_add(1, std::memory_order_seq_cst);
    syncer_->WakeIfAsleep();
  }
  return status;
}

Status LogEngine::WriteOut() {
  Status status = state_.CheckUsable();
  if (!status.ok()) {
    return status;
  }
  const SharedLock lock(&restart_mutex_);
  return WriteOutTo(ClaimedEnd());
}

Status LogEngine::Sync(SyncKind kind) {
  Status status = state_.CheckUsable();
  if (!status.ok()) {
    return KeepPromises(status, /*durably=*/true);
  }
  const SharedLock lock(&restart_mutex_);
  return SyncUpTo(ClaimedEnd(), kind);
}

Status LogEngine::SyncTo(uint64_t offset, SyncKind kind) {
  Status status = state_.CheckUsable();
  if (!status.ok()) {
    return status;
  }
  const SharedLock lock(&restart_mutex_);
  const uint64_t end = size();
  if (offset > end) {
    return Status::InvalidArgument("sync up to " + std::to_string(offset) +
                                   " of " + path() + ", which has " +
                                   std::to_string(end) + " bytes");
  }
  return SyncUpTo(offset, kind);
}

Status LogEngine::SyncUpTo(uint64_t offset, SyncKind kind) {
  CountOne(&counters_.syncs);
  // A private ring is written out by each Flush, and data files are cut to size
  // besides.
  const bool may_write =
      IsPublishedOnly() && options_.write_mode == WriteMode::kSerialised;
  // If a device flush is under way anyway it is written here, beside that.
  Status status = may_write && syncs_.IsAllStable() ? PublishTo(offset)
                                                    : WriteOutTo(offset);
  return status.ok() ? syncs_.SyncTo(offset, kind, may_write) : status;
}

void LogEngine::Drain(uint64_t wanted) {
  bool moved = true;
  // Other logs want to be drained too.
  for (int steps = 0;
       steps < kStepsOfATick && moved && state_.CheckUsable().ok(); ++steps) {
    moved = false;
    // One step at a time: others wait for the gate.
    (void)writes_.TryLead([&](Flusher* flusher) {
      moved = flusher->Step(wanted, /*wait=*/true);
    });
  }
}

void LogEngine::TouchIfChanged(uint64_t filled) {
  if (filled != touched_filled_) {
    side_->Touch();
    touched_filled_ = filled;
  }
}

bool LogEngine::DrainTick(const Ticker::Tick& tick) {
  if (!restart_mutex_.TryLockShared()) {
    return true;
  }
  const SharedLock lock(&restart_mutex_, std::adopt_lock);
  if (side_ == nullptr) {
    return false;  // see LeaveSideAlone
  }
  const uint64_t filled = side_->filled();
  // In front of the drain, which may wait for a busy disk.
  TouchIfChanged(filled);
  Drain(drain_schedule_.Begin(tick.now, filled, writes_.written()));
  // If a writer was inside the last buffer, the next look finds it gone.
  drain_schedule_.End(writes_.written());
  if (state_.CheckUsable().ok()) {
    zeros_.ExtendIfDue(counters_.syncs.load(std::memory_order_relaxed), *side_);
    zeros_.FlushIfDue();
  }
  return writes_.written() < filled && state_.CheckUsable().ok();
}

uint64_t LogEngine::FlushedEnd() const {
  const uint64_t written = hi_written();
  return side_ == nullptr ? written : std::max(written, side_->filled());
}

// A file that power loss leaves without a name is gone.
Status LogEngine::MakeNameDurable() {
  Status status;
  if (!is_name_durable_) {
    status = SyncDirectoryOf(path());
    is_name_durable_ = status.ok();
  }
  return status;
}

void LogEngine::NoteUnstable(std::chrono::nanoseconds waited) {
  using std::chrono::microseconds;
  const auto us = std::chrono::duration_cast<microseconds>(waited).count();
  // Nobody else writes to it.
  if (us > 0 && static_cast<uint64_t>(us) >
                    counters_.max_unstable_us.load(std::memory_order_relaxed)) {
    counters_.max_unstable_us.store(static_cast<uint64_t>(us),
                                    std::memory_order_relaxed);
  }
  if (waited > std::chrono::milliseconds(options_.durable_within_ms)) {
    CountOne(&counters_.late_syncs);
  }
}

// What is written of the stream below `flushed`. An error of the log is sticky:
// whoever writes next is told.
void LogEngine::SyncInTime(uint64_t flushed) {
  const uint64_t end = std::min(flushed, writes_.written());
  const bool is_named = MakeNameDurable().ok();
  const bool is_synced =
      syncs_.SyncTo(end, SyncKind::kData, /*may_write=*/false).ok();
  const bool is_all = is_named && is_synced && end == flushed;
  NoteUnstable(sync_schedule_.End(Ticker::Clock::now(), is_all));
}

bool LogEngine::SyncTick(const Ticker::Tick& tick) {
  if (!restart_mutex_.TryLockShared()) {
    return true;
  }
  const SharedLock lock(&restart_mutex_, std::adopt_lock);
  if (!state_.CheckUsable().ok()) {
    return false;
  }
  // [F1] seq_cst: whoever found this thread at work has written before.
  (void)flush_marks_.load(std::memory_order_seq_cst);
  const uint64_t flushed = FlushedEnd();
  if (!sync_schedule_.Begin(tick.now, tick.awake_since, flushed, hi_stable())) {
    return flushed > hi_stable();
  }
  // Nobody is waited for who may be inside a buffer for long.
  Drain(flushed);
  SyncInTime(flushed);
  return true;
}

}  // namespace uringfs
