// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "db_bench_ext/judge/seconds.h"

namespace uringfs::bench {
namespace {

// Into a log.
constexpr auto kTellEvery = std::chrono::seconds(10);

}  // namespace

Progress::Progress(double seconds)
    : is_terminal_(::isatty(STDERR_FILENO) == 1),
      planned_(seconds),
      told_(begin_ - kTellEvery) {}

Progress::~Progress() {
  if (is_terminal_) {
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
  }
}

// By the plan at first, and by how far the plan was off more and more.
double Progress::SecondsLeft() const {
  const double off = (SecondsSince(begin_) + 10) / (done_ + 10);
  return std::max(0.0, planned_ - done_) * off;
}

void Progress::Begin(const std::string& what, double seconds) {
  done_ += under_way_;
  under_way_ = seconds;
  const auto now = Clock::now();
  if (!is_terminal_ && now - told_ < kTellEvery) {
    return;
  }
  told_ = now;
  const int left = static_cast<int>(SecondsLeft() + 0.5);
  std::fprintf(stderr, "%s%3d %%  %d:%02d left  %s%s",
               is_terminal_ ? "\r\033[K" : "   ",
               static_cast<int>(100 * std::min(1.0, done_ / planned_)),
               left / 60, left % 60, what.c_str(), is_terminal_ ? "" : "\n");
  std::fflush(stderr);
}

}  // namespace uringfs::bench
