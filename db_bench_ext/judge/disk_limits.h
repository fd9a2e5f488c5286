// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What a disk can do at most, by plain system calls and io_uring on one file:
// the yardstick beside a benchmark's figures. A program cannot make more
// appends durable in a second than the disk does, one after another.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_DISK_LIMITS_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_DISK_LIMITS_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace uringfs::bench {

// Of operations one after another; all 0 where they were not measured, and
// then a note says why.
struct Latency {
  double fastest_us = 0;  // the 1st percentile
  double p50_us = 0;
  double p99_us = 0;
  double per_second = 0;
};

// Sequential writes, `depth` of them in flight. Complete is not durable: a
// disk's volatile cache may hold what was written.
struct WriteRate {
  uint32_t bytes = 0;  // of each write
  uint32_t depth = 0;
  double bytes_per_second = 0;
};

// Reads of 4 KiB at random places, `depth` of them in flight.
struct ReadRate {
  uint32_t depth = 0;
  double per_second = 0;
};

struct DiskLimits {
  // An append of 140 bytes: one O_DIRECT write with RWF_DSYNC of the blocks it
  // touches, in a file written before.
  Latency durable_overwrite;
  // One O_DIRECT overwrite of 4 KiB and the fdatasync after it, as a whole.
  Latency flush;
  std::vector<WriteRate> direct_write;
  std::vector<ReadRate> random_read;
  // What was not measured, or not as it says above, and why.
  std::vector<std::string> notes;
};

// Takes about `seconds`: most of them for the writes, in equal parts. On a slow
// disk it takes longer, since the file has 16 MiB at least. The file has no
// name, is at most 256 MiB and a quarter of the free space, and goes when the
// call returns. When `stop` becomes true, it ends with what it has as soon as
// the transfers in flight are complete. Never fails: notes tell what did.
DiskLimits MeasureLimits(const std::string& directory, double seconds,
                         const std::atomic<bool>& stop);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_DISK_LIMITS_H_
