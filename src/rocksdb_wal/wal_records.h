// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// RocksDB's log format, as far as it takes to tell where the last whole record
// ends: blocks of 32 KiB, in them fragments of
//
//   crc32c (4, masked)   over type, log number and payload
//   length (2)           of the payload
//   type (1)             full, first, middle, last, and others that stand alone
//   log number (4)       of recyclable types only
//   payload
//
// A block's end that is too short for a header is padding.
//
// THREADS: functions: any.

#ifndef URINGFS_ROCKSDB_WAL_WAL_RECORDS_H_
#define URINGFS_ROCKSDB_WAL_WAL_RECORDS_H_

#include <string>

#include "uringfs/log_format.h"

namespace uringfs {

// See LogFormat::FindEnd.
Status FindWalEnd(const ByteSource& log, const std::string& path,
                  RecordsEnd* end);

}  // namespace uringfs

#endif  // URINGFS_ROCKSDB_WAL_WAL_RECORDS_H_
