// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The file systems that are compared, and how a program is told to use one.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_CANDIDATES_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_CANDIDATES_H_

#include <string>
#include <vector>

namespace uringfs::bench {

struct Candidate {
  std::string name;
  std::string meaning;
  // For db_bench.
  std::vector<std::string> flags;
  // As uringfs takes them; empty for the defaults.
  std::string options;
  bool is_uringfs = false;
};

// THE table.
const std::vector<Candidate>& AllCandidates();

// By names; a name that comes twice is a candidate of its own ("posix again"),
// so that one can be held against itself. Errors list what there is.
bool ChooseCandidates(const std::vector<std::string>& names,
                      std::vector<Candidate>* chosen, std::string* error);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_CANDIDATES_H_
