// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Only in the module: registers with the RocksDB of the process as soon as the
// module is opened, since RocksDB itself loads no plugins.

#include "module.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "register.h"

#include "rocksdb_api.h"

namespace uringfs {
namespace {

// liburingfs.so opens the module that fits; somebody may preload a module
// himself.
bool FitsRunningRocksDb() {
  const std::string other = OtherRelease();
  if (!other.empty()) {
    std::fprintf(stderr, "uringfs: not registered: this module was %s\n",
                 other.c_str());
  }
  return other.empty();
}

// Only liburingfs.so hears that variable. Without it RocksDB's own file system
// would open a killed database with less than it acknowledged.
void RefuseToBeDeaf() {
  if (WantedDefault().empty() || ::dlsym(RTLD_DEFAULT, kPreload) != nullptr) {
    return;
  }
  std::fprintf(stderr,
               "uringfs: nothing is opened, and the process ends: environment "
               "variable %s asks for uringfs, and that takes liburingfs.so. "
               "Preload that instead of liburingfs_module.so\n",
               kDefaultVariable);
  std::_Exit(EXIT_FAILURE);
}

const bool kRegistered = [] {
  RefuseToBeDeaf();
  if (FitsRunningRocksDb()) {
    rdb::ObjectLibrary::Default()->Register(&register_uringfs, "");
  }
  return true;
}();

}  // namespace
}  // namespace uringfs
