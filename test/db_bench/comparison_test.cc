// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The method, with runs that a test makes up.

#include "db_bench_ext/judge/comparison.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs::bench {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Ran {
  std::string workload;
  std::string candidate;
  std::string db;
  bool prepares = false;
  uint64_t seed = 0;
};

class FakeRuns : public Runs {
 public:
  const std::string& directory() const override { return directory_; }
  const DiskFacts& disk() const override { return disk_; }

  RunOutcome RunOnce(const Workload& workload, const Candidate& candidate,
                     const std::string& db, bool prepares,
                     uint64_t seed) override {
    ran.push_back({workload.name, candidate.name, db, prepares, seed});
    databases.insert(db);
    RunOutcome outcome;
    outcome.is_ok = ran.size() != fails_at;
    outcome.error = "no more paper";
    // No two alike.
    outcome.measured.round.ops_per_second = static_cast<double>(ran.size());
    outcome.measured.latency = {{1, 2, 1}};
    if (ran.size() == stops_at) {
      stop.store(true);
      outcome.is_ok = false;
    }
    return outcome;
  }
  void Remove(const std::string& db) const override { databases.erase(db); }

  std::vector<Ran> ran;
  mutable std::set<std::string> databases;
  size_t fails_at = 0;
  size_t stops_at = 0;
  std::atomic<bool> stop{false};

 private:
  const std::string directory_ = "here";
  DiskFacts disk_;
};

class ComparisonTest : public testing::Test {
 protected:
  ComparisonTest() {
    plan_.rounds = 4;
    plan_.seed = 100;
    std::string error;
    EXPECT_TRUE(ChooseCandidates({"posix", "posix+direct", "uringfs"},
                                 &plan_.candidates, &error));
    Add("one");
  }

  void Add(const std::string& name) {
    plan_.workloads.emplace_back().name = name;
  }

  bool Run() {
    Progress progress(1);
    return Compare(plan_, runs_.stop, &runs_, &progress, &report_);
  }

  // Of the runs that count, by round.
  std::vector<std::vector<std::string>> Orders(const std::string& workload) {
    std::vector<std::vector<std::string>> orders(plan_.rounds + 1);
    for (const Ran& run : runs_.ran) {
      if (run.workload == workload) {
        orders[run.seed - plan_.seed].push_back(run.candidate);
      }
    }
    return {orders.begin() + 1, orders.end()};
  }

  Plan plan_;
  FakeRuns runs_;
  Report report_;
};

TEST_F(ComparisonTest, EveryRoundHasAllAndTheFirstDoesNotCount) {
  EXPECT_TRUE(Run());
  EXPECT_TRUE(report_.is_complete);
  ASSERT_EQ(runs_.ran.size(), 3u * 5);
  for (const CandidateResult& result : report_.workloads.at(0).results) {
    ASSERT_EQ(result.rounds.size(), 4u);
    EXPECT_GT(result.rounds[0].ops_per_second, 3) << "the warm-up counted";
    EXPECT_EQ(result.latency.at(0).count, 4u);
  }
  EXPECT_EQ(report_.workloads[0].results[0].candidate, "posix");
  EXPECT_THAT(runs_.databases, IsEmpty());
}

TEST_F(ComparisonTest, WithoutWarmUpAllCount) {
  plan_.warms_up = false;
  EXPECT_TRUE(Run());
  EXPECT_EQ(runs_.ran.size(), 3u * 4);
}

TEST_F(ComparisonTest, TheSeedIsTheSameForAllOfARoundAndAnotherInTheNext) {
  EXPECT_TRUE(Run());
  for (size_t i = 0; i < runs_.ran.size(); ++i) {
    EXPECT_EQ(runs_.ran[i].seed, plan_.seed + i / 3);
  }
}

// Whatever comes with a place in the round, everybody gets it equally often.
TEST_F(ComparisonTest, EverySecondRoundRunsTheOtherWayRound) {
  plan_.rounds = 20;
  Add("two");
  EXPECT_TRUE(Run());
  for (const char* workload : {"one", "two"}) {
    auto orders = Orders(workload);
    std::set<std::vector<std::string>> different(orders.begin(), orders.end());
    EXPECT_GE(different.size(), 4u) << "it is not shuffled";
    for (size_t i = 0; i + 1 < orders.size(); i += 2) {
      std::reverse(orders[i].begin(), orders[i].end());
      EXPECT_EQ(orders[i], orders[i + 1]);
    }
  }
  EXPECT_NE(Orders("one"), Orders("two"));
  for (const CandidateResult& result : report_.workloads[0].results) {
    uint32_t positions = 0;
    for (const Round& round : result.rounds) {
      positions += round.position;
    }
    EXPECT_EQ(positions, 20u * 2) << "on average in the middle";
  }
}

TEST_F(ComparisonTest, ADatabaseIsMadeAnewForEveryRun) {
  EXPECT_TRUE(Run());
  for (const Ran& run : runs_.ran) {
    EXPECT_TRUE(run.prepares);
  }
}

TEST_F(ComparisonTest, OrOnceWhereItIsOnlyRead) {
  plan_.workloads[0].keeps_database = true;
  EXPECT_TRUE(Run());
  std::map<std::string, std::string> databases;
  for (size_t i = 0; i < runs_.ran.size(); ++i) {
    EXPECT_EQ(runs_.ran[i].prepares, i < 3);
    databases[runs_.ran[i].candidate] = runs_.ran[i].db;
  }
  std::set<std::string> names;
  for (const auto& [candidate, db] : databases) {
    names.insert(db);
  }
  EXPECT_EQ(names.size(), 3u) << "each has its own";
  EXPECT_THAT(runs_.databases, IsEmpty());
}

TEST_F(ComparisonTest, WhoFailsIsLeftOutAndTheOthersGoOn) {
  runs_.fails_at = 8;
  EXPECT_FALSE(Run());
  const std::string failed = runs_.ran[7].candidate;
  for (const CandidateResult& result : report_.workloads.at(0).results) {
    if (result.candidate == failed) {
      EXPECT_EQ(result.rounds.size(), 1u);
      EXPECT_THAT(result.doubts, ElementsAre("it failed: no more paper"));
    } else {
      EXPECT_EQ(result.rounds.size(), 4u);
      EXPECT_THAT(result.doubts, IsEmpty());
    }
  }
  EXPECT_TRUE(report_.is_complete);
}

TEST_F(ComparisonTest, AStopKeepsWhatThereIsAndBlamesNobody) {
  Add("two");
  runs_.stops_at = 11;
  EXPECT_TRUE(Run());
  EXPECT_FALSE(report_.is_complete);
  EXPECT_EQ(runs_.ran.size(), 11u);
  ASSERT_EQ(report_.workloads.size(), 1u);
  size_t rounds = 0;
  for (const CandidateResult& result : report_.workloads[0].results) {
    rounds += result.rounds.size();
    EXPECT_THAT(result.doubts, IsEmpty());
  }
  EXPECT_EQ(rounds, 11u - 3 - 1);
  EXPECT_THAT(runs_.databases, IsEmpty());
}

TEST(PlanTest, NothingToCompareIsNoSuccess) {
  Plan plan;
  std::string error;
  EXPECT_FALSE(plan.Check(".", &error));
  ASSERT_TRUE(ChooseCandidates({"posix", "uringfs"}, &plan.candidates, &error));
  plan.workloads.emplace_back().name = "one";
  EXPECT_TRUE(plan.Check(".", &error)) << error;
  plan.workloads[0].candidates = {"posix+direct"};
  EXPECT_FALSE(plan.Check(".", &error));
  plan.workloads[0].candidates.clear();
  plan.workloads[0].program = "small_files";
  EXPECT_FALSE(plan.Check("./nowhere", &error));
}

TEST(PlanTest, FlagsOfTheUsersOwn) {
  Workload workload;
  std::string error;
  ASSERT_TRUE(GivenWorkload("fillseq,readrandom[X3]", uint64_t{1} << 20,
                            {"--value_size=992"}, &workload, &error));
  EXPECT_EQ(workload.measure, "readrandom");
  EXPECT_EQ(workload.space_mb, 2049u);
  for (const char* flag : {"--db=here", "-fs_uri=x", "--seed=1", "--num=5"}) {
    EXPECT_FALSE(GivenWorkload("fillseq", 1, {flag}, &workload, &error));
    EXPECT_NE(error.find(flag), std::string::npos);
  }
  EXPECT_FALSE(GivenWorkload("fillseq,", 1, {}, &workload, &error));
}

TEST(PlanTest, TimesGrowWithThePreset) {
  Plan plan;
  std::string error;
  ASSERT_TRUE(ChooseCandidates({"posix", "uringfs"}, &plan.candidates, &error));
  plan.rounds = 4;
  plan.warms_up = false;
  Workload& workload = plan.workloads.emplace_back();
  workload.seconds = 2;
  EXPECT_DOUBLE_EQ(plan.Seconds(), 16);
  plan.warms_up = true;
  EXPECT_DOUBLE_EQ(plan.Seconds(), 20);
  workload.run = {"--duration={seconds}"};
  Apply({1, 10}, &workload);
  EXPECT_DOUBLE_EQ(plan.Seconds(), 110);
}

}  // namespace
}  // namespace uringfs::bench
