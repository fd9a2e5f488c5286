// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// BaseFile: a file that is left to the file system underneath. The limit of
// the process's file sizes (ulimit -f) is an error of it and no signal, as of
// the files that we write ourselves.

#ifndef URINGFS_PLUGIN_BASE_FILE_H_
#define URINGFS_PLUGIN_BASE_FILE_H_

#include <rocksdb/file_system.h>

#include "rocksdb_api.h"

namespace uringfs {

class BaseFile final : public rdb::FSWritableFileOwnerWrapper {
 public:
  using rdb::FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;

  rdb::IOStatus Append(const rdb::Slice& data, const rdb::IOOptions& options,
                       rdb::IODebugContext* dbg) override;
  rdb::IOStatus Append(const rdb::Slice& data, const rdb::IOOptions& options,
                       const rdb::DataVerificationInfo& info,
                       rdb::IODebugContext* dbg) override;
  rdb::IOStatus PositionedAppend(const rdb::Slice& data, uint64_t offset,
                                 const rdb::IOOptions& options,
                                 rdb::IODebugContext* dbg) override;
  rdb::IOStatus PositionedAppend(const rdb::Slice& data, uint64_t offset,
                                 const rdb::IOOptions& options,
                                 const rdb::DataVerificationInfo& info,
                                 rdb::IODebugContext* dbg) override;
  rdb::IOStatus Truncate(uint64_t size, const rdb::IOOptions& options,
                         rdb::IODebugContext* dbg) override;
  rdb::IOStatus Allocate(uint64_t offset, uint64_t len,
                         const rdb::IOOptions& options,
                         rdb::IODebugContext* dbg) override;
  void PrepareWrite(size_t offset, size_t len, const rdb::IOOptions& options,
                    rdb::IODebugContext* dbg) override;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_BASE_FILE_H_
