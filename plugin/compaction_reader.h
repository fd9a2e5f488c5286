// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// How compactions read: each input from one end to the other, once, and then
// it is deleted. Such reads go round the page cache and ahead of the reader.
// RocksDB tags them by their rate limiter priority; reads of users have none
// and stay as they are.

#ifndef URINGFS_PLUGIN_COMPACTION_READER_H_
#define URINGFS_PLUGIN_COMPACTION_READER_H_

#include <rocksdb/file_system.h>
#include <sys/stat.h>
#include <uringfs/read_ahead.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "buffer_budget.h"
#include "fs_stats.h"

#include "rocksdb_api.h"

namespace uringfs {

// One file being read ahead. THREADS: guarded by its mutex.
struct ReadStream {
  std::mutex mutex;
  // Null before it is opened, and after its memory was taken back.
  std::unique_ptr<ReadAhead> ahead;
  BufferShare memory;
  std::chrono::steady_clock::time_point last_use;
};

// All streams of a file system, which share a budget. THREADS: any.
class ReadStreams {
 public:
  static constexpr uint32_t kWindowBytes = 1 << 20;

  // `max_bytes`: of memory. Files up to `cached_bytes` are left alone: they
  // were written through the page cache.
  ReadStreams(uint64_t max_bytes, uint64_t cached_bytes,
              std::shared_ptr<FsStats> stats)
      : max_bytes_(max_bytes),
        cached_bytes_(cached_bytes),
        stats_(std::move(stats)) {}

  // Opens a stream that is not open, of the file that `path` names now and
  // `file` describes. False if there is no memory for it, or it cannot be:
  // `*is_hopeless` then, if it never can.
  // REQUIRES: stream->mutex is held.
  bool Open(const std::string& path, const struct stat& file,
            const std::shared_ptr<ReadStream>& stream, bool* is_hopeless);

  FsStats* stats() const { return stats_.get(); }
  // Memory of the streams that are open.
  uint64_t in_use() const { return budget_.in_use(); }

 private:
  // Takes memory back from streams that nobody has read for a while: a table
  // stays open when the compaction that read it is over.
  void Reclaim();

  const uint64_t max_bytes_;
  const uint64_t cached_bytes_;
  const std::shared_ptr<FsStats> stats_;
  BufferBudget budget_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<ReadStream>> open_;  // guarded by mutex_
};

// A table as every reader knows it, but for what compactions read of it.
// THREADS: any.
class CompactionReader : public rdb::FSRandomAccessFileOwnerWrapper {
 public:
  // `base` reads the file that `path` names and `file` describes, which no
  // longer changes.
  CompactionReader(std::unique_ptr<rdb::FSRandomAccessFile>&& base,
                   std::string path, const struct stat& file,
                   std::shared_ptr<ReadStreams> streams);

  rdb::IOStatus Read(uint64_t offset, size_t n, const rdb::IOOptions& options,
                     rdb::Slice* result, char* scratch,
                     rdb::IODebugContext* dbg) const override;

 private:
  // Whether a read there goes on where the last one ended.
  // REQUIRES: stream_->mutex is held.
  bool GoesOn(uint64_t offset, size_t n) const;
  // False if somebody else has to read it.
  bool ReadAheadOf(uint64_t offset, size_t n, char* scratch) const;

  const std::string path_;
  const struct stat file_;
  const std::shared_ptr<ReadStreams> streams_;
  const std::shared_ptr<ReadStream> stream_;
  // Guarded by stream_->mutex.
  mutable uint64_t expected_ = 0;
  mutable bool is_hopeless_ = false;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_COMPACTION_READER_H_
