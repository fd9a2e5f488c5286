// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Only in liburingfs.so: registers with the RocksDB of the process as soon as
// the object is loaded, since RocksDB itself loads no plugins.

#include <rocksdb/version.h>

#include <cstdio>
#include <string>

#include "register.h"

#include "rocksdb_api.h"

namespace {

namespace rdb = ROCKSDB_NAMESPACE;

// Classes of RocksDB gain virtual functions from one minor release to the
// next: with another one than we were compiled for, calls would go astray.
bool RegisterOnLoad() {
  const std::string compiled =
      std::to_string(ROCKSDB_MAJOR) + "." + std::to_string(ROCKSDB_MINOR);
  const std::string running = rdb::GetRocksVersionAsString(false);
  if (running != compiled) {
    std::fprintf(stderr,
                 "uringfs: not registered: liburingfs.so was built for RocksDB "
                 "%s and this process runs RocksDB %s\n",
                 compiled.c_str(), running.c_str());
    return false;
  }
  rdb::ObjectLibrary::Default()->Register(&register_uringfs, "");
  return true;
}

const bool kRegistered = RegisterOnLoad();

}  // namespace
