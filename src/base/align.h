// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_BASE_ALIGN_H_
#define URINGFS_BASE_ALIGN_H_

#include <cstdint>

namespace uringfs {

constexpr bool IsPowerOfTwo(uint64_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}

// REQUIRES for the three: `unit` is a power of two.
constexpr uint64_t AlignDown(uint64_t value, uint64_t unit) {
  return value & ~(unit - 1);
}
constexpr uint64_t AlignUp(uint64_t value, uint64_t unit) {
  return AlignDown(value + unit - 1, unit);
}
constexpr bool IsAligned(uint64_t value, uint64_t unit) {
  return AlignDown(value, unit) == value;
}

}  // namespace uringfs

#endif  // URINGFS_BASE_ALIGN_H_
