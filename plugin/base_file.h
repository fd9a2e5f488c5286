// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// BaseFile: a file that is left to the file system underneath. The limit of
// the process's file sizes (ulimit -f) is an error of it and no signal, as of
// the files that we write ourselves.

#ifndef URINGFS_PLUGIN_BASE_FILE_H_
#define URINGFS_PLUGIN_BASE_FILE_H_

#include <rocksdb/file_system.h>

#include <memory>
#include <string>
#include <utility>

#include "cache_demand.h"
#include "fs_stats.h"

#include "rocksdb_api.h"

namespace uringfs {

class BaseFile final : public rdb::FSWritableFileOwnerWrapper {
 public:
  explicit BaseFile(std::unique_ptr<rdb::FSWritableFile>&& base)
      : rdb::FSWritableFileOwnerWrapper(std::move(base)) {}

  // It is a MANIFEST, of the file system whose statistics these are: see
  // LiveFiles::WriteOutForManifest.
  void IsManifestOf(std::shared_ptr<const FsStats> owner) {
    owner_ = std::move(owner);
  }
  // It is the data file at `path`, and `demand` is told when it is closed.
  void IsCachedFor(std::shared_ptr<CacheDemand> demand, std::string path) {
    demand_ = std::move(demand);
    path_ = std::move(path);
  }

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
  rdb::IOStatus Close(const rdb::IOOptions& options,
                      rdb::IODebugContext* dbg) override;

 private:
  void BeforeAppend() const;

  std::shared_ptr<const FsStats> owner_;
  std::shared_ptr<CacheDemand> demand_;
  std::string path_;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_BASE_FILE_H_
