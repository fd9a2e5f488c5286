// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What is to be compared: workloads, candidates, how often and at what size.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_PLAN_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "db_bench_ext/judge/candidates.h"
#include "db_bench_ext/judge/workload.h"

namespace uringfs::bench {

// The times of quick and standard hold on a machine of two or more CPUs.
struct Preset {
  std::string name;
  Scale scale;
  uint32_t rounds;
  std::vector<std::string> candidates;
  double probe_seconds;
  bool warms_up;
};

// "smoke", "quick", "standard", "full".
const std::vector<Preset>& AllPresets();

struct Plan {
  uint32_t rounds = 0;
  bool warms_up = true;
  uint64_t seed = 0;
  // With their placeholders filled in.
  std::vector<Workload> workloads;
  std::vector<Candidate> candidates;

  // Those of the plan that the workload wants; the plan's first one is first.
  std::vector<Candidate> CandidatesOf(const Workload& workload) const;
  // False if some workload has nothing to compare, or needs a program that is
  // not in the directory `programs`.
  bool Check(const std::string& programs, std::string* error) const;
  // Estimates.
  double Seconds() const;
  uint64_t SpaceBytes() const;
};

// Null, with what there is, for a name that is none.
const Preset* FindPreset(const std::string& name, std::string* error);

// Those that are named, or else those of the preset, at its size.
bool ChooseWorkloads(const std::vector<Workload>& all, const Preset& preset,
                     const std::vector<std::string>& names,
                     std::vector<Workload>* chosen, std::string* error);

// A workload of the user's own: db_bench's --benchmarks, of which the last one
// counts, and flags of its. False if there is none, or a flag is the judge's.
bool GivenWorkload(const std::string& benchmarks, uint64_t num,
                   const std::vector<std::string>& flags, Workload* workload,
                   std::string* error);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_PLAN_H_
