// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/syncs.h"

#include <algorithm>
#include <cstdio>

#include "db_bench_ext/judge/text.h"

namespace uringfs::bench {
namespace {

// The counters are read a moment before and behind the run, so that they only
// ever show too much; this is for a run's own last, unacknowledged group.
constexpr double kSlack = 0.95;
// The fastest durable write was seen for a moment only, and disks drift.
constexpr double kOutrun = 0.4;
// No medium is known that is that fast behind a flush.
constexpr double kSuspiciousFlushUs = 10;

// Threads may share a sync, but each waits for its own: one thread cannot have
// two acknowledged by the same write.
double NeededSyncs(const Workload& workload, const Round& round) {
  return static_cast<double>(round.operations) / workload.sync_every /
         workload.Threads() * kSlack;
}

}  // namespace

std::vector<std::string> DoubtsOf(const Workload& workload, const Round& round,
                                  const DiskFacts& disk,
                                  const std::optional<DiskLimits>& limits) {
  std::vector<std::string> doubts;
  if (workload.sync_every == 0) {
    return doubts;
  }
  const double needed = NeededSyncs(workload, round);
  const auto tell = [&](const char* what, uint64_t count) {
    if (static_cast<double>(count) < needed) {
      doubts.push_back(Format(
          "its syncs are not real: %llu %s of the disk for at least %.0f syncs "
          "that were acknowledged one after the other",
          static_cast<unsigned long long>(count), what, needed));
    }
  };
  if (round.device_writes) {
    tell("writes", *round.device_writes);
  }
  // Elsewhere a write may carry its own durability, or need none.
  if (round.device_flushes && disk.write_cache == "write back" &&
      !disk.has_fua) {
    tell("flushes", *round.device_flushes);
  }
  if (limits && round.p50_us && limits->durable_overwrite.fastest_us > 0) {
    const double fastest = std::min(limits->durable_overwrite.fastest_us,
                                    limits->flush.fastest_us);
    if (*round.p50_us < kOutrun * fastest) {
      doubts.push_back(Format(
          "its syncs are not real: half of them took less than %.1f us, where "
          "the disk itself never took less than %.1f us for a durable write",
          *round.p50_us, fastest));
    }
  }
  return doubts;
}

std::vector<std::string> NotesOn(const DiskFacts& disk,
                                 const std::optional<DiskLimits>& limits) {
  std::vector<std::string> notes;
  if (IsNoDisk(disk)) {
    notes.push_back("the databases are on " + disk.file_system +
                    ": no disk is measured; give a directory on ext4 or xfs "
                    "by --db=DIR");
  } else if (disk.device.empty()) {
    notes.push_back("the disk below " + disk.file_system +
                    " has no counters to be read: whether syncs reach it is "
                    "judged by their latency alone");
  }
  if (disk.write_cache == "write through") {
    notes.emplace_back(
        "the disk says that it has no volatile cache: a flush costs nothing");
  }
  if (limits && limits->flush.p50_us > 0 &&
      limits->flush.p50_us < kSuspiciousFlushUs && !IsNoDisk(disk)) {
    notes.push_back(Format(
        "a flush takes %.1f us: the disk, or the host of this virtual machine, "
        "may not pass it on to any medium",
        limits->flush.p50_us));
  }
  return notes;
}

}  // namespace uringfs::bench
