// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// CRC32C (Castagnoli), by the processor's instruction where it has one.
//
// THREADS: thread-safe.

#ifndef URINGFS_INTERNAL_CRC32C_H_
#define URINGFS_INTERNAL_CRC32C_H_

#include <cstddef>
#include <cstdint>

namespace uringfs {

// `init` is the value of the bytes before `data`, so that
// Crc32c(b, m, Crc32c(a, n)) is the value of a and b.
uint32_t Crc32c(const void* data, size_t bytes, uint32_t init = 0);

}  // namespace uringfs

#endif  // URINGFS_INTERNAL_CRC32C_H_
