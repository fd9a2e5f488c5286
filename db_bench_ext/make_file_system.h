// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The file system that a program of this room is told to use, and a directory
// for its files.

#ifndef URINGFS_DB_BENCH_EXT_MAKE_FILE_SYSTEM_H_
#define URINGFS_DB_BENCH_EXT_MAKE_FILE_SYSTEM_H_

#include <rocksdb/convenience.h>
#include <rocksdb/file_system.h>

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

namespace uringfs::bench {

// `name`: posix, or a URI such as uringfs://?wal_buffers=8, with liburingfs.so
// preloaded: what is measured is what users have.
inline rocksdb::Status MakeFileSystem(
    const std::string& name, std::shared_ptr<rocksdb::FileSystem>* fs) {
  if (name == "posix") {
    *fs = rocksdb::FileSystem::Default();
    return rocksdb::Status::OK();
  }
  const rocksdb::Status status =
      rocksdb::FileSystem::CreateFromString(rocksdb::ConfigOptions(), name, fs);
  // RocksDB answers OK and nothing for a URI that nobody has registered.
  return status.ok() && *fs == nullptr
             ? rocksdb::Status::NotFound(
                   name, "nobody has registered it: LD_PRELOAD=liburingfs.so")
             : status;
}

// Makes it if need be. False if `path` is no directory, or not an empty one.
inline bool MakeEmptyDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return !error && std::filesystem::is_empty(path, error) && !error;
}

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_MAKE_FILE_SYSTEM_H_
