// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The end of a log, or of its side file: everything in the file, the exact
// size. By Close, for a successor, or by the end of a process that does not
// close.

#include <algorithm>
#include <cerrno>
#include <utility>

#include "src/log/backoff.h"
#include "src/log/log_engine.h"
#include "src/side/side_file.h"

namespace uringfs {

// body(flusher), with no sync and no write beside it.
template <class Body>
void LogEngine::RunAlone(const Body& body) {
  syncs_.Alone([&] {
    writes_.Lead([&](Flusher* flusher) {
      restart_mutex_.AssertHeld();
      writes_.AssertLed();
      body(flusher);
    });
  });
}

Status LogEngine::Close() {
  if (IsForeign()) {
    return state_.CheckUsable();
  }
  Ticker* drainer = nullptr;
  Ticker* syncer = nullptr;
  {
    const ExclusiveLock lock(&restart_mutex_);
    StopGrowing();
    std::swap(drainer, drainer_);
    std::swap(syncer, syncer_);
  }
  // Outside the lock, which they may be waiting for.
  if (drainer != nullptr) {
    drainer->Remove(&drain_look_);
  }
  if (syncer != nullptr) {
    syncer->Remove(&sync_look_);
  }
  const ExclusiveLock lock(&restart_mutex_);
  // An error is sticky and comes back below.
  if (state_.is_open()) {
    (void)WriteOutTo(ClaimedEnd());
    if (options_.durable_within_ms > 0) {
      SyncInTime(ClaimedEnd());  // nobody looks after it any more
    }
  }
  RunAlone([&](Flusher* flusher) {
    restart_mutex_.AssertHeld();
    writes_.AssertLed();
    CloseAlone(flusher);
  });
  return state_.close_status();
}

void LogEngine::CloseAlone(Flusher* flusher) {
  if (state_.is_closed()) {
    return;
  }
  writes_.Finish();
  Rescue(flusher);
  const uint64_t end = hi_written();
  // Damaged bytes were promised all the same: a side file that stays counts on
  // all that is written.
  const bool is_promised = side_ != nullptr && side_->filled() > end;
  Status cut =
      flusher->CutTo(is_promised ? std::max(end, writes_.written()) : end);
  if (cut.ok() && OwesOrder() && state_.is_open()) {
    syncs_.FlushAlone();
    cut = state_.CheckUsable();
  }
  const IoChoice choice = ChoiceNow();
  CloseSide(flusher, end, cut.ok() && !OwesOrder());
  // The last: it lets go of the lock that keeps others from recovering.
  const Status closed = device_->Close();
  state_.Close(cut.ok() ? closed : cut, end, choice);
}

// What overwrites zeros does not reach the disk in order, and as long as that
// can be torn by power loss a side file has to tell so.
bool LogEngine::OwesOrder() {
  return zeros_.has_extended() && !syncs_.IsAllStable() &&
         !stays_exact_.load(std::memory_order_relaxed);
}

// `is_whole`: the file ends at `end`, with all it has of the stream, and owes
// nothing.
void LogEngine::CloseSide(Flusher* flusher, uint64_t end, bool is_whole) {
  if (side_ != nullptr) {
    flusher->SetSide(nullptr);
    if ((is_whole && end >= side_->filled()) || !device_->HasName()) {
      side_->Disarm();
    }
    spent_side_ = std::move(side_);
  }
  if (spent_side_ != nullptr && !spent_side_->is_armed()) {
    // One that cannot be removed holds nothing: it is found to be idle later.
    (void)spent_side_->Remove();
  }
  // Else the file could not take what Flush has promised: the side file stays,
  // and RecoverLog tries again.
  spent_side_.reset();
}

// Where the disk was full, what Flush had promised is still in the ring, and
// there may be space again. Then the file gets it, as RecoverLog would give it
// the next time: whoever reads the file finds no gap in front of what its
// successor holds. The log remains failed; nothing that was refused comes back.
void LogEngine::Rescue(Flusher* flusher) {
  if (side_ != nullptr && side_->is_armed()) {
    (void)RescueTo(flusher, std::min(side_->filled(), state_.abandoned()));
  }
}

// Makes the stream below `end` durable after a write of it has failed for want
// of space. A device flush that has failed tells its error once, so that no
// later one proves anything.
Status LogEngine::RescueTo(Flusher* flusher, uint64_t end) {
  if (!flusher->has_failed() || syncs_.has_failed() ||
      flusher->error().code() != Status::Code::kNoSpace) {
    return state_.error();
  }
  if (end <= rescued_end_.load(std::memory_order_relaxed)) {
    return Status::Ok();
  }
  Status status = flusher->WritePromised(end);
  state_.AbandonFrom(flusher->corrupt_from());
  if (status.ok()) {
    status = flusher->CutTo(std::max(end, hi_written()));
  }
  if (status.ok()) {
    status = syncs_.MakeDurable(SyncKind::kData);
  }
  if (status.ok()) {
    // release: what the file has before what says so.
    rescued_end_.store(end, std::memory_order_release);
    if (side_ != nullptr && side_->is_armed()) {
      // Its buffers are there: nothing was recycled since the write failed.
      side_->PublishWritten(std::max(end, hi_written()));
    }
  }
  return status;
}

// Of a log that has failed: how far its stream goes, all of it in the ring or
// in the file. False while somebody is still at work on that.
bool LogEngine::FindKeptEnd(uint64_t* end) const {
  const uint64_t abandoned = state_.abandoned();
  // A claim that found no room lies between two buffers for good: nobody claims
  // anything after it, and it does not count.
  if (!ring_.TryClaimedEnd(end) && abandoned == UINT64_MAX) {
    return false;
  }
  *end = std::min(*end, abandoned);
  return IsFilled(writes_.written(), *end);
}

// Nothing is appended after the disk was full, but what was is in the ring
// still. RocksDB, when it gets over that, asks for the old log's bytes once
// more before it goes on in a new one, and then counts on them no longer.
Status LogEngine::KeepPromises(const Status& error, bool durably) {
  if (error.code() != Status::Code::kNoSpace ||
      options_.write_mode != WriteMode::kSerialised) {
    return error;
  }
  const ExclusiveLock lock(&restart_mutex_);
  uint64_t end = 0;
  if (!FindKeptEnd(&end)) {
    return error;
  }
  const bool has_side = side_ != nullptr && side_->is_armed();
  const bool is_in_side =
      has_side && (side_->filled() >= end || TryPublish(end));
  Status rescued;
  bool is_corrupt = false;
  RunAlone([&](Flusher* flusher) {
    restart_mutex_.AssertHeld();
    writes_.AssertLed();
    rescued = RescueTo(flusher, end);
    is_corrupt = flusher->corrupt_from() != UINT64_MAX;
  });
  if (is_corrupt) {
    return error;
  }
  if (rescued.ok() && has_side && !is_in_side) {
    return error;
  }
  // In the side file it survives a kill as well.
  return rescued.ok() || (is_in_side && !durably) ? Status::Ok() : error;
}

// Durably, size and all: the next log must not outlive this one's end, or power
// loss would leave a gap between the two; and whoever reads the files without
// asking anybody takes what is behind this one's records for its end. A log
// without a byte has no end to lose.
Status LogEngine::LeaveSideFile() {
  Status status = state_.CheckUsable();
  if (IsForeign()) {
    return status;
  }
  {
    const ExclusiveLock lock(&restart_mutex_);
    StopGrowing();
    if (status.ok()) {
      status = WriteOutTo(ClaimedEnd());
    }
    zeros_.Stop();
    RunAlone([&](Flusher* flusher) {
      restart_mutex_.AssertHeld();
      writes_.AssertLed();
      if (status.ok()) {
        status = CutAlone(flusher);
        state_.FailUnlessOk(status);
      }
      if (status.ok() && writes_.written() > 0) {
        syncs_.FlushAlone();
        status = state_.CheckUsable();
      }
      status.ok() ? LeaveSideAlone(flusher) : Rescue(flusher);
    });
  }
  return status.ok() ? status : KeepPromises(status, /*durably=*/true);
}

Status LogEngine::Settle() {
  Status status = state_.CheckUsable();
  if (!status.ok()) {
    return status;
  }
  const SharedLock lock(&restart_mutex_);
  status = WriteOutTo(ClaimedEnd());
  if (status.ok()) {
    // Zeros behind the cut would undo it. For good: whoever settles a log may
    // be about to write there himself.
    zeros_.Stop();
    writes_.Lead([&](Flusher* flusher) { status = flusher->CutToWritten(); });
    // The new size is not durable.
    syncs_.FileChanged();
    if (!status.ok()) {
      state_.Fail(status);
    }
  }
  return status;
}

// Polls, so that nothing that never comes is waited for, and no lock is held
// for a thread that never takes its own away. False answers of done() leave
// nothing behind.
template <class Done>
Status LogEngine::PollUntil(std::chrono::steady_clock::time_point deadline,
                            const Done& done) {
  Status status = state_.CheckUsable();
  for (Backoff backoff; status.ok() && !done(); status = state_.CheckUsable()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return Status::FromErrno(ETIMEDOUT, "settle", path());
    }
    backoff.Pause();
  }
  return status;
}

// The threads of a process that ends may be anywhere and may go on. Flushes and
// syncs are kept out while this runs; appends go on, and only what they have
// left behind is looked at.
Status LogEngine::SettleForGood(std::chrono::milliseconds limit) {
  // In a child of fork the lock is nobody's.
  Status status = state_.CheckUsable();
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
    status = PollUntil(deadline, [&] { return writes_.TryWriteTo(end); });
  }
  Status settled;
  if (status.ok()) {
    status = PollUntil(deadline, [&] {
      return writes_.TryLead([&](Flusher* flusher) {
        restart_mutex_.AssertHeld();
        writes_.AssertLed();
        settled = SettleAlone(flusher);
      });
    });
  }
  return status.ok() ? settled : status;
}

// The file is as long as what is written. REQUIRES: the stream is written below
// all that was flushed.
Status LogEngine::CutAlone(Flusher* flusher) {
  writes_.Finish();
  if (flusher->has_failed()) {
    return flusher->error();
  }
  if (flusher->physical_end() == writes_.written()) {
    return Status::Ok();
  }
  Status status = flusher->CutToWritten();
  // The new size is not durable. Behind the cut: a flush that began before it
  // does not cover it.
  syncs_.FileChanged();
  return status;
}

// The ring stays where it is; but it is a private one from here on, and the log
// is a small one that never grows: its file alone is the log, at every instant.
// REQUIRES: it is now.
void LogEngine::LeaveSideAlone(Flusher* flusher) {
  StopGrowing();
  stays_exact_.store(true, std::memory_order_relaxed);
  if (side_ != nullptr) {
    flusher->SetSide(nullptr);
    side_->Disarm();
    side_->Touch();  // nobody looks after it any more
    spent_side_ = std::move(side_);
  }
  if (options_.direct_io != DirectIo::kRequired) {
    flusher->SetCached(true);
  }
}

// For the end of the process: nobody comes to remove anything.
Status LogEngine::SettleAlone(Flusher* flusher) {
  Status status = CutAlone(flusher);
  if (status.ok() && (options_.durable_within_ms > 0 || OwesOrder())) {
    // The background threads end with the process.
    (void)MakeNameDurable();
    status = syncs_.FlushDevice(SyncKind::kData);
  }
  if (status.ok()) {
    LeaveSideAlone(flusher);
    if (spent_side_ != nullptr) {
      // One that cannot be removed holds nothing: it is found to be idle later.
      (void)spent_side_->Unlink();  // its memory stays in use
    }
  }
  return status;
}

}  // namespace uringfs
