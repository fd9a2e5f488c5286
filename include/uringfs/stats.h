// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_STATS_H_
#define URINGFS_STATS_H_

#include <cstdint>

namespace uringfs {

// A snapshot of one log. Fields are read one by one: each is exact, the sum
// over several may be off by what happened while they were read.
struct LogStats {
  uint64_t appends = 0;          // counter: Append, AppendBatch, Reserve
  uint64_t appended_bytes = 0;   // counter
  uint64_t flushes = 0;          // counter: calls of Flush
  uint64_t syncs = 0;            // counter: calls of Sync and SyncTo
  uint64_t device_writes = 0;    // counter: writes handed to the device
  uint64_t device_bytes = 0;     // counter: bytes of those, padding included
  uint64_t device_flushes = 0;   // counter: fdatasync, fsync
  uint64_t durable_writes = 0;   // counter: syncs that were one RWF_DSYNC write
  uint64_t stable_advances = 0;  // counter: times hi_stable moved
  uint64_t extensions = 0;       // counter: times zeros were written ahead
  uint64_t extended_bytes = 0;   // counter: bytes of those
  uint64_t space_waits = 0;      // counter: waits for a free buffer
  // Counter: syncs in the background behind which something may have been
  // durable later than LogOptions::durable_within_ms.
  uint64_t late_syncs = 0;
  // With that option: the longest time, in microseconds, for which something
  // that was flushed may not have been durable.
  uint64_t max_unstable_us = 0;
};

}  // namespace uringfs

#endif  // URINGFS_STATS_H_
