// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// BaseFile: a file that is left to the file system underneath. The limit of
// the process's file sizes (ulimit -f) is an error of it and no signal, and
// checksums that RocksDB hands over are compared with the bytes, as of the
// files that we write ourselves.

#ifndef URINGFS_PLUGIN_BASE_FILE_H_
#define URINGFS_PLUGIN_BASE_FILE_H_

#include <rocksdb/file_system.h>

#include <memory>
#include <utility>

#include "fs_stats.h"

#include "rocksdb_api.h"

namespace uringfs {

class BaseFile final : public rdb::FSWritableFileOwnerWrapper {
 public:
  BaseFile(std::unique_ptr<rdb::FSWritableFile>&& base,
           const rdb::FileOptions& options)
      : rdb::FSWritableFileOwnerWrapper(std::move(base)),
        handed_type_(options.handoff_checksum_type),
        is_strict_(options.strict_bytes_per_sync) {}

  // It is a data file, of the file system whose statistics these are: its bytes
  // are counted, and on their way to the disk soon, so that no sync of a WAL
  // finds much of it before its own.
  void IsDataOf(std::shared_ptr<FsStats> stats) { stats_ = std::move(stats); }
  // It is a MANIFEST, of the file system whose statistics these are: see
  // LiveFiles::WriteOutForManifest.
  void IsManifestOf(std::shared_ptr<const FsStats> owner) {
    owner_ = std::move(owner);
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

 private:
  void BeforeAppend() const;
  // Posix takes a checksum that is handed over and does not look at it.
  rdb::IOStatus Check(const rdb::Slice& data,
                      const rdb::DataVerificationInfo& info) const;

  // Behind an append of `bytes` to its end that went well.
  rdb::IOStatus Appended(uint64_t bytes, const rdb::IOOptions& options,
                         rdb::IODebugContext* dbg);

  const rdb::ChecksumType handed_type_;
  const bool is_strict_;
  std::shared_ptr<FsStats> stats_;  // null: no data file
  uint64_t appended_ = 0;
  uint64_t written_back_ = 0;  // or under way
  std::shared_ptr<const FsStats> owner_;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_BASE_FILE_H_
