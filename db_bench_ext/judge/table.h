// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A report for the terminal.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_TABLE_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_TABLE_H_

#include <string>

#include "db_bench_ext/judge/report.h"

namespace uringfs::bench {

// Machine, disk, versions, limits.
std::string HeadOf(const Report& report);
std::string TableOf(const WorkloadResult& workload);

// How the newer report's candidates stand to the older one's, each first held
// against its own baseline: machines drift, and so do disks.
struct Change {
  std::string workload;
  std::string candidate;
  Ratio ratio;
};
std::vector<Change> ChangesOf(const Report& older, const Report& newer);
std::string TableOf(const std::vector<Change>& changes);

// "12,300", "1.23", "45.6": three digits that count.
std::string Short(double number);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_TABLE_H_
