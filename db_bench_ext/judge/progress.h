// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What is being done, and how long it will take: one line that is written over
// on a terminal, and a line now and then elsewhere.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_PROGRESS_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_PROGRESS_H_

#include <chrono>
#include <string>

namespace uringfs::bench {

class Progress {
 public:
  // `seconds`: what all of it will take, by estimate.
  explicit Progress(double seconds);
  // Takes the line away, for other output.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `seconds`: the estimate of what begins now; what was begun before is done.
  void Begin(const std::string& what, double seconds);

 private:
  double SecondsLeft() const;

  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin_ = Clock::now();
  const bool is_terminal_;
  const double planned_;
  double done_ = 0;
  double under_way_ = 0;
  Clock::time_point told_;
};

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_PROGRESS_H_
