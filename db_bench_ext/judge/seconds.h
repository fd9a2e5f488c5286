// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_SECONDS_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_SECONDS_H_

#include <chrono>

namespace uringfs::bench {

inline double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
      .count();
}

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_SECONDS_H_
