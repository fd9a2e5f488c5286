// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Which RocksDB this is compiled against. One source tree serves 7.8.3 to
// 11.x; code that depends on the release asks URINGFS_ROCKSDB_GE, because
// RocksDB's own macro exists only since 10.8.

#ifndef URINGFS_PLUGIN_ROCKSDB_API_H_
#define URINGFS_PLUGIN_ROCKSDB_API_H_

#include <rocksdb/rocksdb_namespace.h>
#include <rocksdb/version.h>

#define URINGFS_ROCKSDB_GE(major, minor) \
  (ROCKSDB_MAJOR > (major) ||            \
   (ROCKSDB_MAJOR == (major) && ROCKSDB_MINOR >= (minor)))

namespace uringfs {
namespace rdb = ROCKSDB_NAMESPACE;
}  // namespace uringfs

#endif  // URINGFS_PLUGIN_ROCKSDB_API_H_
