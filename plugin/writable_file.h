// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// RocksDB's writable file on a LogStore: the call by call translation and
// nothing else. docs/calls.md has it as a table.

#ifndef URINGFS_PLUGIN_WRITABLE_FILE_H_
#define URINGFS_PLUGIN_WRITABLE_FILE_H_

#include <rocksdb/file_system.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "live_file.h"

#include "rocksdb_api.h"

namespace uringfs {

// THREADS: Append, Truncate and Close by one thread at a time; Sync, Fsync,
// Flush and RangeSync at any time beside them.
class UringWritableFile : public rdb::FSWritableFile {
 public:
  // ENSURES: the file is found by its path until it is closed.
  // What somebody wants to be called; each may be empty.
  struct Hooks {
    // Before the first bytes, which it gets, are appended.
    std::function<void(std::string_view)> before_first;
    std::function<void()> after_flush;  // and before it is closed
  };
  UringWritableFile(std::shared_ptr<LiveFile> live,
                    const rdb::FileOptions& options, Hooks hooks);
  // Does all of Close: several of RocksDB's paths never call it.
  ~UringWritableFile() override;

  using rdb::FSWritableFile::Append;
  using rdb::FSWritableFile::PositionedAppend;

  // The bytes are in the ring; data is not used after the return.
  rdb::IOStatus Append(const rdb::Slice& data, const rdb::IOOptions& options,
                       rdb::IODebugContext* dbg) override;
  rdb::IOStatus Append(const rdb::Slice& data, const rdb::IOOptions& options,
                       const rdb::DataVerificationInfo& info,
                       rdb::IODebugContext* dbg) override;
  rdb::IOStatus Truncate(uint64_t size, const rdb::IOOptions& options,
                         rdb::IODebugContext* dbg) override;
  rdb::IOStatus Close(const rdb::IOOptions& options,
                      rdb::IODebugContext* dbg) override;

  // Survives kill -9 and can be read. Of files that nobody counts on before
  // they were synced only the latter: RocksDB calls this for every MiB.
  rdb::IOStatus Flush(const rdb::IOOptions& options,
                      rdb::IODebugContext* dbg) override;
  // Survives power loss; Fsync: with times and mode as well.
  rdb::IOStatus Sync(const rdb::IOOptions& options,
                     rdb::IODebugContext* dbg) override;
  rdb::IOStatus Fsync(const rdb::IOOptions& options,
                      rdb::IODebugContext* dbg) override;
  rdb::IOStatus RangeSync(uint64_t offset, uint64_t nbytes,
                          const rdb::IOOptions& options,
                          rdb::IODebugContext* dbg) override;
  // RocksDB refuses SyncWAL without it.
  bool IsSyncThreadSafe() const override { return true; }

  // False although we write with O_DIRECT: where it is true RocksDB pads the
  // tail itself, rewrites it, and never calls Sync.
  bool use_direct_io() const override { return false; }
  size_t GetRequiredBufferAlignment() const override { return 4096; }

  void SetWriteLifeTimeHint(rdb::Env::WriteLifeTimeHint hint) override;
  // The logical size: what was appended.
  uint64_t GetFileSize(const rdb::IOOptions& options,
                       rdb::IODebugContext* dbg) override;
  rdb::IOStatus InvalidateCache(size_t offset, size_t length) override;
  rdb::IOStatus Allocate(uint64_t offset, uint64_t len,
                         const rdb::IOOptions& options,
                         rdb::IODebugContext* dbg) override;

 private:
  Status CloseOnce();
  void BeforeAppend(const rdb::Slice& data);

  const std::shared_ptr<LiveFile> live_;
  Hooks hooks_;  // the first: empty behind its call
  const rdb::ChecksumType handed_type_;
  const bool flush_is_lazy_;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_WRITABLE_FILE_H_
