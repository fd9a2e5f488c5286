// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What every Device demands of its caller, checked in release builds too: an
// unaligned write would be refused by one file system and be slow on another.

#ifndef URINGFS_DEVICE_CHECK_WRITE_H_
#define URINGFS_DEVICE_CHECK_WRITE_H_

#include <cstddef>
#include <cstdint>

#include "src/base/align.h"
#include "src/base/assert.h"
#include "src/device/device.h"

namespace uringfs {

inline bool IsBlockAligned(const void* memory) {
  return IsAligned(reinterpret_cast<uintptr_t>(memory), kDeviceBlockBytes);
}

inline void CheckWrite(const Write& write) {
  URINGFS_CHECK(IsAligned(write.offset, kDeviceBlockBytes));
  URINGFS_CHECK_LT(0u, write.segment_count);
  URINGFS_CHECK_LE(write.segment_count, Write::kMaxSegments);
  for (uint32_t i = 0; i < write.segment_count; ++i) {
    const Segment& segment = write.segments[i];
    URINGFS_CHECK(IsBlockAligned(segment.data));
    URINGFS_CHECK(IsAligned(segment.bytes, kDeviceBlockBytes));
    URINGFS_CHECK_LT(0u, segment.bytes);
  }
  URINGFS_CHECK_LE(write.bytes(), kMaxWriteBytes);
  URINGFS_CHECK_LT(write.padding_bytes, kDeviceBlockBytes);
}

inline void CheckRead(uint64_t offset, const char* data, size_t bytes) {
  URINGFS_CHECK(IsAligned(offset, kDeviceBlockBytes));
  URINGFS_CHECK(IsBlockAligned(data));
  URINGFS_CHECK(IsAligned(bytes, kDeviceBlockBytes));
}

// Of space that is made ahead.
inline void CheckRange(uint64_t from, uint64_t to) {
  URINGFS_CHECK_WITH(from < to && IsAligned(from | to, kDeviceBlockBytes), from,
                     to);
}

}  // namespace uringfs

#endif  // URINGFS_DEVICE_CHECK_WRITE_H_
