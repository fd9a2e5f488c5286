// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Making, flushing and truncating; what others ask for. Each log_*.cc has a
// part of it.

#include "src/log/log_engine.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "src/base/align.h"
#include "src/base/fork_count.h"
#include "src/log/backoff.h"

namespace uringfs {
namespace {

uint32_t WritesInFlight(const LogOptions& options) {
  return options.write_mode == WriteMode::kSerialised
             ? 1
             : options.writes_in_flight;
}

}  // namespace

// No analysis: nobody else knows this log yet.
Status LogEngine::OpenOn(
    LogParts parts, const std::string& path, const LogOptions& options,
    std::unique_ptr<LogEngine>* engine) URINGFS_NO_THREAD_SAFETY_ANALYSIS {
  const uint64_t size = parts.opened.size_bytes;
  std::unique_ptr<LogEngine> made(
      new LogEngine(std::move(parts), path, options));
  Status status = made->RestartAt(size, size);
  if (status.ok() && made->side_ != nullptr) {
    made->StartDrain();
  }
  if (status.ok()) {
    *engine = std::move(made);
  } else {
    made->Fail(status);
  }
  return status;
}

LogEngine::LogEngine(LogParts parts, const std::string& path,
                     const LogOptions& options)
    : path_(path),
      options_(options),
      identity_(parts.opened.identity),
      forks_(ForkCount()),
      workspace_(std::move(parts.workspace)),
      side_(std::move(parts.side)),
      fallback_ring_(std::move(parts.fallback_ring)),
      ring_reason_(std::move(parts.ring_reason)),
      device_(std::move(parts.opened.device)),
      probe_(parts.probe != nullptr ? parts.probe
                                    : SyncProbe::OfDevice(identity_.device)),
      ring_(RingMemory(), options.buffer_bytes, options.buffers_count),
      flusher_(&ring_, device_.get(), &written_, workspace_->tail_block(),
               WritesInFlight(options), path),
      is_drained_by_hand_(parts.is_drained_by_hand),
      schedule_(std::chrono::milliseconds(options.drain_within_ms),
                Drainer::kTick) {
  flusher_.SetSide(side_.get());
  flusher_.SetCached(parts.starts_small);
  if (options.write_mode == WriteMode::kTailLocalised) {
    flusher_.AllocateAhead();
    if (options.direct_io != DirectIo::kRequired) {
      flusher_.CacheUpTo(options.cached_bytes);
    }
  }
  is_small_.store(parts.starts_small, std::memory_order_relaxed);
}

// Without the thread an idle log keeps its last bytes in the ring, where they
// are as safe, until it is synced, closed or recovered.
void LogEngine::StartDrain() {
  if (is_drained_by_hand_) {
    return;
  }
  Drainer& drainer = Drainer::OfProcess();
  const Status status = drainer.Add(this);
  if (status.ok()) {
    drainer_ = &drainer;
  } else {
    ring_reason_ = "no background drain: " + status.ToString();
  }
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
Status LogEngine::RestartAt(uint64_t offset, uint64_t physical) {
  const uint64_t block = AlignDown(offset, kDeviceBlockBytes);
  const auto tail_bytes = static_cast<uint32_t>(offset - block);
  if (tail_bytes > 0) {
    size_t got = 0;
    Status status =
        device_->Read(block, ring_.data(0), kDeviceBlockBytes, &got);
    if (status.ok() && got < tail_bytes) {
      status = Status::FromErrno(
          EIO, "read of the last block (the file is shorter than it was)",
          path_);
    }
    if (!status.ok()) {
      return status;
    }
  }
  // acq_rel: odd before any store of the restart; even after all of them.
  restarts_.fetch_add(1, std::memory_order_acq_rel);
  ring_.Restart(block, tail_bytes);
  restarts_.fetch_add(1, std::memory_order_release);
  flusher_.Start(offset, physical);
  if (side_ != nullptr) {
    side_->Arm(identity_, block, offset);
  }
  return Status::Ok();
}

bool LogEngine::IsForeign() const { return ForkCount() != forks_; }

Status LogEngine::CheckUsable() const {
  if (IsForeign()) {
    return Status::NotSupported(
        "use of " + path_ +
        " in a child process: a log is not inherited by fork; open another");
  }
  // Acquire: pairs with the release in Fail() and CloseAlone().
  switch (state_.load(std::memory_order_acquire)) {
    case State::kOpen:
      return Status::Ok();
    case State::kFailed:
      return error();
    case State::kClosed:
      break;
  }
  return Status::Closed(path_);
}

Status LogEngine::error() const {
  const MutexLock lock(&error_mutex_);
  return error_;
}

void LogEngine::Fail(const Status& status) {
  // Bytes that are known to be wrong count no more than those of an append that
  // failed, whatever of them was written or promised.
  AbandonFrom(FlusherForAny()->corrupt_from());
  const MutexLock lock(&error_mutex_);
  if (error_.ok()) {
    error_ = status;
    // release: the status before the state; pairs with CheckUsable().
    state_.store(State::kFailed, std::memory_order_release);
  }
}

void LogEngine::LeadFlush(uint64_t wanted, Backoff* backoff) {
  const bool moved = flusher_.Step(wanted, /*wait=*/true);
  if (flusher_.has_failed()) {
    Fail(flusher_.error());
  } else if (!moved) {
    backoff->Pause();
  }
}

Status LogEngine::WriteTo(uint64_t offset) {
  Status status = CheckUsable();
  if (!status.ok()) {
    return status;
  }
  Backoff backoff;
  flush_gate_.Await(
      [&] { return written_.value() >= offset || !CheckUsable().ok(); },
      [&] {
        flush_gate_.AssertLed();
        LeadFlush(offset, &backoff);
      });
  return written_.value() >= offset ? Status::Ok() : CheckUsable();
}

// What a kill must not take is published first: whatever waits for the file
// may be cut off by one. Not behind LeaveSideFile: there the ring must never
// have what the file lacks.
Status LogEngine::FlushTo(uint64_t offset) {
  if (side_ == nullptr) {
    return WriteTo(offset);
  }
  // relaxed: whoever flushes after LeaveSideFile returned has been told so.
  if (flushes_to_file_.load(std::memory_order_relaxed)) {
    Status status = WriteTo(offset);
    return status.ok() ? PublishTo(offset) : status;
  }
  Status status = PublishTo(offset);
  return status.ok() ? WriteTo(offset) : status;
}

Status LogEngine::Flush() {
  Status status = CheckUsable();
  if (!status.ok()) {
    return status;
  }
  CountOne(&flushes_);
  if (IsTooLong(0)) {
    TryGrow();
  }
  const SharedLock lock(&restart_mutex_);
  const uint64_t end = ClaimedEnd();
  // relaxed: as in FlushTo.
  return side_ != nullptr && !flushes_to_file_.load(std::memory_order_relaxed)
             ? PublishTo(end)
             : FlushTo(end);
}

Status LogEngine::LeaveSideFile() {
  {
    // Alone: a Flush that began before is over, and written out below.
    const ExclusiveLock lock(&restart_mutex_);
    flushes_to_file_.store(true, std::memory_order_relaxed);
    StopGrowing();
    Rescue();
  }
  // Durably: the next log must not outlive this one's end, or power loss would
  // leave a gap between the two. A log without a byte has no end to lose.
  return size() == 0 ? CheckUsable() : Sync();
}

void LogEngine::Rescue() {
  sync_gate_.Exclusive([&] {
    flush_gate_.Exclusive([&] {
      AssertAlone();
      RescueAlone();
    });
  });
}

Status LogEngine::WriteOut() {
  Status status = CheckUsable();
  if (!status.ok()) {
    return status;
  }
  const SharedLock lock(&restart_mutex_);
  return FlushTo(ClaimedEnd());
}

// REQUIRES: all is written.
Status LogEngine::TruncateAlone(uint64_t size) {
  Status status;
  if (side_ != nullptr) {
    // The file is the whole log before nothing else says so.
    status = flusher_.CutToWritten();
    if (!status.ok()) {
      return status;
    }
    side_->Disarm();
  }
  status = flusher_.CutTo(size);
  return status.ok() ? RestartAt(size, size) : status;
}

Status LogEngine::Truncate(uint64_t size) {
  if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return Status::InvalidArgument("truncate " + path_ + " to " +
                                   std::to_string(size) +
                                   " bytes: no file can be that long");
  }
  Status status = CheckUsable();
  if (!status.ok()) {
    return status;
  }
  const ExclusiveLock lock(&restart_mutex_);
  status = FlushTo(ClaimedEnd());
  if (!status.ok()) {
    return status;
  }
  sync_gate_.Exclusive([&] {
    flush_gate_.Exclusive([&] {
      AssertAlone();
      status = TruncateAlone(size);
    });
    stable_.Reset(std::min(stable_.value(), size));
    metadata_version_.fetch_add(1, std::memory_order_release);
  });
  if (!status.ok()) {
    AbandonFrom(size);  // Close must not make the file longer again
    Fail(status);
  }
  return status;
}

// No analysis: whoever changes side_ leads the flush gate besides.
bool LogEngine::HasSideNow() const URINGFS_NO_THREAD_SAFETY_ANALYSIS {
  return side_ != nullptr;
}

IoChoice LogEngine::ChoiceNow() const {
  IoChoice choice = device_->choice();
  choice.uses_shared_ring = HasSideNow() || spent_side_ != nullptr;
  choice.syncs_by_flush = probe_->kept() == SyncWay::kFlush;
  choice.lost_shared_ring = !choice.uses_shared_ring && !ring_reason_.empty();
  if (!ring_reason_.empty()) {
    choice.reason += (choice.reason.empty() ? "" : "; ") + ring_reason_;
  }
  return choice;
}

uint64_t LogEngine::size() const {
  return state_.load(std::memory_order_acquire) == State::kClosed
             ? end_when_closed_.load(std::memory_order_relaxed)
             : ReservedEnd();
}

uint64_t LogEngine::ReservedEnd() const {
  while (true) {
    // acquire, both: whoever sees a store of the restart sees the odd number
    // before it, and the second load tells.
    const uint64_t before = restarts_.load(std::memory_order_acquire);
    const uint64_t end = ring_.reserved_end();
    if (before % 2 == 0 &&
        restarts_.load(std::memory_order_acquire) == before) {
      return end;
    }
  }
}

// What is published ends where an append does: a kill must not leave half of
// one that another thread was still making. Its appender needs nothing of ours.
uint64_t LogEngine::ClaimedEnd() const {
  Backoff backoff;
  uint64_t end = 0;
  while (!ring_.TryClaimedEnd(&end) && CheckUsable().ok()) {
    backoff.Pause();
  }
  return end;
}

uint64_t LogEngine::hi_written() const {
  return std::min(written_.value(), abandoned_.load(std::memory_order_acquire));
}

uint64_t LogEngine::hi_stable() const {
  return std::min(stable_.value(), abandoned_.load(std::memory_order_acquire));
}

void LogEngine::SetWriteLifetimeHint(int hint) {
  if (IsForeign()) {
    return;
  }
  flush_gate_.Exclusive([&] {
    if (state_.load(std::memory_order_acquire) != State::kClosed) {
      device_->SetLifetimeHint(hint);
    }
  });
}

IoChoice LogEngine::io_choice() const {
  IoChoice choice;
  if (IsForeign()) {
    return choice;
  }
  flush_gate_.Exclusive([&] {
    flush_gate_.AssertLed();
    const MutexLock lock(&error_mutex_);
    choice = state_.load(std::memory_order_acquire) == State::kClosed
                 ? last_choice_
                 : ChoiceNow();
  });
  return choice;
}

LogStats LogEngine::stats() const {
  LogStats stats;
  stats.appends = appends_.load(std::memory_order_relaxed);
  stats.appended_bytes = appended_bytes_.load(std::memory_order_relaxed);
  stats.flushes = flushes_.load(std::memory_order_relaxed);
  stats.syncs = syncs_.load(std::memory_order_relaxed);
  stats.device_writes =
      FlusherForAny().counters().writes.load(std::memory_order_relaxed);
  stats.device_bytes =
      FlusherForAny().counters().bytes.load(std::memory_order_relaxed);
  stats.device_flushes = device_flushes_.load(std::memory_order_relaxed);
  stats.durable_writes = durable_writes_.load(std::memory_order_relaxed);
  stats.stable_advances = stable_advances_.load(std::memory_order_relaxed);
  stats.extensions = extensions_.load(std::memory_order_relaxed);
  stats.extended_bytes = extended_bytes_.load(std::memory_order_relaxed);
  stats.space_waits = space_waits_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace uringfs
