// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Opening, flushing, syncing and closing. Appending is in log_append.cc.

#include "src/log/log_engine.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "src/base/align.h"
#include "src/base/assert.h"
#include "src/log/backoff.h"

namespace uringfs {
namespace {

uint32_t WritesInFlight(const LogOptions& options) {
  return options.write_mode == WriteMode::kSerialised
             ? 1
             : options.writes_in_flight;
}

// relaxed: statistics carry nothing.
void Count(std::atomic<uint64_t>* counter) {
  counter->fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

Status LogEngine::Open(const std::string& path, const LogOptions& options,
                       std::unique_ptr<LogEngine>* engine) {
  Status status = options.Validate();
  std::unique_ptr<Workspace> workspace;
  if (status.ok()) {
    status = Workspace::Acquire(
        size_t{options.buffer_bytes} * options.buffers_count, &workspace);
  }
  OpenedDevice opened;
  if (status.ok()) {
    status = OpenDevice(path, options, workspace->context(), &opened);
    if (!status.ok()) {
      Workspace::Release(std::move(workspace));
    }
  }
  return status.ok() ? OpenOn(std::move(opened), path, options,
                              std::move(workspace), engine)
                     : status;
}

Status LogEngine::OpenOn(OpenedDevice opened, const std::string& path,
                         const LogOptions& options,
                         std::unique_ptr<Workspace> workspace,
                         std::unique_ptr<LogEngine>* engine) {
  const uint64_t size = opened.size_bytes;
  std::unique_ptr<LogEngine> made(
      new LogEngine(std::move(opened), path, options, std::move(workspace)));
  Status status = made->RestartAt(size, size);
  if (status.ok()) {
    *engine = std::move(made);
  } else {
    made->Fail(status);
  }
  return status;
}

LogEngine::LogEngine(OpenedDevice opened, const std::string& path,
                     const LogOptions& options,
                     std::unique_ptr<Workspace> workspace)
    : path_(path),
      options_(options),
      device_id_(opened.device_id),
      inode_(opened.inode),
      workspace_(std::move(workspace)),
      device_(std::move(opened.device)),
      ring_(workspace_->ring_memory(), options.buffer_bytes,
            options.buffers_count),
      flusher_(&ring_, device_.get(), &written_, workspace_->tail_block(),
               WritesInFlight(options), path) {}

LogEngine::~LogEngine() {
  // The outcome is lost: a caller that wants it calls Close.
  (void)Close();
  device_.reset();
  Workspace::Release(std::move(workspace_));
}

// REQUIRES: nothing is in flight and no other thread uses the log.
Status LogEngine::RestartAt(uint64_t offset, uint64_t physical) {
  const uint64_t block = AlignDown(offset, kDeviceBlockBytes);
  const auto tail_bytes = static_cast<uint32_t>(offset - block);
  if (tail_bytes > 0) {
    size_t got = 0;
    Status status = device_->Read(block, workspace_->ring_memory(),
                                  kDeviceBlockBytes, &got);
    if (status.ok() && got < tail_bytes) {
      status = Status::FromErrno(
          EIO, "read of the last block (the file is shorter than it was)",
          path_);
    }
    if (!status.ok()) {
      return status;
    }
  }
  ring_.Restart(block, tail_bytes);
  flusher_.Start(offset, physical);
  return Status::Ok();
}

Status LogEngine::CheckUsable() const {
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
  const std::lock_guard<std::mutex> lock(error_mutex_);
  return error_;
}

void LogEngine::Fail(const Status& status) {
  const std::lock_guard<std::mutex> lock(error_mutex_);
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

Status LogEngine::FlushTo(uint64_t offset) {
  Status status = CheckUsable();
  if (!status.ok()) {
    return status;
  }
  Backoff backoff;
  flush_gate_.Await(
      [&] { return written_.value() >= offset || !CheckUsable().ok(); },
      [&] { LeadFlush(offset, &backoff); });
  return written_.value() >= offset ? Status::Ok() : CheckUsable();
}

Status LogEngine::Flush() {
  Count(&flushes_);
  return FlushTo(size());
}

Status LogEngine::SyncTo(uint64_t offset, SyncKind kind) {
  Count(&syncs_);
  if (offset > size()) {
    return Status::InvalidArgument("sync up to " + std::to_string(offset) +
                                   " of " + path_ + ", which has " +
                                   std::to_string(size()) + " bytes");
  }
  Status status = FlushTo(offset);
  if (!status.ok()) {
    return status;
  }
  const uint64_t version = metadata_version_.load(std::memory_order_acquire);
  bool is_done = false;
  sync_gate_.Await(
      [&] {
        // Times and mode have no watermark: a full sync is always its own.
        is_done = is_done ||
                  (kind == SyncKind::kData && stable_.value() >= offset &&
                   metadata_stable_.load(std::memory_order_acquire) >= version);
        return is_done || !CheckUsable().ok();
      },
      [&] {
        LeadSync(kind);
        is_done = CheckUsable().ok();
      });
  return is_done ? Status::Ok() : CheckUsable();
}

// The only place where hi_stable moves: the value of the written watermark is
// taken before the flush is issued, so the flush covers all of it.
void LogEngine::LeadSync(SyncKind kind) {
  const uint64_t version = metadata_version_.load(std::memory_order_acquire);
  Status status;
  if (options_.write_mode == WriteMode::kTailLocalised) {
    // RocksDB does not sync a data file again after Close: its exact size must
    // be covered by this flush.
    flush_gate_.Exclusive([&] { status = flusher_.CutToWritten(); });
  }
  const uint64_t written = written_.value();
  if (status.ok()) {
    Count(&device_flushes_);
    status = device_->MakeDurable(kind);
  }
  if (!status.ok()) {
    Fail(status);
    return;
  }
  if (stable_.AdvanceTo(written)) {
    Count(&stable_advances_);
  }
  // release: pairs with the acquire in SyncTo().
  metadata_stable_.store(version, std::memory_order_release);
}

Status LogEngine::Settle() {
  Status status = FlushTo(size());
  if (status.ok()) {
    flush_gate_.Exclusive([&] { status = flusher_.CutToWritten(); });
    if (!status.ok()) {
      Fail(status);
    }
  }
  return status;
}

Status LogEngine::Truncate(uint64_t size) {
  Status status = FlushTo(this->size());
  if (!status.ok()) {
    return status;
  }
  sync_gate_.Exclusive([&] {
    flush_gate_.Exclusive([&] {
      status = flusher_.CutTo(size);
      if (status.ok()) {
        status = RestartAt(size, size);
      }
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

Status LogEngine::Close() {
  if (state_.load(std::memory_order_acquire) == State::kOpen) {
    (void)FlushTo(size());  // an error is sticky and comes back below
  }
  sync_gate_.Exclusive([&] { flush_gate_.Exclusive([&] { CloseAlone(); }); });
  const std::lock_guard<std::mutex> lock(error_mutex_);
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
  const uint64_t end = hi_written();
  const Status cut = flusher_.CutTo(end);
  const IoChoice choice = device_->choice();
  const Status closed = device_->Close();
  const std::lock_guard<std::mutex> lock(error_mutex_);
  close_status_ = !error_.ok() ? error_ : (!cut.ok() ? cut : closed);
  last_choice_ = choice;
  end_when_closed_.store(end, std::memory_order_relaxed);
  // release: all of the above before the state; pairs with CheckUsable().
  state_.store(State::kClosed, std::memory_order_release);
}

uint64_t LogEngine::size() const {
  return state_.load(std::memory_order_acquire) == State::kClosed
             ? end_when_closed_.load(std::memory_order_relaxed)
             : ring_.reserved_end();
}

uint64_t LogEngine::hi_written() const {
  return std::min(written_.value(), abandoned_.load(std::memory_order_acquire));
}

void LogEngine::SetWriteLifetimeHint(int hint) {
  flush_gate_.Exclusive([&] {
    if (state_.load(std::memory_order_acquire) != State::kClosed) {
      device_->SetLifetimeHint(hint);
    }
  });
}

IoChoice LogEngine::io_choice() const {
  IoChoice choice;
  flush_gate_.Exclusive([&] {
    const std::lock_guard<std::mutex> lock(error_mutex_);
    choice = state_.load(std::memory_order_acquire) == State::kClosed
                 ? last_choice_
                 : device_->choice();
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
      flusher_.counters().writes.load(std::memory_order_relaxed);
  stats.device_bytes =
      flusher_.counters().bytes.load(std::memory_order_relaxed);
  stats.device_flushes = device_flushes_.load(std::memory_order_relaxed);
  stats.stable_advances = stable_advances_.load(std::memory_order_relaxed);
  stats.space_waits = space_waits_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace uringfs
