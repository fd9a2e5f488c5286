// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What a comparison has found: every round as it was measured, and what
// follows from the rounds. Read and written as JSON; the table, the page and
// the comparison of two reports know nothing else.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_REPORT_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db_bench_ext/judge/disk_facts.h"
#include "db_bench_ext/judge/disk_limits.h"
#include "db_bench_ext/judge/ratio.h"

namespace uringfs::bench {

struct Bucket {
  double from_us = 0;
  double to_us = 0;
  uint64_t count = 0;
};

struct SeriesPoint {
  double second = 0;
  double ops_per_second = 0;
};

struct Span {
  double begin = 0;
  double end = 0;
};

// One run of one candidate.
struct Round {
  // Which one it was in its round, from 1.
  uint32_t position = 0;
  double ops_per_second = 0;
  uint64_t operations = 0;
  double wall_seconds = 0;
  // Of single operations, in microseconds. Nothing if they were not told.
  std::optional<double> p50_us, p99_us, p999_us;
  double user_seconds = 0;
  double system_seconds = 0;
  // What the program gave to the database; 0 where nothing is written.
  uint64_t user_bytes = 0;
  // Of the whole disk, while the run lasted and until it was written back.
  std::optional<uint64_t> device_bytes, device_writes, device_flushes;
};

struct CandidateResult {
  std::string candidate;
  std::string command;
  // As many as were measured; the same index is the same round everywhere.
  std::vector<Round> rounds;
  // To the baseline; nothing for the baseline itself.
  std::optional<Ratio> ratio;
  // Sum over the rounds, ascending.
  std::vector<Bucket> latency;
  // Of the first round.
  std::vector<SeriesPoint> series;
  std::vector<Span> compactions;
  // Why this result must not be believed, or that there is none.
  std::vector<std::string> doubts;
};

struct WorkloadLimit {
  std::string what;
  double per_second = 0;
  // Whether it is one of bytes: then user bytes are held against it.
  bool is_of_bytes = false;
};

struct WorkloadResult {
  std::string name;
  std::string title;
  std::string isolates;
  std::string unit;
  // What the ratios are of: "ops_per_second" or "p99_us".
  std::string metric;
  std::optional<WorkloadLimit> limit;
  std::vector<CandidateResult> results;
};

struct CandidateInfo {
  std::string name;
  std::string meaning;
  std::vector<std::string> flags;
  std::vector<std::string> environment;
};

struct Report {
  bool is_complete = false;
  std::string started;  // UTC, ISO 8601
  double seconds = 0;
  std::string preset;
  uint64_t seed = 0;
  uint32_t rounds = 0;
  MachineFacts machine;
  DiskFacts disk;
  std::string uringfs_version;
  std::string revision;
  std::string db_bench_version;
  std::vector<std::string> notes;
  std::optional<DiskLimits> limits;
  std::vector<CandidateInfo> candidates;
  std::vector<WorkloadResult> workloads;

  // All candidates are held against the first.
  std::string baseline() const {
    return candidates.empty() ? "" : candidates.front().name;
  }
};

// Fills in the ratios of all candidates to the first one.
void Judge(WorkloadResult* workload);

// The median over the rounds; nothing where no round has it.
std::optional<double> MedianOf(const CandidateResult& result,
                               std::optional<double> (*value)(const Round&));
// Medians that more than one reader of the report wants.
std::optional<double> OpsOf(const Round& round);
std::optional<double> P50Of(const Round& round);
std::optional<double> P99Of(const Round& round);
std::optional<double> P999Of(const Round& round);
std::optional<double> UserSecondsOf(const Round& round);
std::optional<double> SystemSecondsOf(const Round& round);
std::optional<double> DeviceBytesPerUserByteOf(const Round& round);
std::optional<double> UserBytesPerSecondOf(const Round& round);
// What part of the workload's limit the candidate reaches.
std::optional<double> PartOfLimit(const WorkloadResult& workload,
                                  const CandidateResult& result);

std::string ToJson(const Report& report);
// False, with the reason in `error`, for anything that ToJson did not write.
bool FromJson(const std::string& text, Report* report, std::string* error);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_REPORT_H_
