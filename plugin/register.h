// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_PLUGIN_REGISTER_H_
#define URINGFS_PLUGIN_REGISTER_H_

#include <rocksdb/utilities/object_registry.h>

#include <string>

// Makes "uringfs", "uringfs://" and "uringfs://?name=value&..." known to
// `library`, as a FileSystem and as an Env; answers how many factories it now
// has. The name and the form are those RocksDB's builds of plugins call; it is
// the one symbol liburingfs.so shows.
extern "C" __attribute__((visibility("default"))) int register_uringfs(
    ROCKSDB_NAMESPACE::ObjectLibrary& library, const std::string& arg);

#endif  // URINGFS_PLUGIN_REGISTER_H_
