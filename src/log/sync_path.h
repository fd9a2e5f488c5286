// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// SyncPath: what makes a log durable, and `hi_stable`, which says how far.
//
// hi_stable moves in two places. LeadFlush: read hi_written, issue a device
// flush, then publish what was read; what is written meanwhile is not covered.
// LeadDurableWrite: one RWF_DSYNC write, only if all that was written before is
// stable, since it covers its own bytes alone.
//
// Its gate is apart from that of the writes, so that appends go on while the
// disk flushes.
//
// THREADS: any.

#ifndef URINGFS_LOG_SYNC_PATH_H_
#define URINGFS_LOG_SYNC_PATH_H_

#include <atomic>
#include <cstdint>

#include "src/device/device.h"
#include "src/log/leader_gate.h"
#include "src/log/log_state.h"
#include "src/log/sync_probe.h"
#include "src/log/watermark.h"
#include "src/log/write_path.h"

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"
#include "uringfs/options.h"

namespace uringfs {

// Counters any thread may read.
struct SyncCounters {
  std::atomic<uint64_t> device_flushes{0};
  std::atomic<uint64_t> durable_writes{0};
  std::atomic<uint64_t> stable_advances{0};
};

class SyncPath {
 public:
  // All outlive it.
  SyncPath(Device* device, WritePath* writes, SyncProbe* probe,
           WriteMode write_mode, LogState* state);
  SyncPath(const SyncPath&) = delete;
  SyncPath& operator=(const SyncPath&) = delete;

  // All below is on durable media, as far as it counts.
  uint64_t stable() const { return stable_.value(); }
  // Whether nothing is written that is not durable.
  bool IsAllStable() const { return stable() == writes_->written(); }

  // Returns when the stream below `offset`, and what the file was when this
  // began, are durable. `may_write`: what is not written yet may be written
  // here, by one write. Errors: the log's.
  Status SyncTo(uint64_t offset, SyncKind kind, bool may_write)
      URINGFS_EXCLUDES(gate_);

  // A device flush, unless another sync is under way, which does the same.
  void TryFlush() URINGFS_EXCLUDES(gate_);

  // Makes durable what is written, and moves nothing. One at a time: the kernel
  // tells an error to one flush only, perhaps not to the one whose bytes it was
  // about. So the log has failed before the next one begins, and that one is
  // worth nothing.
  Status FlushDevice(SyncKind kind) URINGFS_EXCLUDES(device_mutex_);

  // The device flush by itself, which remembers that it has failed.
  Status MakeDurable(SyncKind kind) URINGFS_EXCLUDES(device_mutex_);

  // A device flush has failed: no later one proves anything.
  // relaxed: asked when the log has failed, and no sync is under way.
  bool has_failed() const {
    return has_failed_.load(std::memory_order_relaxed);
  }

  // The file itself has changed, its size for instance: the next sync owes a
  // device flush even if all bytes are stable.
  void FileChanged() {
    // release: partner of the acquires in SyncTo() and LeadFlush().
    file_version_.fetch_add(1, std::memory_order_release);
  }

  // Runs body() with no sync beside it.
  template <class Body>
  void Alone(const Body& body) URINGFS_EXCLUDES(gate_) {
    gate_.Exclusive([&] { body(); });
  }
  // A device flush that covers all that is written, of a serialised log, unless
  // all is durable. The log has failed if it does. REQUIRES: in a body of
  // Alone().
  void FlushAlone();
  // The file was cut to `size`. REQUIRES: in a body of Alone().
  void Cut(uint64_t size);

  SyncWay way() const { return probe_->kept(); }
  const SyncCounters& counters() const { return counters_; }

 private:
  void LeadSyncTo(uint64_t offset, SyncKind kind, bool may_write)
      URINGFS_REQUIRES(gate_);
  void LeadWriteAndFlush(uint64_t offset, SyncKind kind)
      URINGFS_REQUIRES(gate_);
  void LeadFlush(SyncKind kind) URINGFS_REQUIRES(gate_);
  bool LeadDurableWrite(uint64_t offset, SyncKind kind, SyncWay way,
                        bool* has_choice) URINGFS_REQUIRES(gate_);
  bool IsFileStable() const;

  Device* const device_;
  WritePath* const writes_;
  SyncProbe* const probe_;
  const WriteMode write_mode_;
  LogState* const state_;

  LeaderGate gate_ URINGFS_ACQUIRED_BEFORE(device_mutex_, writes_->gate());
  Watermark stable_;  // moved by who leads
  // What the file itself is, its existence and its size, has versions. The
  // leader says which one is durable.
  std::atomic<uint64_t> file_version_{1};
  std::atomic<uint64_t> stable_file_version_{0};
  Mutex device_mutex_;
  std::atomic<bool> has_failed_{false};
  SyncCounters counters_;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_SYNC_PATH_H_
