// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// One run: a program, a workload, a candidate, a directory. Everything that is
// read off it, the disk's own counters included.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_RUNNER_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_RUNNER_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "db_bench_ext/judge/candidates.h"
#include "db_bench_ext/judge/child.h"
#include "db_bench_ext/judge/db_bench_output.h"
#include "db_bench_ext/judge/workload.h"

namespace uringfs::bench {

// Where things are.
struct Tools {
  std::string db_bench;
  // To be preloaded; empty for programs that have the plugin built in.
  std::string module;
  // With sync_puts, small_dbs and small_files.
  std::string programs;
  // Options of the user's for every uringfs candidate.
  std::string uringfs_options;
};

struct RunOutcome {
  bool is_ok = false;
  // Why not, with what the program said last.
  std::string error;
  std::string command;
  Measured measured;
  std::vector<Span> compactions;
};

// Whoever runs something: the runner below, or a test's.
class Runs {
 public:
  virtual ~Runs() = default;
  virtual const std::string& directory() const = 0;
  virtual const DiskFacts& disk() const = 0;

  // The measured run in the database `db`, behind the preparing one if
  // `prepares`. What is left of earlier rounds is removed first if so.
  virtual RunOutcome RunOnce(const Workload& workload,
                             const Candidate& candidate, const std::string& db,
                             bool prepares, uint64_t seed) = 0;
  virtual void Remove(const std::string& db) const = 0;
};

class Runner final : public Runs {
 public:
  // `directory`: for everything; `stop` ends a run.
  Runner(Tools tools, std::string directory, const std::atomic<bool>& stop);

  // A run that takes longer has failed.
  void set_max_seconds(double seconds) { max_seconds_ = seconds; }
  const std::string& directory() const override { return directory_; }
  const DiskFacts& disk() const override { return disk_; }

  // Whether db_bench runs at all, and uringfs in it: RocksDB 7.8 dies of a file
  // system that it does not know.
  bool Probe(std::string* version, std::string* error);

  RunOutcome RunOnce(const Workload& workload, const Candidate& candidate,
                     const std::string& db, bool prepares,
                     uint64_t seed) override;
  void Remove(const std::string& db) const override;

  // The page cache could not be dropped: why.
  const std::string& cache_note() const { return cache_note_; }

 private:
  Command CommandOf(const Workload& workload, const Candidate& candidate,
                    const std::vector<std::string>& flags,
                    const std::string& db, uint64_t seed) const;
  // Of either kind of program, without its arguments.
  Command CommandFor(const Candidate& candidate) const;
  Command DbBench(const Candidate& candidate) const;
  bool Prepare(const Workload& workload, const Candidate& candidate,
               const std::string& db, uint64_t seed, RunOutcome* outcome);
  bool StartBeside(const Workload& workload, Child* child,
                   RunOutcome* outcome) const;
  void Measure(const Workload& workload, const Candidate& candidate,
               const std::string& db, uint64_t seed, RunOutcome* outcome);
  // Whether uringfs was there in the run before.
  bool CheckUsed(bool has_written, std::string* error) const;
  void SettleDisk(bool drops_cache);
  std::string Path(const std::string& name) const;

  const Tools tools_;
  const std::string directory_;
  const std::atomic<bool>& stop_;
  const DiskFacts disk_;
  double max_seconds_ = 3600;
  std::string cache_note_;
};

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_RUNNER_H_
