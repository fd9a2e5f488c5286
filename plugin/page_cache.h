// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_PLUGIN_PAGE_CACHE_H_
#define URINGFS_PLUGIN_PAGE_CACHE_H_

#include <string>

namespace uringfs {

// Whether the page cache has the best part of a file, by a sample of it: some
// tens of microseconds. Reads nothing in. True too where the kernel does not
// say (it tells only who may write the file), false for what cannot be opened.
// THREADS: any.
bool IsInPageCache(const std::string& path);

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_PAGE_CACHE_H_
