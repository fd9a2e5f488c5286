// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Names of RocksDB's logs.

#ifndef URINGFS_ROCKSDB_WAL_WAL_NAMES_H_
#define URINGFS_ROCKSDB_WAL_WAL_NAMES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "uringfs/status.h"

namespace uringfs {

// The number of a log named by one, `NNNNNN.log`; 0 otherwise.
uint64_t WalNumberOf(const std::string& path);

// Logs of higher numbers in the directory of `path`, by number, lowest first.
// Errors: those of listing it.
Status FindLaterWals(const std::string& path,
                     std::vector<std::pair<uint64_t, std::string>>* later);

}  // namespace uringfs

#endif  // URINGFS_ROCKSDB_WAL_WAL_NAMES_H_
