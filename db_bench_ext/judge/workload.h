// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A workload: what the candidates are made to do, read from a small file with
// comments (db_bench_ext/workloads; the README there has the keys).

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_WORKLOAD_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_WORKLOAD_H_

#include <cstdint>
#include <string>
#include <vector>

namespace uringfs::bench {

// How much of everything a preset takes.
struct Scale {
  // Numbers in braces, {200000}, are multiplied by it.
  double numbers = 1;
  // What {seconds} stands for.
  uint32_t seconds = 1;
};

struct Workload {
  std::string name;
  std::string title;
  std::string isolates;
  std::string unit = "ops/s";
  std::vector<std::string> presets;
  // Empty: those of the preset.
  std::vector<std::string> candidates;
  // "db_bench", or a program of this room.
  std::string program = "db_bench";
  // Of the measured run, and of the one before it that is not measured.
  std::vector<std::string> run;
  std::vector<std::string> prepare;
  // A second db_bench on posix and on the same disk, all the while.
  std::vector<std::string> beside;
  // The benchmark of the run that counts.
  std::string measure;
  std::string metric = "ops_per_second";
  // "", "durable_overwrite", "direct_write" or "random_read".
  std::string limit;
  // Every so many operations of a thread one is synced; 0: none is.
  uint32_t sync_every = 0;
  // Bytes of an operation that are the database's to keep: key and value.
  uint64_t user_bytes = 0;
  // The database stays for the next rounds: the run only reads.
  bool keeps_database = false;
  // What the runs before left in the page cache stays there.
  bool is_warm = false;
  bool has_series = false;
  // Of one database, at its largest.
  uint64_t space_mb = 0;
  // What a run takes, about, with what is around it.
  double seconds = 1;

  uint32_t Threads() const;
};

// Reads the text of a file; placeholders stay as they are. Errors name the
// line.
bool ParseWorkload(const std::string& name, const std::string& text,
                   Workload* workload, std::string* error);

// All files of the directory, by name. Errors name the file.
bool LoadWorkloads(const std::string& directory,
                   std::vector<Workload>* workloads, std::string* error);

// Puts numbers where the placeholders were.
void Apply(const Scale& scale, Workload* workload);

// "a,b c" as three words.
std::vector<std::string> SplitList(const std::string& text);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_WORKLOAD_H_
