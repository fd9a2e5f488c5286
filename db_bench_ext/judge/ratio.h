// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// When is one candidate faster than another? Disks and virtual machines drift
// by more than many a difference, so the ratio is taken within each round, and
// the rounds have to agree.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_RATIO_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_RATIO_H_

#include <string>
#include <vector>

namespace uringfs::bench {

// Fewer rounds decide nothing.
constexpr size_t kMinRounds = 3;

// Of a candidate's speed to the baseline's, round by round.
struct Ratio {
  std::vector<double> rounds;
  double median = 0;
  double low = 0;
  double high = 0;
  // Where the true ratio is to be expected: the 99.9 % interval of Student's t
  // over the logarithms. A report has dozens of ratios, and each of them would
  // tell of a difference that is not there once in so many.
  double interval_low = 0;
  double interval_high = 0;
  // "faster", "slower"; "no difference": rounds disagree, or, "(above 1)" or
  // "(below 1)", agree while the interval crosses 1.0; "too few rounds".
  std::string verdict;
};

// REQUIRES: every one is above 0; at least one.
Ratio RatioOf(std::vector<double> rounds);

// Whether two independent sets of ratios differ, as `RatioOf` would say it: a
// ratio of their medians, the interval by Welch's t over the logarithms.
// `rounds` is left empty, `low` and `high` are those of the interval.
Ratio Quotient(const std::vector<double>& newer,
               const std::vector<double>& older);

// REQUIRES: !values.empty().
double Median(std::vector<double> values);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_RATIO_H_
