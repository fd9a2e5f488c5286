// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What liburingfs.so and the module it opens know of each other. liburingfs.so
// is preloaded into any program and needs no RocksDB (preload.cc). The module
// holds the plugin, compiled for one release of RocksDB (module.cc,
// stand_in.cc).

#ifndef URINGFS_PLUGIN_MODULE_H_
#define URINGFS_PLUGIN_MODULE_H_

#include <cstdlib>
#include <string>

namespace uringfs {

// "1": uringfs with its default options is RocksDB's default file system. A URI
// as for --fs_uri: with those. Unset, empty or "0": it is not. Anything else:
// nothing opens.
inline constexpr char kDefaultVariable[] = "URINGFS_DEFAULT";
// Its value; "" if it asks for nothing.
inline std::string WantedDefault() {
  const char* const value = std::getenv(kDefaultVariable);
  const std::string text = value != nullptr ? value : "";
  return text == "0" ? "" : text;
}

// uringfs_default() of the module, by its name.
using ModuleDefault = const void* (*)(const void* version, void* rocksdb);
inline constexpr char kModuleDefault[] = "uringfs_default";

// uringfs_is_heard() of the module.
using ModuleIsHeard = bool (*)();
inline constexpr char kModuleIsHeard[] = "uringfs_is_heard";

// Of liburingfs.so: does nothing, and tells that it is there.
inline constexpr char kPreload[] = "uringfs_preload";

}  // namespace uringfs

extern "C" __attribute__((visibility("default"))) void uringfs_preload();

// A `const std::shared_ptr<FileSystem>*`: the default file system as the
// environment wants it, for the RocksDB whose GetRocksVersionAsString is at
// `version` and whose FileSystem::Default is at `rocksdb`. Null if the module
// is bound to another RocksDB. THREADS: any.
extern "C" __attribute__((visibility("default"))) const void* uringfs_default(
    const void* version, void* rocksdb);

// Whether RocksDB itself asks liburingfs.so what its default file system is,
// and not itself. REQUIRES: the module is open.
extern "C" __attribute__((visibility("default"))) bool uringfs_is_heard();

#endif  // URINGFS_PLUGIN_MODULE_H_
