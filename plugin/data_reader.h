// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A data file as readers open it, where posix is underneath. One read is one
// system call, as on posix. Several at once (MultiGet), and those that are
// asked for ahead (ReadOptions::async_io), are at the device together.

#ifndef URINGFS_PLUGIN_DATA_READER_H_
#define URINGFS_PLUGIN_DATA_READER_H_

#include <rocksdb/file_system.h>
#include <uringfs/read_rings.h>
#include <uringfs/status.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fs_stats.h"

#include "rocksdb_api.h"

namespace uringfs {

// THREADS: any.
class DataReader final : public rdb::FSRandomAccessFile {
 public:
#if URINGFS_ROCKSDB_GE(9, 0)
  using Callback = std::function<void(rdb::FSReadRequest&, void*)>;
#else
  using Callback = std::function<void(const rdb::FSReadRequest&, void*)>;
#endif

  // Errors: those of opening.
  static Status Open(const std::string& path, const rdb::FileOptions& options,
                     ReadRings* rings, std::shared_ptr<FsStats> stats,
                     std::unique_ptr<rdb::FSRandomAccessFile>* result);
  ~DataReader() override;

  // What FileSystem's Poll and AbortIO do with handles of ReadAsync.
  static rdb::IOStatus Poll(const std::vector<void*>& handles);
  static rdb::IOStatus Abort(const std::vector<void*>& handles);

  rdb::IOStatus Read(uint64_t offset, size_t n, const rdb::IOOptions& options,
                     rdb::Slice* result, char* scratch,
                     rdb::IODebugContext* dbg) const override;
  rdb::IOStatus MultiRead(rdb::FSReadRequest* requests, size_t count,
                          const rdb::IOOptions& options,
                          rdb::IODebugContext* dbg) override;
  // Without a handle, and with the answer given, if it could be read at once;
  // and always with releases that cannot stand an answer that comes later.
  rdb::IOStatus ReadAsync(rdb::FSReadRequest& request,
                          const rdb::IOOptions& options, Callback callback,
                          void* argument, void** handle,
                          rdb::IOHandleDeleter* deleter,
                          rdb::IODebugContext* dbg) override;

  rdb::IOStatus Prefetch(uint64_t offset, size_t n,
                         const rdb::IOOptions& options,
                         rdb::IODebugContext* dbg) override;
  void Hint(AccessPattern pattern) override;
  rdb::IOStatus InvalidateCache(size_t offset, size_t length) override;
  bool use_direct_io() const override { return is_direct_; }
#if URINGFS_ROCKSDB_GE(10, 5)
  rdb::IOStatus GetFileSize(uint64_t* size) override;
#endif

 private:
  class Pending;

  DataReader(std::string path, int fd, bool is_direct, ReadRings* rings,
             std::shared_ptr<FsStats> stats);

  ReadRequest RequestFor(uint64_t offset, size_t n, char* out) const;
  rdb::IOStatus StatusOf(const ReadRequest& read) const;

  const std::string path_;
  const int fd_;
  const bool is_direct_;
  ReadRings* const rings_;
  const std::shared_ptr<FsStats> stats_;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_DATA_READER_H_
