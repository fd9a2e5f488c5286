// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/comparison.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>
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
        limits_(limits),
        runner_(runner),
        progress_(progress),
        random_(plan.seed ^ std::hash<std::string>()(workload.name)) {
    for (const Candidate& candidate : plan.CandidatesOf(workload)) {
      Entrant& entrant = entrants_.emplace_back();
      entrant.candidate = candidate;
      entrant.result.candidate = candidate.name;
      entrant.db =
          runner->directory() + "/db" + std::to_string(entrants_.size() - 1);
    }
    order_.resize(entrants_.size());
    std::iota(order_.begin(), order_.end(), 0);
  }

  void Run(const std::atomic<bool>& stop) {
    const uint32_t first = plan_.warms_up ? 0 : 1;
    for (uint32_t round = first; round <= plan_.rounds && !stop; ++round) {
      NextOrder(round);
      position_ = 0;
      for (const size_t which : order_) {
        ++position_;
        if (!stop && !entrants_[which].has_failed) {
          RunOne(round, &entrants_[which], stop);
        }
      }
    }
    for (const Entrant& entrant : entrants_) {
      runner_->Remove(entrant.db);
    }
  }

  std::vector<CandidateResult> TakeResults() {
    std::vector<CandidateResult> results;
    for (Entrant& entrant : entrants_) {
      results.push_back(std::move(entrant.result));
    }
    return results;
  }
  bool has_failed() const {
    return std::any_of(
        entrants_.begin(), entrants_.end(),
        [](const Entrant& entrant) { return entrant.has_failed; });
  }

 private:
  struct Entrant {
    Candidate candidate;
    std::string db;
    CandidateResult result;
    bool has_database = false;
    bool has_failed = false;
  };

  // Shuffled anew for every other round, and the other way round in between:
  // nobody is the first one more often than the last.
  void NextOrder(uint32_t round) {
    if (round % 2 == 1) {
      std::shuffle(order_.begin(), order_.end(), random_);
    } else {
      std::reverse(order_.begin(), order_.end());
    }
  }

  // Round 0 does not count.
  void RunOne(uint32_t round, Entrant* entrant, const std::atomic<bool>& stop) {
    progress_->Begin(
        workload_.name + ": " + entrant->candidate.name +
            (round == 0 ? ", warm-up"
                        : ", round " + std::to_string(round) + " of " +
                              std::to_string(plan_.rounds)),
        workload_.seconds);
    // The same keys for all candidates of a round.
    const RunOutcome outcome =
        runner_->RunOnce(workload_, entrant->candidate, entrant->db,
                         !entrant->has_database, plan_.seed + round);
    entrant->has_database = workload_.keeps_database;
    if (!entrant->has_database) {
      runner_->Remove(entrant->db);
    }
    entrant->result.command = outcome.command;
    if (!outcome.is_ok) {
      if (!stop) {
        entrant->has_failed = true;
        entrant->result.doubts.push_back("it failed: " + outcome.error);
      }
    } else if (round > 0) {
      Add(outcome, &entrant->result);
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
  const std::optional<DiskLimits>& limits_;
  Runs* const runner_;
  Progress* const progress_;
  std::mt19937_64 random_;
  std::vector<Entrant> entrants_;
  std::vector<size_t> order_;
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
    result->limit = {"bytes by direct writes", best, /*is_of_bytes=*/true};
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
