// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// For tests of processes that end with files open: WALs without a database, and
// what stands beside them.

#ifndef URINGFS_TEST_PLUGIN_OPEN_WALS_H_
#define URINGFS_TEST_PLUGIN_OPEN_WALS_H_

#include <rocksdb/file_system.h>

#include <filesystem>
#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace uringfs::test {

using WritableFile = std::unique_ptr<rocksdb::FSWritableFile>;

// The names of all side files, or an empty string.
inline std::string SideFilesIn(const std::string& dir) {
  std::string names;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.path().extension() == ".uringfs") {
      names += entry.path().filename().string() + " ";
    }
  }
  return names;
}

inline WritableFile NewWal(rocksdb::FileSystem* fs, const std::string& path) {
  WritableFile file;
  const auto status =
      fs->NewWritableFile(path, rocksdb::FileOptions(), &file, nullptr);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return file;
}

inline bool AppendAndFlush(const WritableFile& file, const std::string& bytes) {
  const rocksdb::IOOptions io;
  return file->Append(bytes, io, nullptr).ok() && file->Flush(io, nullptr).ok();
}

}  // namespace uringfs::test

#endif  // URINGFS_TEST_PLUGIN_OPEN_WALS_H_
