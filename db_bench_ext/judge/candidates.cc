// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/candidates.h"

#include <algorithm>

namespace uringfs::bench {

const std::vector<Candidate>& AllCandidates() {
  static const std::vector<Candidate> all = {
      {"posix",
       "RocksDB's own file system, as db_bench sets it up",
       {},
       "",
       false},
      {"posix+direct",
       "posix; flushes and compactions by direct I/O",
       {"--use_direct_io_for_flush_and_compaction=1"},
       "",
       false},
      {"posix-tuned",
       "posix; files are written back while they grow",
       {"--bytes_per_sync=1048576", "--wal_bytes_per_sync=524288"},
       "",
       false},
      {"uringfs", "uringfs as it is", {}, "", true},
      {"uringfs-pwrite",
       "uringfs without io_uring",
       {},
       "io_engine=pwrite",
       true},
      {"uringfs-direct",
       "uringfs; data files are written round the page cache",
       {},
       "data_cache=none",
       true},
  };
  return all;
}

bool ChooseCandidates(const std::vector<std::string>& names,
                      std::vector<Candidate>* chosen, std::string* error) {
  const std::vector<Candidate>& all = AllCandidates();
  for (const std::string& name : names) {
    const auto found =
        std::find_if(all.begin(), all.end(),
                     [&](const Candidate& one) { return one.name == name; });
    if (found == all.end()) {
      *error = "there is no candidate '" + name + "'; there are";
      for (const Candidate& candidate : all) {
        *error += " " + candidate.name;
      }
      return false;
    }
    Candidate candidate = *found;
    while (std::any_of(chosen->begin(), chosen->end(), [&](const auto& one) {
      return one.name == candidate.name;
    })) {
      candidate.name += " again";
    }
    chosen->push_back(candidate);
  }
  if (chosen->size() < 2) {
    *error = "a comparison takes two candidates";
    return false;
  }
  return true;
}

}  // namespace uringfs::bench
