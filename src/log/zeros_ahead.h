// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// ZerosAhead: zeros in front of the tail of a log that is synced again and
// again, written by the drainer. A sync is an overwrite then, and changes no
// metadata.
//
// What grows in order is cut short by power loss. What is overwritten may have
// lost an earlier write and kept a later one. So before the first extension
// the side file is made durable, which tells the next boot to look into the
// log and to cut it there (kUsualMaxTornBytes); and as long as the log is
// extended, no more than a window of it is without a device flush.
//
// The zeros are written outside the gates: appends, flushes and syncs go on in
// front of them. Nothing is written behind their begin until they are there.
// Everything here is an offer: if it fails the log grows as it is written.

#ifndef URINGFS_LOG_ZEROS_AHEAD_H_
#define URINGFS_LOG_ZEROS_AHEAD_H_

#include <atomic>
#include <cstdint>

#include "src/device/device.h"
#include "src/log/sync_path.h"
#include "src/log/write_path.h"
#include "src/side/side_file.h"

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"
#include "uringfs/options.h"

namespace uringfs {

// Counters any thread may read.
struct ExtensionCounters {
  std::atomic<uint64_t> extensions{0};
  std::atomic<uint64_t> bytes{0};
};

class ZerosAhead {
 public:
  // All outlive it.
  ZerosAhead(const LogOptions& options, Device* device, WritePath* writes,
             SyncPath* syncs);
  ZerosAhead(const ZerosAhead&) = delete;
  ZerosAhead& operator=(const ZerosAhead&) = delete;

  // Extends the log if it was synced often enough, and since the last time.
  // `syncs`: how often it was. THREADS: the drainer's.
  void ExtendIfDue(uint64_t syncs, const SideFile& side)
      URINGFS_EXCLUDES(mutex_);
  // Flushes the device once a window of an extended log is not durable.
  // THREADS: the drainer's.
  void FlushIfDue();

  // Whether the file was ever extended. Once it was, that stays so.
  bool has_extended() const {
    return is_extended_.load(std::memory_order_relaxed);
  }

  // None are written from here on. Waits for those that are.
  void Stop() URINGFS_EXCLUDES(mutex_);

  const ExtensionCounters& counters() const { return counters_; }

 private:
  uint64_t EndWanted(const Flusher& flusher) const;
  bool Prepare(const SideFile& side) URINGFS_REQUIRES(mutex_);
  void Extend(uint64_t from, uint64_t to) URINGFS_REQUIRES(mutex_);

  const LogOptions options_;
  Device* const device_;
  WritePath* const writes_;
  SyncPath* const syncs_;

  uint64_t syncs_at_extension_ = 0;  // the drainer's
  // Written by the drainer. relaxed: who asks has Stop()ped it, or leads the
  // writes behind BeginExtension.
  std::atomic<bool> is_extended_{false};
  // Held while zeros are written.
  Mutex mutex_ URINGFS_ACQUIRED_BEFORE(writes_->gate());
  bool may_extend_ URINGFS_GUARDED_BY(mutex_) = true;
  ExtensionCounters counters_;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_ZEROS_AHEAD_H_
