// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Where the last whole record of a log ends.
//
// THREADS: functions: any.

#ifndef URINGFS_ROCKSDB_WAL_WAL_RECORDS_H_
#define URINGFS_ROCKSDB_WAL_WAL_RECORDS_H_

#include <string>

#include "uringfs/log_format.h"

namespace uringfs {

// See LogFormat::FindEnd.
Status FindWalEnd(const ByteSource& log, const std::string& path,
                  uint64_t joint, RecordsEnd* end);

}  // namespace uringfs

#endif  // URINGFS_ROCKSDB_WAL_WAL_RECORDS_H_
