// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A RocksDB of a release that nobody builds modules for, or, with STRANGER_OLD,
// one too old to tell its release: as much of it as liburingfs.so looks for.
// What it calls its default file system would crash whoever uses it.

#include <cstdio>
#include <memory>
#include <string>

namespace rocksdb {

class FileSystem {
 public:
  static std::shared_ptr<FileSystem> Default();
};

__attribute__((visibility("default"))) std::shared_ptr<FileSystem>
FileSystem::Default() {
  return std::make_shared<FileSystem>();
}

#ifndef STRANGER_OLD
__attribute__((visibility("default"))) std::string GetRocksVersionAsString(
    bool with_patch) {
  return with_patch ? "9.99.1" : "9.99";
}
#endif

}  // namespace rocksdb

// What opener.cc calls. By the procedure linkage table, as RocksDB does.
extern "C" __attribute__((visibility("default"))) int Use(const char*) {
  const auto fs = rocksdb::FileSystem::Default();
  std::puts(fs != nullptr ? "stranger: fine" : "stranger: null");
  return fs != nullptr ? 0 : 1;
}
