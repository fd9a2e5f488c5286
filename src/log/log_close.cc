// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The end of a log: everything in the file, the exact size, no side file left.
// By Close, or by the end of a process that does not close.

#include <algorithm>
#include <cerrno>
#include <utility>

#include "src/log/backoff.h"
#include "src/log/log_engine.h"
#include "src/side/side_pool.h"

namespace uringfs {

Status LogEngine::Close() {
  if (IsForeign()) {
    return CheckUsable();
  }
  Drainer* drainer = nullptr;
  {
    const ExclusiveLock lock(&restart_mutex_);
    StopGrowing();
    std::swap(drainer, drainer_);
  }
  if (drainer != nullptr) {
    // Outside the lock, which it may be waiting for.
    drainer->Remove(this);
  }
  const ExclusiveLock lock(&restart_mutex_);
  // An error is sticky and comes back below.
  if (state_.load(std::memory_order_acquire) == State::kOpen) {
    (void)FlushTo(ClaimedEnd());
  }
  sync_gate_.Exclusive([&] {
    flush_gate_.Exclusive([&] {
      AssertAlone();
      CloseAlone();
    });
  });
  const MutexLock error_lock(&error_mutex_);
  return close_status_;
}

void LogEngine::CloseAlone() {
  if (state_.load(std::memory_order_acquire) == State::kClosed) {
    return;
  }
  flusher_.Drain();
  if (flusher_.has_failed()) {
    Fail(flusher_.error());
  }
  RescueAlone();
  const uint64_t end = std::max(hi_written(), rescued_end_);
  const Status cut = flusher_.CutTo(end);
  const IoChoice choice = ChoiceNow();
  CloseSide(end, cut.ok());
  // The last: it lets go of the lock that keeps others from recovering.
  const Status closed = device_->Close();
  const MutexLock lock(&error_mutex_);
  close_status_ = !error_.ok() ? error_ : (!cut.ok() ? cut : closed);
  last_choice_ = choice;
  end_when_closed_.store(end, std::memory_order_relaxed);
  // release: all of the above before the state; pairs with CheckUsable().
  state_.store(State::kClosed, std::memory_order_release);
}

// `is_whole`: the file ends at `end`, with all it has of the stream.
void LogEngine::CloseSide(uint64_t end, bool is_whole) {
  if (side_ == nullptr) {
    return;
  }
  flusher_.SetSide(nullptr);
  if (side_->is_armed()) {
    side_->CutFilled(abandoned_.load(std::memory_order_acquire));
    if ((is_whole && end >= side_->filled()) || !device_->HasName()) {
      side_->Disarm();
    }
    // Else the file could not take what Flush has promised: the side file
    // stays, and RecoverLog tries again.
  }
  // One that cannot be removed holds nothing: it is found to be idle later.
  (void)ReleaseSideFile(path_, std::move(side_));
}

// Where the disk was full, what Flush had promised is still in the ring, and
// there may be space again. Then the file gets it, as RecoverLog would give it
// the next time: whoever reads the file finds no gap in front of what its
// successor holds. The log remains failed; nothing that was refused comes back.
void LogEngine::RescueAlone() {
  if (side_ == nullptr || !side_->is_armed() || !flusher_.has_failed() ||
      flusher_.error().code() != Status::Code::kNoSpace) {
    return;
  }
  const uint64_t end =
      std::min(side_->filled(), abandoned_.load(std::memory_order_acquire));
  if (end <= std::max(written_.value(), rescued_end_)) {
    return;
  }
  Status status = flusher_.WritePromised(end);
  if (status.ok()) {
    status = flusher_.CutTo(end);
  }
  if (status.ok()) {
    status = device_->MakeDurable(SyncKind::kData);
  }
  if (status.ok()) {
    rescued_end_ = end;
    // Its buffers are there: nothing was recycled since the write failed.
    side_->PublishWritten(end);
  }
}

// Polls, so that nothing that never comes is waited for, and no lock is held
// for a thread that never takes its own away. False answers of done() leave
// nothing behind.
template <class Done>
Status LogEngine::PollUntil(std::chrono::steady_clock::time_point deadline,
                            const Done& done) {
  Status status = CheckUsable();
  for (Backoff backoff; status.ok() && !done(); status = CheckUsable()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return Status::FromErrno(ETIMEDOUT, "settle", path_);
    }
    backoff.Pause();
  }
  return status;
}

// The threads of a process that ends may be anywhere and may go on. Flushes and
// syncs are kept out while this runs; appends go on, and only what they have
// left behind is looked at.
Status LogEngine::SettleForGood(std::chrono::milliseconds limit) {
  Status status = CheckUsable();  // in a child of fork the lock is nobody's
  if (!status.ok()) {
    return status;
  }
  const auto deadline = std::chrono::steady_clock::now() + limit;
  status = PollUntil(deadline, [&] { return restart_mutex_.TryLock(); });
  if (!status.ok()) {
    return status;
  }
  restart_mutex_.AssertHeld();  // or the status would not be OK
  const ExclusiveLock lock(&restart_mutex_, std::adopt_lock);
  uint64_t end = 0;
  status = PollUntil(deadline, [&] { return ring_.TryClaimedEnd(&end); });
  if (status.ok()) {
    status = PollUntil(deadline, [&] { return TryWriteTo(end); });
  }
  Status settled;
  if (status.ok()) {
    status = PollUntil(deadline, [&] {
      return flush_gate_.TryExclusive([&] {
        restart_mutex_.AssertHeld();
        flush_gate_.AssertLed();
        settled = SettleAlone();
      });
    });
  }
  return status.ok() ? settled : status;
}

// One step on the way to a file that has the stream below `offset`, if nobody
// else makes one. True if it has.
bool LogEngine::TryWriteTo(uint64_t offset) {
  flush_gate_.TryExclusive([&] {
    flush_gate_.AssertLed();
    (void)flusher_.Step(offset, /*wait=*/true);
    if (flusher_.has_failed()) {
      Fail(flusher_.error());
    }
  });
  return written_.value() >= offset;
}

// What a side file has promised is written, and its ring stays where it is; but
// it is a private one from here on, and the log is a small one that never
// grows. REQUIRES: the stream is written below all that was flushed.
Status LogEngine::SettleAlone() {
  flusher_.Drain();
  if (flusher_.has_failed()) {
    Fail(flusher_.error());
    return flusher_.error();
  }
  Status status = flusher_.CutToWritten();
  // The new size is not durable: the next Sync owes a flush.
  // release: pairs with the acquires in SyncUpTo() and LeadSync().
  metadata_version_.fetch_add(1, std::memory_order_release);
  if (!status.ok()) {
    return status;
  }
  StopGrowing();
  if (side_ != nullptr) {
    flusher_.SetSide(nullptr);
    side_->Disarm();
    // One that cannot be removed holds nothing: it is found to be idle later.
    (void)RetireSideFile(path_, side_.get());
    spent_side_ = std::move(side_);
  }
  if (options_.direct_io != DirectIo::kRequired) {
    flusher_.SetCached(true);
  }
  return status;
}

}  // namespace uringfs
