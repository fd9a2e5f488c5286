// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/ratio.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace uringfs::bench {
namespace {

// Two-sided 99.9 % quantiles of Student's t for 1, 2, 3... degrees of freedom.
constexpr double kQuantiles[] = {
    636.619, 31.599, 12.924, 8.610, 6.869, 5.959, 5.408, 5.041, 4.781, 4.587,
    4.437,   4.318,  4.221,  4.140, 4.073, 4.015, 3.965, 3.922, 3.883, 3.850};

// Between two of them the wider one; behind the last of them that.
double QuantileOf(double degrees) {
  const size_t count = std::size(kQuantiles);
  const auto whole = static_cast<size_t>(std::max(1.0, std::floor(degrees)));
  return kQuantiles[std::min(whole, count) - 1];
}

struct Moments {
  double mean = 0;
  // Of the mean.
  double variance = 0;
};

Moments MomentsOfLogs(const std::vector<double>& values) {
  Moments moments;
  const auto count = static_cast<double>(values.size());
  for (const double value : values) {
    moments.mean += std::log(value) / count;
  }
  for (const double value : values) {
    const double off = std::log(value) - moments.mean;
    moments.variance += off * off / (count - 1) / count;
  }
  return moments;
}

bool Crosses(double low, double high) { return low <= 1 && high >= 1; }

std::string VerdictOf(const Ratio& ratio) {
  if (Crosses(ratio.low, ratio.high)) {
    return "no difference";
  }
  if (Crosses(ratio.interval_low, ratio.interval_high)) {
    return ratio.low > 1 ? "no difference (above 1)"
                         : "no difference (below 1)";
  }
  return ratio.interval_low > 1 ? "faster" : "slower";
}

}  // namespace

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half]
                                : (values[half - 1] + values[half]) / 2;
}

Ratio RatioOf(std::vector<double> rounds) {
  Ratio ratio;
  ratio.median = Median(rounds);
  const auto [low, high] = std::minmax_element(rounds.begin(), rounds.end());
  ratio.low = *low;
  ratio.high = *high;
  ratio.interval_low = ratio.low;
  ratio.interval_high = ratio.high;
  ratio.verdict = "too few rounds";
  if (rounds.size() >= kMinRounds) {
    const Moments moments = MomentsOfLogs(rounds);
    const double half = QuantileOf(static_cast<double>(rounds.size()) - 1) *
                        std::sqrt(moments.variance);
    ratio.interval_low = std::exp(moments.mean - half);
    ratio.interval_high = std::exp(moments.mean + half);
    ratio.verdict = VerdictOf(ratio);
  }
  ratio.rounds = std::move(rounds);
  return ratio;
}

Ratio Quotient(const std::vector<double>& newer,
               const std::vector<double>& older) {
  Ratio ratio;
  ratio.median = Median(newer) / Median(older);
  ratio.low = ratio.high = ratio.interval_low = ratio.interval_high =
      ratio.median;
  ratio.verdict = "too few rounds";
  if (newer.size() < kMinRounds || older.size() < kMinRounds) {
    return ratio;
  }
  const Moments a = MomentsOfLogs(newer);
  const Moments b = MomentsOfLogs(older);
  const double variance = a.variance + b.variance;
  const double spread =
      a.variance * a.variance / (static_cast<double>(newer.size()) - 1) +
      b.variance * b.variance / (static_cast<double>(older.size()) - 1);
  const double degrees = spread > 0 ? variance * variance / spread : 1e9;
  const double half = QuantileOf(degrees) * std::sqrt(variance);
  ratio.low = ratio.interval_low = std::exp(a.mean - b.mean - half);
  ratio.high = ratio.interval_high = std::exp(a.mean - b.mean + half);
  ratio.verdict = VerdictOf(ratio);
  return ratio;
}

}  // namespace uringfs::bench
