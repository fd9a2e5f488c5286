// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// RocksDB's MANIFEST, as far as it takes to tell which logs a database still
// reads when it is opened. Logs in front of those it skips, and then deletes.
//
// THREADS: functions: any.

#ifndef URINGFS_ROCKSDB_WAL_MANIFEST_H_
#define URINGFS_ROCKSDB_WAL_MANIFEST_H_

#include <cstdint>
#include <string>

namespace uringfs {

struct WantedWals {
  // Of no earlier log anything is read.
  uint64_t first = 0;
  // Of each log from here on all is read. In between, RocksDB passes over the
  // records of those column families that are ahead.
  uint64_t first_whole = 0;
};

// What the database in `directory` would read. False: that cannot be told,
// because no database is there, or what it has is encrypted, damaged or of a
// release that writes something new.
bool FindWantedWals(const std::string& directory, WantedWals* wanted);

}  // namespace uringfs

#endif  // URINGFS_ROCKSDB_WAL_MANIFEST_H_
