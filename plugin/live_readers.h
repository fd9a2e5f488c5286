// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Handles that read a file which is open for write with us. They are built on
// the base file system's random access file (pread), end where the logical
// file ends, and ask for that end again at each Read, so that a reader at the
// old end sees later appends. Once the writer has closed they read like any
// other file.
//
// The base's sequential file would not do: it reads through stdio, whose
// buffer would keep zeros of the padding that appends have since replaced.

#ifndef URINGFS_PLUGIN_LIVE_READERS_H_
#define URINGFS_PLUGIN_LIVE_READERS_H_

#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>

#include "live_file.h"

#include "rocksdb_api.h"

namespace uringfs {

// `options` with what suits a file that grows: neither mmap nor direct reads.
rdb::FileOptions OptionsForLiveReads(const rdb::FileOptions& options);

// THREADS: one at a time, as for every FSSequentialFile.
class LiveSequentialFile : public rdb::FSSequentialFile {
 public:
  LiveSequentialFile(std::unique_ptr<rdb::FSRandomAccessFile> base,
                     std::shared_ptr<LiveFile> live);

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
  const std::unique_ptr<rdb::FSRandomAccessFile> base_;
  const std::shared_ptr<LiveFile> live_;
  uint64_t position_ = 0;
};

// THREADS: any. MultiRead and ReadAsync are the base class's, over Read.
class LiveRandomAccessFile : public rdb::FSRandomAccessFile {
 public:
  LiveRandomAccessFile(std::unique_ptr<rdb::FSRandomAccessFile> base,
                       std::shared_ptr<LiveFile> live);

  rdb::IOStatus Read(uint64_t offset, size_t n, const rdb::IOOptions& options,
                     rdb::Slice* result, char* scratch,
                     rdb::IODebugContext* dbg) const override;
  size_t GetUniqueId(char* id, size_t max_size) const override;
  void Hint(AccessPattern pattern) override;
  rdb::IOStatus InvalidateCache(size_t offset, size_t length) override;
#if URINGFS_ROCKSDB_GE(10, 5)
  rdb::IOStatus GetFileSize(uint64_t* size) override;
#endif

 private:
  const std::unique_ptr<rdb::FSRandomAccessFile> base_;
  const std::shared_ptr<LiveFile> live_;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_LIVE_READERS_H_
