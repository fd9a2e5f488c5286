// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/ratio.h"

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "test/support/seed.h"

#include "gtest/gtest.h"

namespace uringfs::bench {
namespace {

TEST(RatioTest, MedianAndSpreadAreThoseOfTheRounds) {
  const Ratio ratio = RatioOf({1.3, 1.1, 1.2});
  EXPECT_DOUBLE_EQ(ratio.median, 1.2);
  EXPECT_DOUBLE_EQ(ratio.low, 1.1);
  EXPECT_DOUBLE_EQ(ratio.high, 1.3);
  EXPECT_DOUBLE_EQ(RatioOf({1.0, 2.0}).median, 1.5);
}

TEST(RatioTest, TheIntervalIsStudents) {
  // Mean of the logarithms 0, deviation of the mean 0.1: t is 8.610 for four
  // degrees of freedom.
  const double step = 0.1 * std::sqrt(5.0) / std::sqrt(2.5);
  const Ratio ratio = RatioOf({std::exp(-2 * step), std::exp(-step), 1.0,
                               std::exp(step), std::exp(2 * step)});
  EXPECT_NEAR(std::log(ratio.interval_high), 0.861, 1e-9);
  EXPECT_NEAR(std::log(ratio.interval_low), -0.861, 1e-9);
}

TEST(RatioTest, FewRoundsDecideNothing) {
  EXPECT_EQ(RatioOf({2.0, 2.0}).verdict, "too few rounds");
  EXPECT_EQ(RatioOf({2.0, 2.0, 2.0}).verdict, "faster");
  EXPECT_EQ(Quotient({2.0, 2.0}, {1.0, 1.0, 1.0}).verdict, "too few rounds");
}

TEST(RatioTest, RoundsThatAgreeDecide) {
  EXPECT_EQ(RatioOf({1.50, 1.55, 1.60, 1.52, 1.58}).verdict, "faster");
  EXPECT_EQ(RatioOf({0.50, 0.55, 0.60, 0.52, 0.58}).verdict, "slower");
}

TEST(RatioTest, ARoundThatIsEvenDecidesNothing) {
  EXPECT_EQ(RatioOf({1.5, 1.5, 1.0, 1.5, 1.5}).verdict, "no difference");
  EXPECT_EQ(RatioOf({0.5, 0.5, 1.0, 0.5, 0.5}).verdict, "no difference");
}

TEST(RatioTest, OneRoundThatDisagreesIsNoDifference) {
  EXPECT_EQ(RatioOf({1.50, 1.55, 0.99, 1.52, 1.58}).verdict, "no difference");
}

TEST(RatioTest, RoundsOfOneSideMayStillBeChance) {
  EXPECT_EQ(RatioOf({1.01, 1.20, 1.02, 1.30, 1.05}).verdict,
            "no difference (above 1)");
  EXPECT_EQ(RatioOf({0.99, 0.80, 0.98, 0.70, 0.95}).verdict,
            "no difference (below 1)");
}

// How often something is held against itself and a difference is seen.
TEST(RatioTest, ACandidateIsSeldomFasterThanItself) {
  const uint64_t seed = test::SeedOr(71);
  SCOPED_TRACE(test::SeedTrace(seed));
  std::mt19937_64 random(seed);
  std::normal_distribution<double> noise(0, 0.1);
  int differences = 0;
  constexpr int kReports = 20000;
  for (int report = 0; report < kReports; ++report) {
    std::vector<double> rounds;
    for (int round = 0; round < 5; ++round) {
      rounds.push_back(std::exp(noise(random)) / std::exp(noise(random)));
    }
    const std::string verdict = RatioOf(rounds).verdict;
    differences += verdict == "faster" || verdict == "slower" ? 1 : 0;
  }
  // One of a thousand is promised: 20, and chance may double it.
  EXPECT_LE(differences, 40);
  EXPECT_GE(differences, 2) << "nothing is ever seen";
}

TEST(RatioTest, QuotientsOfReportsAreJudgedAlike) {
  const std::vector<double> old = {1.50, 1.55, 1.60, 1.52, 1.58};
  EXPECT_EQ(Quotient(old, old).verdict, "no difference");
  EXPECT_DOUBLE_EQ(Quotient(old, old).median, 1);
  const Ratio worse = Quotient({0.75, 0.77, 0.80, 0.76, 0.78}, old);
  EXPECT_EQ(worse.verdict, "slower");
  EXPECT_NEAR(worse.median, 0.5, 0.01);
}

}  // namespace
}  // namespace uringfs::bench
