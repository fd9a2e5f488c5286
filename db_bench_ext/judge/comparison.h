// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The method: candidates alternate within each round in an order that is
// shuffled anew, every run starts from a fresh directory (or, where it only
// reads, from the database that the same candidate has made), and one run of
// each candidate that does not count comes first.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_COMPARISON_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_COMPARISON_H_

#include <atomic>

#include "db_bench_ext/judge/plan.h"
#include "db_bench_ext/judge/progress.h"
#include "db_bench_ext/judge/report.h"
#include "db_bench_ext/judge/runner.h"

namespace uringfs::bench {

// Appends to report->workloads as it goes; after a stop what was measured is
// there, and the report is not complete. Returns false if a run failed: its
// result says how.
bool Compare(const Plan& plan, const std::atomic<bool>& stop, Runs* runner,
             Progress* progress, Report* report);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_COMPARISON_H_
