// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The file systems tests compare: RocksDB's own and ours on top of it.

#ifndef URINGFS_TEST_PLUGIN_FILE_SYSTEMS_H_
#define URINGFS_TEST_PLUGIN_FILE_SYSTEMS_H_

#include <rocksdb/file_system.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "plugin/uringfs_file_system.h"

namespace uringfs::test {

inline std::shared_ptr<rocksdb::FileSystem> MakeUringFs(
    const UringFsOptions& options = UringFsOptions()) {
  std::shared_ptr<rocksdb::FileSystem> fs;
  const rocksdb::Status status = NewUringFileSystem(nullptr, options, &fs);
  if (!status.ok()) {
    std::cerr << status.ToString() << std::endl;
    std::abort();
  }
  return fs;
}

// "posix"; "uringfs"; "uringfs_direct", all of whose longer data files are
// written directly; "uringfs_ring", whose WALs have a side file from their
// first byte on, and zeros ahead once they are synced, whatever the recovery
// mode, and all of whose data files are written directly; or
// "uringfs_pwrite": our fall-back without io_uring.
inline std::shared_ptr<rocksdb::FileSystem> MakeFs(const std::string& name) {
  if (name == "posix") {
    return rocksdb::FileSystem::Default();
  }
  UringFsOptions options;
  if (name == "uringfs_direct") {
    options.data_cache = DataCache::kNone;
  }
  if (name == "uringfs_ring") {
    options.wal_ring_after_bytes = 0;
    options.wal_preextend = WalPreextend::kOn;
    options.data_cache = DataCache::kNone;
    options.data_cached_bytes = 0;
  }
  if (name == "uringfs_pwrite") {
    options.io_engine = IoEngine::kPwrite;
    options.direct_io = DirectIo::kOff;
  }
  return MakeUringFs(options);
}

}  // namespace uringfs::test

#endif  // URINGFS_TEST_PLUGIN_FILE_SYSTEMS_H_
