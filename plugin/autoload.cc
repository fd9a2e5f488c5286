// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Only in liburingfs.so: registers with the RocksDB of the process as soon as
// the object is loaded, since RocksDB itself loads no plugins.

#include "autoload.h"

#include <rocksdb/version.h>

#include <cstdio>
#include <string>

#include "register.h"

#include "rocksdb_api.h"

namespace uringfs {
namespace {

bool CompareVersions() {
  const std::string compiled =
      std::to_string(ROCKSDB_MAJOR) + "." + std::to_string(ROCKSDB_MINOR);
  const std::string running = rdb::GetRocksVersionAsString(false);
  if (running != compiled) {
    std::fprintf(stderr,
                 "uringfs: not registered: liburingfs.so was built for RocksDB "
                 "%s and this process runs RocksDB %s\n",
                 compiled.c_str(), running.c_str());
  }
  return running == compiled;
}

bool RegisterOnLoad() {
  if (FitsRunningRocksDb()) {
    rdb::ObjectLibrary::Default()->Register(&register_uringfs, "");
  }
  return FitsRunningRocksDb();
}

const bool kRegistered = RegisterOnLoad();

}  // namespace

bool FitsRunningRocksDb() {
  static const bool fits = CompareVersions();
  return fits;
}

}  // namespace uringfs
