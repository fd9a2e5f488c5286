// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The one place where the core's errors become RocksDB's.

#ifndef URINGFS_PLUGIN_IO_STATUS_H_
#define URINGFS_PLUGIN_IO_STATUS_H_

#include <rocksdb/io_status.h>
#include <uringfs/status.h>

#include <string>

#include "rocksdb_api.h"

namespace uringfs {

// Codes, subcodes and flags are those RocksDB's posix file system gives for
// the same errno, since RocksDB's error handler decides by them whether a
// database stops, retries or waits for space. The message is the core's.
// `advice` goes behind the message of an error.
rdb::IOStatus ToIOStatus(const Status& status, const std::string& advice = "");

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_IO_STATUS_H_
