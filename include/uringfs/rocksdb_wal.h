// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// RocksDB's write-ahead logs, `NNNNNN.log`, as recovery has to know them.

#ifndef URINGFS_ROCKSDB_WAL_H_
#define URINGFS_ROCKSDB_WAL_H_

#include <cstdint>

#include "uringfs/log_format.h"

namespace uringfs {

// How far from the last byte that was written a tear can be: several times
// LogOptions::flush_window_bytes, and max_extend_bytes, at their largest.
// Anything further away is damage.
inline constexpr uint64_t kUsualMaxTornBytes = uint64_t{96} << 20;

// Never destroyed.
const LogFormat& RocksDbWal();

}  // namespace uringfs

#endif  // URINGFS_ROCKSDB_WAL_H_
