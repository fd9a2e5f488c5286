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
// Why the newer report is none that an older one could be replaced by: it is
// incomplete or in doubt, or lacks results of the older one.
std::vector<std::string> FaultsOf(const Report& older, const Report& newer);
// Where the two differ in what they were measured on, a line each.
std::string NotesOnBoth(const Report& older, const Report& newer);

// "12,300", "1.23", "45.6": three digits that count.
std::string Short(double number);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_TABLE_H_
