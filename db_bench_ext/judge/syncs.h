// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Are the syncs real? A file system that answers at once wins every comparison
// and loses every database. The disk is asked, not the file system: it must
// have done something for every sync that was acknowledged. (What others do to
// the disk counts too: on a busy one a file system could hide behind them.)
// And it cannot be outrun: where half of the syncs were much faster than its
// own fastest durable write, they were none.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_SYNCS_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_SYNCS_H_

#include <optional>
#include <string>
#include <vector>

#include "db_bench_ext/judge/report.h"
#include "db_bench_ext/judge/workload.h"

namespace uringfs::bench {

// Why the syncs of the round are not to be believed; empty if they are.
std::vector<std::string> DoubtsOf(const Workload& workload, const Round& round,
                                  const DiskFacts& disk,
                                  const std::optional<DiskLimits>& limits);

// What one should know of the disk before reading any figure of it.
std::vector<std::string> NotesOn(const DiskFacts& disk,
                                 const std::optional<DiskLimits>& limits);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_SYNCS_H_
