// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// RefusingFileSystem: the default file system of a process that asked for
// uringfs in a way that cannot be used, and cannot be told so in any other way.
// Nothing opens in it. Posix in its place would open a database that was killed
// on uringfs with less than it acknowledged, and delete the rest.
//
// THREADS: any.

#ifndef URINGFS_PLUGIN_REFUSING_FILE_SYSTEM_H_
#define URINGFS_PLUGIN_REFUSING_FILE_SYSTEM_H_

#include <rocksdb/file_system.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "rocksdb_api.h"

namespace uringfs {

class RefusingFileSystem final : public rdb::FileSystemWrapper {
 public:
  // Every call that opens, lists, makes or removes something fails with `why`.
  RefusingFileSystem(const std::shared_ptr<rdb::FileSystem>& base,
                     std::string why)
      : rdb::FileSystemWrapper(base), why_(std::move(why)) {}

  const char* Name() const override { return "uringfs_refused"; }

  rdb::IOStatus NewSequentialFile(const std::string&, const rdb::FileOptions&,
                                  std::unique_ptr<rdb::FSSequentialFile>*,
                                  rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus NewRandomAccessFile(const std::string&, const rdb::FileOptions&,
                                    std::unique_ptr<rdb::FSRandomAccessFile>*,
                                    rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus NewWritableFile(const std::string&, const rdb::FileOptions&,
                                std::unique_ptr<rdb::FSWritableFile>*,
                                rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus ReopenWritableFile(const std::string&, const rdb::FileOptions&,
                                   std::unique_ptr<rdb::FSWritableFile>*,
                                   rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus ReuseWritableFile(const std::string&, const std::string&,
                                  const rdb::FileOptions&,
                                  std::unique_ptr<rdb::FSWritableFile>*,
                                  rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus NewRandomRWFile(const std::string&, const rdb::FileOptions&,
                                std::unique_ptr<rdb::FSRandomRWFile>*,
                                rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus NewMemoryMappedFileBuffer(
      const std::string&,
      std::unique_ptr<rdb::MemoryMappedFileBuffer>*) override {
    return Refuse();
  }
  rdb::IOStatus NewDirectory(const std::string&, const rdb::IOOptions&,
                             std::unique_ptr<rdb::FSDirectory>*,
                             rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus GetChildren(const std::string&, const rdb::IOOptions&,
                            std::vector<std::string>*,
                            rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus GetChildrenFileAttributes(const std::string&,
                                          const rdb::IOOptions&,
                                          std::vector<rdb::FileAttributes>*,
                                          rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus DeleteFile(const std::string&, const rdb::IOOptions&,
                           rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus Truncate(const std::string&, size_t, const rdb::IOOptions&,
                         rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus CreateDir(const std::string&, const rdb::IOOptions&,
                          rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus CreateDirIfMissing(const std::string&, const rdb::IOOptions&,
                                   rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus DeleteDir(const std::string&, const rdb::IOOptions&,
                          rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus RenameFile(const std::string&, const std::string&,
                           const rdb::IOOptions&,
                           rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus LinkFile(const std::string&, const std::string&,
                         const rdb::IOOptions&, rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus LockFile(const std::string&, const rdb::IOOptions&,
                         rdb::FileLock**, rdb::IODebugContext*) override {
    return Refuse();
  }
  rdb::IOStatus NewLogger(const std::string&, const rdb::IOOptions&,
                          std::shared_ptr<rdb::Logger>*,
                          rdb::IODebugContext*) override {
    return Refuse();
  }

 private:
  rdb::IOStatus Refuse() const { return rdb::IOStatus::InvalidArgument(why_); }

  const std::string why_;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_REFUSING_FILE_SYSTEM_H_
