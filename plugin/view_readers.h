// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Handles that read a WAL which another process has open, or was killed over.
// They show what was flushed last, and later flushes as they come: the end is
// asked for at each Read.

#ifndef URINGFS_PLUGIN_VIEW_READERS_H_
#define URINGFS_PLUGIN_VIEW_READERS_H_

#include <rocksdb/file_system.h>
#include <uringfs/recovery.h>

#include <cstdint>
#include <memory>

#include "rocksdb_api.h"

namespace uringfs {

// THREADS: one at a time, as for every FSSequentialFile.
class ViewSequentialFile : public rdb::FSSequentialFile {
 public:
  explicit ViewSequentialFile(std::unique_ptr<LogView> view);

  rdb::IOStatus Read(size_t n, const rdb::IOOptions& options,
                     rdb::Slice* result, char* scratch,
                     rdb::IODebugContext* dbg) override;
  rdb::IOStatus Skip(uint64_t n) override;
  rdb::IOStatus PositionedRead(uint64_t offset, size_t n,
                               const rdb::IOOptions& options,
                               rdb::Slice* result, char* scratch,
                               rdb::IODebugContext* dbg) override;
  rdb::IOStatus InvalidateCache(size_t offset, size_t length) override;

 private:
  const std::unique_ptr<LogView> view_;
  uint64_t position_ = 0;
};

// THREADS: any. MultiRead and ReadAsync are the base class's, over Read.
class ViewRandomAccessFile : public rdb::FSRandomAccessFile {
 public:
  explicit ViewRandomAccessFile(std::unique_ptr<LogView> view);

  rdb::IOStatus Read(uint64_t offset, size_t n, const rdb::IOOptions& options,
                     rdb::Slice* result, char* scratch,
                     rdb::IODebugContext* dbg) const override;
  rdb::IOStatus InvalidateCache(size_t offset, size_t length) override;
#if URINGFS_ROCKSDB_GE(10, 5)
  rdb::IOStatus GetFileSize(uint64_t* size) override;
#endif

 private:
  const std::unique_ptr<LogView> view_;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_VIEW_READERS_H_
