// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/comparison.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "db_bench_ext/judge/syncs.h"

namespace uringfs::bench {
namespace {

// One workload, all candidates, all rounds.
class Contest {
 public:
  Contest(const Plan& plan, const Workload& workload,
          const std::optional<DiskLimits>& limits, Runs* runner,
          Progress* progress)
      : plan_(plan),
        workload_(workload),
        candidates_(plan.CandidatesOf(workload)),
        limits_(limits),
        runner_(runner),
        progress_(progress),
        random_(plan.seed ^ std::hash<std::string>()(workload.name)),
        order_(candidates_.size()),
        has_failed_(candidates_.size(), false) {
    std::iota(order_.begin(), order_.end(), 0);
    for (const Candidate& candidate : candidates_) {
      results_.emplace_back().candidate = candidate.name;
    }
  }

  void Run(const std::atomic<bool>& stop) {
    const uint32_t first = plan_.warms_up ? 0 : 1;
    for (uint32_t round = first; round <= plan_.rounds && !stop; ++round) {
      NextOrder(round);
      position_ = 0;
      for (const size_t which : order_) {
        ++position_;
        if (!stop && !has_failed_[which]) {
          RunOne(round, which, stop);
        }
      }
    }
    for (size_t i = 0; i < candidates_.size(); ++i) {
      runner_->Remove(DatabaseOf(i));
    }
  }

  std::vector<CandidateResult> TakeResults() { return std::move(results_); }
  bool has_failed() const {
    return std::find(has_failed_.begin(), has_failed_.end(), true) !=
           has_failed_.end();
  }

 private:
  // Shuffled anew for every other round, and the other way round in between:
  // nobody is the first one more often than the last.
  void NextOrder(uint32_t round) {
    if (round % 2 == 1) {
      std::shuffle(order_.begin(), order_.end(), random_);
    } else {
      std::reverse(order_.begin(), order_.end());
    }
  }

  std::string DatabaseOf(size_t which) const {
    return runner_->directory() + "/db" + std::to_string(which);
  }

  // Round 0 does not count.
  void RunOne(uint32_t round, size_t which, const std::atomic<bool>& stop) {
    const Candidate& candidate = candidates_[which];
    progress_->Begin(
        workload_.name + ": " + candidate.name +
            (round == 0 ? ", warm-up"
                        : ", round " + std::to_string(round) + " of " +
                              std::to_string(plan_.rounds)),
        workload_.seconds);
    const bool has_database =
        workload_.keeps_database && was_prepared_.count(which) != 0;
    // The same keys for all candidates of a round.
    const RunOutcome outcome =
        runner_->RunOnce(workload_, candidate, DatabaseOf(which), !has_database,
                         plan_.seed + round);
    if (!workload_.keeps_database) {
      runner_->Remove(DatabaseOf(which));
    }
    was_prepared_.insert(which);
    CandidateResult& result = results_[which];
    result.command = outcome.command;
    if (!outcome.is_ok) {
      if (!stop) {
        has_failed_[which] = true;
        result.doubts.push_back("it failed: " + outcome.error);
      }
    } else if (round > 0) {
      Add(outcome, &result);
    }
  }

  void Add(const RunOutcome& outcome, CandidateResult* result) {
    if (result->rounds.empty()) {
      result->series = outcome.measured.series;
      result->compactions = outcome.compactions;
    }
    result->rounds.push_back(outcome.measured.round);
    result->rounds.back().position = position_;
    AddTo(&result->latency, outcome.measured.latency);
    // Once is enough.
    if (result->doubts.empty()) {
      result->doubts =
          DoubtsOf(workload_, outcome.measured.round, runner_->disk(), limits_);
    }
  }

  const Plan& plan_;
  const Workload& workload_;
  const std::vector<Candidate> candidates_;
  const std::optional<DiskLimits>& limits_;
  Runs* const runner_;
  Progress* const progress_;
  std::mt19937_64 random_;
  std::vector<size_t> order_;
  std::vector<CandidateResult> results_;
  std::vector<bool> has_failed_;
  std::set<size_t> was_prepared_;
  uint32_t position_ = 0;
};

void SetLimit(const std::string& limit, const DiskLimits& limits,
              WorkloadResult* result) {
  if (limit == "durable_overwrite") {
    result->limit = {"durable overwrites", limits.durable_overwrite.per_second};
  } else if (limit == "direct_write") {
    double best = 0;
    for (const WriteRate& rate : limits.direct_write) {
      best = std::max(best, rate.bytes_per_second);
    }
    result->limit = {"bytes by direct writes", best};
    result->limits_bytes = true;
  } else if (limit == "random_read") {
    double best = 0;
    for (const ReadRate& rate : limits.random_read) {
      best = std::max(best, rate.per_second);
    }
    result->limit = {"random reads of 4 KiB", best};
  }
  if (result->limit && result->limit->per_second <= 0) {
    result->limit.reset();
  }
}

WorkloadResult Describe(const Workload& workload, const Report& report) {
  WorkloadResult result;
  result.name = workload.name;
  result.title = workload.title;
  result.isolates = workload.isolates;
  result.unit = workload.unit;
  result.metric = workload.metric;
  if (report.limits) {
    SetLimit(workload.limit, *report.limits, &result);
  }
  return result;
}

}  // namespace

bool Compare(const Plan& plan, const std::atomic<bool>& stop, Runs* runner,
             Progress* progress, Report* report) {
  bool is_ok = true;
  for (const Workload& workload : plan.workloads) {
    if (stop) {
      return is_ok;
    }
    Contest contest(plan, workload, report->limits, runner, progress);
    contest.Run(stop);
    is_ok = is_ok && !contest.has_failed();
    WorkloadResult result = Describe(workload, *report);
    result.results = contest.TakeResults();
    Judge(&result);
    report->workloads.push_back(std::move(result));
  }
  report->is_complete = !stop;
  return is_ok;
}

}  // namespace uringfs::bench
