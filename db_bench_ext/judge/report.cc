// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/report.h"

#include <algorithm>
#include <utility>

namespace uringfs::bench {
namespace {

// How fast the round was, by what the ratios of the workload are of.
std::optional<double> SpeedOf(const WorkloadResult& workload,
                              const Round& round) {
  if (workload.metric != "p99_us") {
    return OpsOf(round);
  }
  return round.p99_us && *round.p99_us > 0
             ? std::optional<double>(1 / *round.p99_us)
             : std::nullopt;
}

}  // namespace

void Judge(WorkloadResult* workload) {
  if (workload->results.empty()) {
    return;
  }
  const CandidateResult& baseline = workload->results.front();
  for (size_t i = 1; i < workload->results.size(); ++i) {
    CandidateResult& result = workload->results[i];
    std::vector<double> ratios;
    const size_t rounds =
        std::min(baseline.rounds.size(), result.rounds.size());
    for (size_t round = 0; round < rounds; ++round) {
      const auto speed = SpeedOf(*workload, result.rounds[round]);
      const auto base = SpeedOf(*workload, baseline.rounds[round]);
      if (speed && base) {
        ratios.push_back(*speed / *base);
      }
    }
    result.ratio.reset();
    if (!ratios.empty()) {
      result.ratio = RatioOf(std::move(ratios));
    }
  }
}

std::optional<double> MedianOf(const CandidateResult& result,
                               std::optional<double> (*value)(const Round&)) {
  std::vector<double> values;
  for (const Round& round : result.rounds) {
    if (const std::optional<double> one = value(round)) {
      values.push_back(*one);
    }
  }
  return values.empty() ? std::nullopt
                        : std::optional<double>(Median(std::move(values)));
}

std::optional<double> OpsOf(const Round& round) {
  return round.ops_per_second > 0 ? std::optional<double>(round.ops_per_second)
                                  : std::nullopt;
}
std::optional<double> P50Of(const Round& round) { return round.p50_us; }
std::optional<double> P99Of(const Round& round) { return round.p99_us; }
std::optional<double> P999Of(const Round& round) { return round.p999_us; }
std::optional<double> UserSecondsOf(const Round& round) {
  return round.user_seconds;
}
std::optional<double> SystemSecondsOf(const Round& round) {
  return round.system_seconds;
}

std::optional<double> DeviceBytesPerUserByteOf(const Round& round) {
  if (!round.device_bytes || round.user_bytes == 0) {
    return std::nullopt;
  }
  return static_cast<double>(*round.device_bytes) /
         static_cast<double>(round.user_bytes);
}

std::optional<double> UserBytesPerSecondOf(const Round& round) {
  if (round.user_bytes == 0 || round.operations == 0) {
    return std::nullopt;
  }
  return static_cast<double>(round.user_bytes) /
         static_cast<double>(round.operations) * round.ops_per_second;
}

std::optional<double> PartOfLimit(const WorkloadResult& workload,
                                  const CandidateResult& result) {
  if (!workload.limit || workload.limit->per_second <= 0) {
    return std::nullopt;
  }
  const std::optional<double> reached = MedianOf(
      result, workload.limit->is_of_bytes ? UserBytesPerSecondOf : OpsOf);
  return reached ? std::optional<double>(*reached / workload.limit->per_second)
                 : std::nullopt;
}

}  // namespace uringfs::bench
