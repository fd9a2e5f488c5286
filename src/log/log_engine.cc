// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Making, restarting and truncating a log; what others ask about it.

#include "src/log/log_engine.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "src/base/align.h"

namespace uringfs {

// No analysis: nobody else knows this log yet.
Status LogEngine::OpenOn(
    LogParts parts, const std::string& path, const LogOptions& options,
    std::unique_ptr<LogEngine>* engine) URINGFS_NO_THREAD_SAFETY_ANALYSIS {
  const uint64_t size = parts.opened.size_bytes;
  std::unique_ptr<LogEngine> made(
      new LogEngine(std::move(parts), path, options));
  Status status = made->RestartAt(made->writes_.FlusherOfNewLog(), size, size);
  if (status.ok()) {
    status = made->StartSyncs();
  }
  if (status.ok() && made->side_ != nullptr) {
    made->StartDrain();
  }
  if (status.ok()) {
    *engine = std::move(made);
  } else {
    made->state_.Fail(status);
  }
  return status;
}

LogEngine::LogEngine(LogParts parts, const std::string& path,
                     const LogOptions& options)
    : options_(options),
      identity_(parts.opened.identity),
      state_(path),
      workspace_(std::move(parts.workspace)),
      side_(std::move(parts.side)),
      fallback_ring_(std::move(parts.fallback_ring)),
      ring_reason_(std::move(parts.ring_reason)),
      device_(std::move(parts.opened.device)),
      ring_(RingMemory(), options.buffer_bytes, options.buffers_count),
      writes_(&ring_, device_.get(), workspace_->tail_block(), options,
              &state_),
      syncs_(device_.get(), &writes_,
             parts.probe != nullptr ? parts.probe
                                    : SyncProbe::OfDevice(identity_.device),
             options.write_mode, &state_),
      zeros_(options, device_.get(), &writes_, &syncs_),
      is_small_(parts.starts_small),
      is_ticked_by_hand_(parts.is_ticked_by_hand),
      drain_look_([this](const Ticker::Tick& tick) { return DrainTick(tick); }),
      sync_look_([this](const Ticker::Tick& tick) { return SyncTick(tick); }),
      drain_schedule_(std::chrono::milliseconds(options.drain_within_ms),
                      Ticker::kDrainTick),
      sync_schedule_(std::chrono::milliseconds(options.durable_within_ms),
                     Ticker::Clock::now()) {
  Flusher* const flusher = writes_.FlusherOfNewLog();
  flusher->SetSide(side_.get());
  flusher->SetCached(parts.is_cached);
  if (options.write_mode == WriteMode::kTailLocalised) {
    flusher->AllocateAhead();
    if (options.direct_io != DirectIo::kRequired) {
      flusher->CacheUpTo(options.cached_bytes);
    }
  }
}

// Without the thread an idle log keeps its last bytes in the ring, where they
// are as safe, until it is synced, closed or recovered.
void LogEngine::StartDrain() {
  if (is_ticked_by_hand_) {
    return;
  }
  Ticker& drainer = Ticker::ForDrains(identity_.device);
  const Status status = drainer.Add(&drain_look_);
  if (status.ok()) {
    drainer_ = &drainer;
  } else {
    ring_reason_ = "no background drain: " + status.ToString();
  }
}

// Without the thread nothing would hold the promise: an error.
Status LogEngine::StartSyncs() {
  if (options_.durable_within_ms == 0 || is_ticked_by_hand_) {
    return Status::Ok();
  }
  Ticker& syncer = Ticker::ForSyncs(identity_.device);
  Status status = syncer.Add(&sync_look_);
  if (status.ok()) {
    syncer_ = &syncer;
  }
  return status;
}

char* LogEngine::RingMemory() const {
  if (side_ != nullptr) {
    return side_->ring();
  }
  return fallback_ring_.data() != nullptr ? fallback_ring_.data()
                                          : workspace_->ring_memory();
}

LogEngine::~LogEngine() {
  // The outcome is lost: a caller that wants it calls Close.
  (void)Close();
  if (IsForeign()) {
    (void)device_.release();
    (void)workspace_.release();
    (void)side_.release();
    (void)spent_side_.release();
    return;
  }
  device_.reset();
  Workspace::Release(std::move(workspace_));
}

// REQUIRES: nothing is in flight.
Status LogEngine::RestartAt(Flusher* flusher, uint64_t offset,
                            uint64_t physical) {
  const uint64_t block = AlignDown(offset, kDeviceBlockBytes);
  const auto tail_bytes = static_cast<uint32_t>(offset - block);
  if (tail_bytes > 0) {
    size_t got = 0;
    Status status =
        device_->Read(block, ring_.data(0), kDeviceBlockBytes, &got);
    if (status.ok() && got < tail_bytes) {
      status = Status::FromErrno(
          EIO, "read of the last block (the file is shorter than it was)",
          path());
    }
    if (!status.ok()) {
      return status;
    }
  }
  // acq_rel: odd before any store of the restart; even after all of them.
  restarts_.fetch_add(1, std::memory_order_acq_rel);
  ring_.Restart(block, tail_bytes);
  restarts_.fetch_add(1, std::memory_order_release);
  flusher->Start(offset, physical);
  if (side_ != nullptr) {
    side_->Arm(identity_, block, offset);
  }
  return Status::Ok();
}

// REQUIRES: all is written.
Status LogEngine::TruncateAlone(Flusher* flusher, uint64_t size) {
  Status status;
  if (side_ != nullptr) {
    // The file is the whole log before nothing else says so.
    status = flusher->CutToWritten();
    if (!status.ok()) {
      return status;
    }
    side_->Disarm();
    side_->Forget();
  }
  if (spent_side_ != nullptr) {
    spent_side_->Forget();
  }
  status = flusher->CutTo(size);
  return status.ok() ? RestartAt(flusher, size, size) : status;
}

Status LogEngine::Truncate(uint64_t size) {
  if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return Status::InvalidArgument("truncate " + path() + " to " +
                                   std::to_string(size) +
                                   " bytes: no file can be that long");
  }
  Status status = state_.CheckUsable();
  if (!status.ok()) {
    return status;
  }
  const ExclusiveLock lock(&restart_mutex_);
  status = WriteOutTo(ClaimedEnd());
  if (!status.ok()) {
    return status;
  }
  syncs_.Alone([&] {
    writes_.Lead([&](Flusher* flusher) {
      restart_mutex_.AssertHeld();
      writes_.AssertLed();
      status = TruncateAlone(flusher, size);
    });
    syncs_.Cut(size);
  });
  if (!status.ok()) {
    state_.AbandonFrom(size);  // Close must not make the file longer again
    state_.Fail(status);
  }
  return status;
}

// No analysis: whoever changes side_ leads the writes besides.
bool LogEngine::HasSideNow() const URINGFS_NO_THREAD_SAFETY_ANALYSIS {
  return side_ != nullptr;
}

IoChoice LogEngine::ChoiceNow() const {
  IoChoice choice = device_->choice();
  choice.uses_shared_ring = HasSideNow() || spent_side_ != nullptr;
  choice.syncs_by_flush = syncs_.way() == SyncWay::kFlush;
  choice.lost_shared_ring = !choice.uses_shared_ring && !ring_reason_.empty();
  if (!ring_reason_.empty()) {
    choice.reason += (choice.reason.empty() ? "" : "; ") + ring_reason_;
  }
  return choice;
}

uint64_t LogEngine::size() const {
  return state_.is_closed() ? state_.last_size() : ReservedEnd();
}

uint64_t LogEngine::hi_written() const {
  // acquire: partner of the release in Rescue().
  return std::min(
      std::max(writes_.written(), rescued_end_.load(std::memory_order_acquire)),
      state_.abandoned());
}

uint64_t LogEngine::hi_flushed() const {
  if (IsForeign()) {
    return hi_written();
  }
  const SharedLock lock(&restart_mutex_);
  return FlushedEnd();
}

uint64_t LogEngine::hi_stable() const {
  // acquire: as above. A rescue ends with a device flush.
  return std::min(
      std::max(syncs_.stable(), rescued_end_.load(std::memory_order_acquire)),
      state_.abandoned());
}

void LogEngine::SetWriteLifetimeHint(int hint) {
  if (IsForeign()) {
    return;
  }
  writes_.Lead([&](Flusher* /*flusher*/) {
    if (!state_.is_closed()) {
      device_->SetLifetimeHint(hint);
    }
  });
}

IoChoice LogEngine::io_choice() const {
  IoChoice choice;
  if (IsForeign()) {
    return choice;
  }
  gate()->Exclusive([&] {
    writes_.AssertLed();
    choice = state_.is_closed() ? state_.last_choice() : ChoiceNow();
  });
  return choice;
}

LogStats LogEngine::stats() const {
  const auto read = [](const std::atomic<uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
  };
  LogStats stats;
  stats.appends = read(counters_.appends);
  stats.appended_bytes = read(counters_.appended_bytes);
  stats.flushes = read(counters_.flushes);
  stats.syncs = read(counters_.syncs);
  stats.space_waits = read(counters_.space_waits);
  stats.late_syncs = read(counters_.late_syncs);
  stats.max_unstable_us = read(counters_.max_unstable_us);
  stats.device_writes = read(writes_.counters().writes);
  stats.device_bytes = read(writes_.counters().bytes);
  stats.device_flushes = read(syncs_.counters().device_flushes);
  stats.durable_writes = read(syncs_.counters().durable_writes);
  stats.stable_advances = read(syncs_.counters().stable_advances);
  stats.extensions = read(zeros_.counters().extensions);
  stats.extended_bytes = read(zeros_.counters().bytes);
  return stats;
}

}  // namespace uringfs
