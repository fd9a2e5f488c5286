// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A report as one page for a browser that needs nothing beside it.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_PAGE_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_PAGE_H_

#include <string>

namespace uringfs::bench {

// `json`: what ToJson of a report returned.
std::string PageOf(const std::string& json);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_PAGE_H_
