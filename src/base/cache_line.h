// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_BASE_CACHE_LINE_H_
#define URINGFS_BASE_CACHE_LINE_H_

#include <cstddef>

namespace uringfs {

// Own constant: clang 14 with libstdc++ 12 lacks
// std::hardware_destructive_interference_size, and it would leak into the ABI.
inline constexpr size_t kCacheLineBytes = 64;

}  // namespace uringfs

#endif  // URINGFS_BASE_CACHE_LINE_H_
