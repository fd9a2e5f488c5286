// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/sync_path.h"

#include <algorithm>

#include "src/base/assert.h"

namespace uringfs {

SyncPath::SyncPath(Device* device, WritePath* writes, SyncProbe* probe,
                   WriteMode write_mode, LogState* state)
    : device_(device),
      writes_(writes),
      probe_(probe),
      write_mode_(write_mode),
      state_(state) {}

Status SyncPath::SyncTo(uint64_t offset, SyncKind kind, bool may_write) {
  const uint64_t version = file_version_.load(std::memory_order_acquire);
  bool is_done = false;
  gate_.Await(
      [&] {
        // Times and mode have no watermark: a full sync is always its own.
        is_done =
            is_done ||
            (kind == SyncKind::kData && stable() >= offset &&
             stable_file_version_.load(std::memory_order_acquire) >= version);
        return is_done || !state_->CheckUsable().ok();
      },
      [&] {
        gate_.AssertLed();
        LeadSyncTo(offset, kind, may_write);
        is_done = state_->CheckUsable().ok();
      });
  return is_done ? Status::Ok() : state_->CheckUsable();
}

void SyncPath::LeadSyncTo(uint64_t offset, SyncKind kind, bool may_write) {
  if (!may_write) {
    LeadWriteAndFlush(offset, kind);
    return;
  }
  const SyncTimer timer(probe_);
  bool has_choice = false;
  const bool is_durable =
      LeadDurableWrite(offset, kind, timer.way(), &has_choice);
  if (!is_durable) {
    LeadWriteAndFlush(offset, kind);
  }
  if (has_choice) {
    timer.Took(is_durable ? SyncWay::kDsync : SyncWay::kFlush);
  }
}

void SyncPath::LeadWriteAndFlush(uint64_t offset, SyncKind kind) {
  // A no-op if it is written already; an error is the log's.
  (void)writes_->WriteTo(offset);
  LeadFlush(kind);
}

bool SyncPath::IsFileStable() const {
  return stable_file_version_.load(std::memory_order_acquire) ==
         file_version_.load(std::memory_order_acquire);
}

// Writes the stream below `offset` by one write in this thread, if that will
// do: it spares the hand-over to the ring and the wake-up. True: it is durable
// as well. *has_choice: both ways would have done.
bool SyncPath::LeadDurableWrite(uint64_t offset, SyncKind kind, SyncWay way,
                                bool* has_choice) {
  bool is_durable = false;
  writes_->Lead([&](Flusher* flusher) {
    flusher->AwaitWrites();
    // One durable write is enough only if nothing in front of it is owed: a
    // hole would be left there. And where it changes nothing of the file
    // itself.
    const bool may_be_durable = kind == SyncKind::kData && IsAllStable() &&
                                IsFileStable() &&
                                flusher->IsDurablyLong(offset);
    const bool wants_durable = may_be_durable && way == SyncWay::kDsync;
    const bool is_written = flusher->TryWriteNow(offset, wants_durable);
    *has_choice = is_written && may_be_durable;
    is_durable = is_written && wants_durable && !flusher->has_failed();
    URINGFS_CHECK_LE(stable(), writes_->written());
    if (is_durable && stable_.AdvanceTo(writes_->written())) {
      CountOne(&counters_.stable_advances);
      CountOne(&counters_.durable_writes);
    }
  });
  return is_durable;
}

void SyncPath::LeadFlush(SyncKind kind) {
  const uint64_t version = file_version_.load(std::memory_order_acquire);
  // Before the flush is issued, so that the flush covers all of it.
  uint64_t written = writes_->written();
  Status status;
  if (write_mode_ == WriteMode::kTailLocalised) {
    // RocksDB does not sync a data file again after Close: its exact size must
    // be covered by this flush. What is written from here on is not.
    writes_->Lead([&](Flusher* flusher) {
      status = flusher->CutToWritten();
      written = writes_->written();
    });
  }
  if (!status.ok()) {
    state_->Fail(status);
    return;
  }
  CountOne(&counters_.device_flushes);
  if (!FlushDevice(kind).ok()) {
    return;
  }
  // A durable watermark behind the written one would be a false OK.
  URINGFS_CHECK_LE(written, writes_->written());
  if (stable_.AdvanceTo(written)) {
    CountOne(&counters_.stable_advances);
  }
  // release: partner of the acquires in SyncTo() and IsFileStable().
  stable_file_version_.store(version, std::memory_order_release);
}

void SyncPath::TryFlush() {
  (void)gate_.TryExclusive([&] {
    gate_.AssertLed();
    LeadFlush(SyncKind::kData);
  });
}

Status SyncPath::MakeDurable(SyncKind kind) {
  const MutexLock lock(&device_mutex_);
  Status status = device_->MakeDurable(kind);
  if (!status.ok()) {
    has_failed_.store(true, std::memory_order_relaxed);
    // Within the lock: before the next one begins.
    state_->Fail(status);
  }
  return status;
}

Status SyncPath::FlushDevice(SyncKind kind) {
  Status status = MakeDurable(kind);
  if (!status.ok()) {
    return status;
  }
  return state_->CheckUsable();
}

void SyncPath::FlushAlone() {
  gate_.AssertLed();
  const bool is_done = IsAllStable() && IsFileStable();
  if (write_mode_ == WriteMode::kSerialised && !is_done) {
    LeadFlush(SyncKind::kData);
  }
}

void SyncPath::Cut(uint64_t size) {
  stable_.Reset(std::min(stable(), size));
  FileChanged();
}

}  // namespace uringfs
