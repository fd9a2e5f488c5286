// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What db_bench and the programs of this room print, read.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_DB_BENCH_OUTPUT_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_DB_BENCH_OUTPUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "db_bench_ext/judge/report.h"

namespace uringfs::bench {

struct Measured {
  Round round;
  std::vector<Bucket> latency;
  std::vector<SeriesPoint> series;
};

// The last report of `benchmark` in what db_bench printed with --histogram=1
// (and, for the series, --stats_interval_seconds). False if there is none.
bool ReadDbBench(const std::string& text, const std::string& benchmark,
                 Measured* measured);

// The line of `puts=N seconds=S puts_per_second=P p50=..` words that sync_puts
// ends with, or small_dbs and small_files with theirs.
bool ReadWords(const std::string& text, Measured* measured);

// Compactions in a database's LOG, in seconds since `begin_us` (since 1970).
// One that had not ended is left out.
std::vector<Span> ReadCompactions(const std::string& log, uint64_t begin_us);

// Adds up histograms; both are ascending, and so is the sum.
void AddTo(std::vector<Bucket>* sum, const std::vector<Bucket>& more);

// The last lines of a program that failed, without its progress.
std::string LastLines(const std::string& text);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_DB_BENCH_OUTPUT_H_
