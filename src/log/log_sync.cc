// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The syncing side of LogEngine: what hi_stable and the exact size promise.

#include <string>

#include "src/log/log_engine.h"

namespace uringfs {

Status LogEngine::Sync(SyncKind kind) {
  Status status = CheckUsable();
  if (!status.ok()) {
    return status;
  }
  const SharedLock lock(&restart_mutex_);
  return SyncUpTo(ClaimedEnd(), kind);
}

Status LogEngine::SyncTo(uint64_t offset, SyncKind kind) {
  Status status = CheckUsable();
  if (!status.ok()) {
    return status;
  }
  const SharedLock lock(&restart_mutex_);
  const uint64_t end = size();
  if (offset > end) {
    return Status::InvalidArgument("sync up to " + std::to_string(offset) +
                                   " of " + path_ + ", which has " +
                                   std::to_string(end) + " bytes");
  }
  return SyncUpTo(offset, kind);
}

Status LogEngine::SyncUpTo(uint64_t offset, SyncKind kind) {
  CountOne(&syncs_);
  // If a flush is under way anyway it is written here, beside that.
  Status status = MayWriteNow() && stable_.value() == written_.value()
                      ? PublishTo(offset)
                      : FlushTo(offset);
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
        restart_mutex_.AssertShared();
        sync_gate_.AssertLed();
        LeadSyncTo(offset, kind);
        is_done = CheckUsable().ok();
      });
  return is_done ? Status::Ok() : CheckUsable();
}

void LogEngine::LeadSyncTo(uint64_t offset, SyncKind kind) {
  if (!MayWriteNow()) {
    LeadWriteAndSync(offset, kind);
    return;
  }
  const SyncTimer timer(probe_);
  bool has_choice = false;
  const bool is_durable = LeadWriteNow(offset, kind, timer.way(), &has_choice);
  if (!is_durable) {
    LeadWriteAndSync(offset, kind);
  }
  if (has_choice) {
    timer.Took(is_durable ? SyncWay::kDsync : SyncWay::kFlush);
  }
}

void LogEngine::LeadWriteAndSync(uint64_t offset, SyncKind kind) {
  // A no-op if it is written already.
  (void)WriteTo(offset);
  LeadSync(kind);
}

// Whether a sync may write by itself. A private ring is written out by each
// Flush, and data files are cut to size besides.
bool LogEngine::MayWriteNow() const {
  return side_ != nullptr &&
         !flushes_to_file_.load(std::memory_order_relaxed) &&
         options_.write_mode == WriteMode::kSerialised;
}

// Writes the stream below `offset` by one write in this thread, if that will
// do: it spares the hand-over to the ring and the wake-up. True: it is durable
// as well. *has_choice: both ways would have done.
bool LogEngine::LeadWriteNow(uint64_t offset, SyncKind kind, SyncWay way,
                             bool* has_choice) {
  bool is_durable = false;
  flush_gate_.Exclusive([&] {
    flush_gate_.AssertLed();
    flusher_.Drain();
    // One durable write is enough only if nothing in front of it is owed: a
    // hole would be left there. And where it changes nothing of the file
    // itself.
    const bool may_be_durable =
        kind == SyncKind::kData && stable_.value() == written_.value() &&
        metadata_stable_.load(std::memory_order_acquire) ==
            metadata_version_.load(std::memory_order_acquire) &&
        flusher_.IsDurablyLong(offset);
    const bool wants_durable = may_be_durable && way == SyncWay::kDsync;
    const bool is_written = flusher_.TryWriteNow(offset, wants_durable);
    *has_choice = is_written && may_be_durable;
    is_durable = is_written && wants_durable;
    if (flusher_.has_failed()) {
      Fail(flusher_.error());
      is_durable = false;
    } else if (is_durable && stable_.AdvanceTo(written_.value())) {
      CountOne(&stable_advances_);
      CountOne(&durable_writes_);
    }
  });
  return is_durable;
}

// With LeadWriteNow the only place where hi_stable moves: the value of the
// written watermark is taken before the flush is issued, so the flush covers
// all of it.
void LogEngine::LeadSync(SyncKind kind) {
  const uint64_t version = metadata_version_.load(std::memory_order_acquire);
  uint64_t written = written_.value();
  Status status;
  if (options_.write_mode == WriteMode::kTailLocalised) {
    // RocksDB does not sync a data file again after Close: its exact size must
    // be covered by this flush. What is written from here on is not.
    flush_gate_.Exclusive([&] {
      flush_gate_.AssertLed();
      status = flusher_.CutToWritten();
      written = written_.value();
    });
  }
  if (!status.ok()) {
    Fail(status);
    return;
  }
  CountOne(&device_flushes_);
  if (!FlushDevice(kind).ok()) {
    return;
  }
  if (stable_.AdvanceTo(written)) {
    CountOne(&stable_advances_);
  }
  // release: pairs with the acquire in SyncTo().
  metadata_stable_.store(version, std::memory_order_release);
}

// One at a time: the kernel tells an error to one flush only, perhaps not to
// the one whose bytes it was about. So the log has failed before the next one
// begins, and that one is worth nothing.
Status LogEngine::FlushDevice(SyncKind kind) {
  const MutexLock lock(&device_flush_mutex_);
  Status status = device_->MakeDurable(kind);
  if (!status.ok()) {
    Fail(status);
    return status;
  }
  return CheckUsable();
}

Status LogEngine::Settle() {
  Status status = CheckUsable();
  if (!status.ok()) {
    return status;
  }
  const SharedLock lock(&restart_mutex_);
  status = FlushTo(ClaimedEnd());
  if (status.ok()) {
    // Zeros behind the cut would undo it. For good: whoever settles a log may
    // be about to write there himself.
    const MutexLock no_extension(&extend_mutex_);
    may_extend_ = false;
    flush_gate_.Exclusive([&] {
      flush_gate_.AssertLed();
      status = flusher_.CutToWritten();
    });
    // The new size is not durable: the next Sync owes a flush.
    metadata_version_.fetch_add(1, std::memory_order_release);
    if (!status.ok()) {
      Fail(status);
    }
  }
  return status;
}

}  // namespace uringfs
