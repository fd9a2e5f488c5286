// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Which RocksDB this is compiled against. One source tree serves 7.8.3 to
// 11.x; code that depends on the release asks URINGFS_ROCKSDB_GE, because
// RocksDB's own macro exists only since 10.8.

#ifndef URINGFS_PLUGIN_ROCKSDB_API_H_
#define URINGFS_PLUGIN_ROCKSDB_API_H_

#include <rocksdb/rocksdb_namespace.h>
#include <rocksdb/version.h>

#include <string>

#define URINGFS_ROCKSDB_GE(major, minor) \
  (ROCKSDB_MAJOR > (major) ||            \
   (ROCKSDB_MAJOR == (major) && ROCKSDB_MINOR >= (minor)))

namespace uringfs {
namespace rdb = ROCKSDB_NAMESPACE;

// A clause about the RocksDB of the process if it is of another release than
// this was compiled for, else "". Classes of RocksDB gain virtual functions
// from one minor release to the next: with another one calls would go astray.
inline std::string OtherRelease() {
  const std::string compiled =
      std::to_string(ROCKSDB_MAJOR) + "." + std::to_string(ROCKSDB_MINOR);
  const std::string running = rdb::GetRocksVersionAsString(false);
  return compiled == running ? ""
                             : "built for RocksDB " + compiled +
                                   " and the process runs RocksDB " + running;
}

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_ROCKSDB_API_H_
