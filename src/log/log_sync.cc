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
  const std::shared_lock<std::shared_mutex> lock(restart_mutex_);
  return SyncUpTo(ClaimedEnd(), kind);
}

Status LogEngine::SyncTo(uint64_t offset, SyncKind kind) {
  Status status = CheckUsable();
  if (!status.ok()) {
    return status;
  }
  const std::shared_lock<std::shared_mutex> lock(restart_mutex_);
  const uint64_t end = size();
  if (offset > end) {
    return Status::InvalidArgument("sync up to " + std::to_string(offset) +
                                   " of " + path_ + ", which has " +
                                   std::to_string(end) + " bytes");
  }
  return SyncUpTo(offset, kind);
}

// REQUIRES: restart_mutex_ is shared.
Status LogEngine::SyncUpTo(uint64_t offset, SyncKind kind) {
  CountOne(&syncs_);
  const bool may_write_durably = MayWriteDurably(kind);
  // Written here where that takes a flush anyway, so that it goes on while
  // another thread's flush is under way.
  Status status = may_write_durably ? PublishTo(offset) : FlushTo(offset);
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
        if (!MayWriteDurably(kind) || !LeadDurableWrite(offset)) {
          // A no-op if it is written already.
          (void)WriteTo(offset);
          LeadSync(kind);
        }
        is_done = CheckUsable().ok();
      });
  return is_done ? Status::Ok() : CheckUsable();
}

// Whether one durable write may be all that a sync takes: all that was written
// is durable, and so is the file. A hint until the sync gate is led; data files
// are cut to size besides, and a private ring is written out by each Flush.
bool LogEngine::MayWriteDurably(SyncKind kind) const {
  return kind == SyncKind::kData && side_ != nullptr &&
         !flushes_to_file_.load(std::memory_order_relaxed) &&
         options_.write_mode == WriteMode::kSerialised &&
         stable_.value() == written_.value() &&
         metadata_stable_.load(std::memory_order_acquire) ==
             metadata_version_.load(std::memory_order_acquire);
}

// REQUIRES: the sync gate is led. False: nothing was done.
bool LogEngine::LeadDurableWrite(uint64_t offset) {
  bool is_done = false;
  flush_gate_.Exclusive([&] {
    flusher_.Drain();
    // Asked again: the drainer may have written something that is not durable,
    // and a durable write behind it would leave a hole in front of itself.
    is_done =
        stable_.value() == written_.value() && flusher_.TryWriteDurably(offset);
    if (flusher_.has_failed()) {
      Fail(flusher_.error());
    } else if (is_done && stable_.AdvanceTo(written_.value())) {
      CountOne(&stable_advances_);
      CountOne(&durable_writes_);
    }
  });
  return is_done;
}

// With LeadDurableWrite the only place where hi_stable moves: the value of the
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
      status = flusher_.CutToWritten();
      written = written_.value();
    });
  }
  if (status.ok()) {
    CountOne(&device_flushes_);
    status = device_->MakeDurable(kind);
  }
  if (!status.ok()) {
    Fail(status);
    return;
  }
  if (stable_.AdvanceTo(written)) {
    CountOne(&stable_advances_);
  }
  // release: pairs with the acquire in SyncTo().
  metadata_stable_.store(version, std::memory_order_release);
}

Status LogEngine::Settle() {
  Status status = CheckUsable();
  if (!status.ok()) {
    return status;
  }
  const std::shared_lock<std::shared_mutex> lock(restart_mutex_);
  status = FlushTo(ClaimedEnd());
  if (status.ok()) {
    flush_gate_.Exclusive([&] { status = flusher_.CutToWritten(); });
    // The new size is not durable: the next Sync owes a flush.
    metadata_version_.fetch_add(1, std::memory_order_release);
    if (!status.ok()) {
      Fail(status);
    }
  }
  return status;
}

}  // namespace uringfs
