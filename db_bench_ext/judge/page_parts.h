// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The files page.html, page.css and page*.js, compiled in.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_PAGE_PARTS_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_PAGE_PARTS_H_

namespace uringfs::bench {

extern const char kPageHtml[];
extern const char kPageStyle[];
extern const char kPageScript[];

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_PAGE_PARTS_H_
