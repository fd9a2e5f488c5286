// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What the sources of liburingfs.so alone share.

#ifndef URINGFS_PLUGIN_AUTOLOAD_H_
#define URINGFS_PLUGIN_AUTOLOAD_H_

namespace uringfs {

// "1": uringfs with its default options is RocksDB's default file system. A URI
// as for --fs_uri: with those. Unset, empty or "0": it is not. Anything else:
// nothing opens.
inline constexpr char kDefaultVariable[] = "URINGFS_DEFAULT";

// Whether the process runs the RocksDB that we were compiled for. Classes of
// RocksDB gain virtual functions from one minor release to the next: with
// another one calls would go astray. Says so on stderr, once.
bool FitsRunningRocksDb();

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_AUTOLOAD_H_
