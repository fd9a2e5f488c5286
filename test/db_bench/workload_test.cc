// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/workload.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "db_bench_ext/judge/plan.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kText[] =
    "# What it is for.\n"
    "title: a workload  # a remark\n"
    "run: --benchmarks=fillrandom --threads=4\n"
    "run: --num={200000} --duration={seconds}\n"
    "measure: fillrandom\n"
    "presets: quick full\n"
    "sync_every: 10\n"
    "keep: yes\n"
    "space_mb: 100\n";

TEST(WorkloadTest, AFileIsRead) {
  Workload workload;
  std::string error;
  ASSERT_TRUE(ParseWorkload("name", kText, &workload, &error)) << error;
  EXPECT_EQ(workload.name, "name");
  EXPECT_EQ(workload.title, "a workload");
  EXPECT_THAT(workload.presets, ElementsAre("quick", "full"));
  EXPECT_EQ(workload.sync_every, 10u);
  EXPECT_TRUE(workload.keeps_database);
  EXPECT_FALSE(workload.is_warm);
  EXPECT_EQ(workload.Threads(), 4u);
  EXPECT_EQ(workload.program, "db_bench");
}

TEST(WorkloadTest, PlaceholdersAreFilledIn) {
  Workload workload;
  std::string error;
  ASSERT_TRUE(ParseWorkload("name", kText, &workload, &error)) << error;
  Apply({1.5, 7}, &workload);
  EXPECT_THAT(workload.run,
              ElementsAre("--benchmarks=fillrandom", "--threads=4",
                          "--num=300000", "--duration=7"));
  EXPECT_EQ(workload.space_mb, 150u);
}

TEST(WorkloadTest, BadOnesAreRefusedByName) {
  const auto refused = [](const std::string& text) {
    Workload workload;
    std::string error;
    EXPECT_FALSE(ParseWorkload("name", text, &workload, &error));
    return error;
  };
  EXPECT_THAT(refused("colour: red\n"),
              HasSubstr("line 1: there is no key 'colour'; there are"));
  EXPECT_THAT(refused("title: a\nkeep: perhaps\n"),
              HasSubstr("line 2: 'keep' cannot be 'perhaps'"));
  EXPECT_THAT(refused("title: a\nsync_every: many\n"), HasSubstr("'many'"));
  EXPECT_THAT(refused("title: a\nspace_mb: -1\n"), HasSubstr("'-1'"));
  EXPECT_THAT(refused("title: a\nprogram: rm\n"), HasSubstr("'rm'"));
  EXPECT_THAT(refused("title: a\n"), HasSubstr("a run"));
  EXPECT_THAT(refused("title: a\nrun: --num=1\n"), HasSubstr("'measure'"));
  EXPECT_THAT(refused("just words\n"), HasSubstr("line 1"));
}

// Those that are shipped.
TEST(WorkloadTest, AllAreWholeAndInAPreset) {
  std::vector<Workload> workloads;
  std::string error;
  ASSERT_TRUE(LoadWorkloads(URINGFS_WORKLOADS, &workloads, &error)) << error;
  for (Workload& workload : workloads) {
    SCOPED_TRACE(workload.name);
    EXPECT_FALSE(workload.isolates.empty());
    EXPECT_FALSE(workload.presets.empty());
    EXPECT_GT(workload.space_mb, 0u);
    for (const std::string& preset : workload.presets) {
      EXPECT_TRUE(
          std::any_of(AllPresets().begin(), AllPresets().end(),
                      [&](const Preset& one) { return one.name == preset; }))
          << preset;
    }
    std::vector<Candidate> candidates;
    if (!workload.candidates.empty()) {
      EXPECT_TRUE(ChooseCandidates(workload.candidates, &candidates, &error))
          << error;
    }
    Apply({1, 1}, &workload);
    for (const auto& words :
         {workload.run, workload.prepare, workload.beside}) {
      for (const std::string& word : words) {
        EXPECT_EQ(word.find_first_of("{}"), std::string::npos) << word;
      }
    }
  }
}

TEST(WorkloadTest, ACandidateMayBeHeldAgainstItself) {
  std::vector<Candidate> chosen;
  std::string error;
  ASSERT_TRUE(ChooseCandidates({"posix", "posix", "posix"}, &chosen, &error));
  EXPECT_EQ(chosen[1].name, "posix again");
  EXPECT_EQ(chosen[2].name, "posix again again");
  Plan plan;
  plan.candidates = chosen;
  Workload workload;
  workload.candidates = {"posix", "uringfs"};
  EXPECT_EQ(plan.CandidatesOf(workload).size(), 3u);
  workload.candidates = {"uringfs"};
  EXPECT_EQ(plan.CandidatesOf(workload).size(), 1u) << "the baseline stays";
}

TEST(WorkloadTest, SpaceIsThatOfTheLargest) {
  Plan plan;
  std::string error;
  ASSERT_TRUE(ChooseCandidates({"posix", "uringfs"}, &plan.candidates, &error));
  plan.workloads.resize(2);
  plan.workloads[0].space_mb = 150;
  plan.workloads[1].space_mb = 100;
  plan.workloads[1].keeps_database = true;
  EXPECT_EQ(plan.SpaceBytes(), uint64_t{200} << 20);
}

}  // namespace
}  // namespace uringfs::bench
