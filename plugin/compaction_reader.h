// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// How compactions read: each input from one end to the other, once, and then
// it is deleted. If the page cache does not have it, it does not belong there:
// such reads go round it and ahead of the reader. RocksDB tags them by their
// rate limiter priority; reads of users have none and stay as they are.

#ifndef URINGFS_PLUGIN_COMPACTION_READER_H_
#define URINGFS_PLUGIN_COMPACTION_READER_H_

#include <rocksdb/file_system.h>
#include <sys/stat.h>
#include <uringfs/read_ahead.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "buffer_budget.h"
#include "fs_stats.h"

#include "rocksdb_api.h"
#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {

// Whether `path` names the file that `file` describes, unchanged.
bool IsStill(const std::string& path, const struct stat& file);

// A file being read ahead from some place on.
struct ReadStream {
  void Close() URINGFS_REQUIRES(mutex) {
    ahead.reset();
    memory = {};
  }

  Mutex mutex;
  // Null before it is opened, and after its memory was taken back.
  std::unique_ptr<ReadAhead> ahead URINGFS_GUARDED_BY(mutex);
  BufferShare memory URINGFS_GUARDED_BY(mutex);
  std::chrono::steady_clock::time_point last_use URINGFS_GUARDED_BY(mutex);
};

// All streams of a file system, which share a budget. THREADS: any.
class ReadStreams {
 public:
  static constexpr uint32_t kWindowBytes = 256 << 10;
  // Of one stream: for reads of blocks, and for large ones at most.
  static constexpr uint32_t kWindows = 8;
  static constexpr uint32_t kMaxWindows = 16;
  // With less than that no stream would get enough windows.
  static constexpr uint64_t kMinBytes = uint64_t{kWindows} * kWindowBytes;

  // `max_bytes`: of memory.
  ReadStreams(uint64_t max_bytes, std::shared_ptr<FsStats> stats)
      : max_bytes_(max_bytes), stats_(std::move(stats)) {}

  // Opens a stream that is not open, for reads of `bytes`. False if there is
  // no memory for it, or the file cannot be read so: later perhaps.
  bool Open(const std::string& path, size_t bytes,
            const std::shared_ptr<ReadStream>& stream)
      URINGFS_REQUIRES(stream->mutex);

  // This thread reads for a compaction; `is_cold`: what is not in the page
  // cache.
  void ReadHere(bool is_cold, std::chrono::steady_clock::time_point now) const;
  // Whether that is what this thread did a moment ago. RocksDB writes the
  // output of a compaction in the thread that reads the input.
  bool ReadsColdHere() const;

  FsStats* stats() const { return stats_.get(); }
  // Memory of the streams that are open.
  uint64_t in_use() const { return budget_.in_use(); }

 private:
  // Takes memory back from the stream that was read longest ago: a table stays
  // open when the compaction that read it is over. Does nothing if all were
  // read a moment ago.
  void Reclaim();
  // Memory for that many windows, or somewhat less, or none.
  BufferShare Take(uint32_t windows);

  static uint64_t NextId();

  const uint64_t id_ = NextId();
  const uint64_t max_bytes_;
  const std::shared_ptr<FsStats> stats_;
  BufferBudget budget_;
  Mutex mutex_;
  std::vector<std::weak_ptr<ReadStream>> open_ URINGFS_GUARDED_BY(mutex_);
};

// A table as every reader knows it, but for what compactions read of it. They
// may be several, each in its own part of the table, and each in a lane of its
// own: a lane that has gone on long enough is read ahead. THREADS: any.
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

  // RocksDB since 8.6 announces what a compaction reads next, and then reads
  // block by block.
  rdb::IOStatus Prefetch(uint64_t offset, size_t n,
                         const rdb::IOOptions& options,
                         rdb::IODebugContext* dbg) override;

 private:
  static constexpr size_t kMaxLanes = 8;

  struct Lane {
    // Guarded by the reader's mutex_.
    bool is_busy = false;
    uint64_t expected = 0;  // where the next read of it begins
    uint64_t went_on = 0;   // bytes read one behind the other
    uint64_t last_use = 0;  // a count of reads
    // Whoever made it busy.
    std::shared_ptr<ReadStream> stream = std::make_shared<ReadStream>();
    std::chrono::steady_clock::time_point no_try_before;
  };

  uint64_t size() const { return static_cast<uint64_t>(file_.st_size); }
  // Whether it is a compaction's and the page cache does not have the table.
  // Remembers for ReadStreams::ReadsColdHere which.
  bool IsForStream(const rdb::IOOptions& options) const;
  // Looks every now and then.
  bool IsCached(std::chrono::steady_clock::time_point now) const;
  // The lane that goes on at `offset`, busy now, if it is worth reading ahead.
  // Else null, and some lane remembers the read.
  Lane* TakeLane(uint64_t offset, size_t n) const;
  // One for reads that will come from `offset` on, busy now; null if all are.
  Lane* ExpectLane(uint64_t offset) const;
  Lane* LaneFor(uint64_t offset) const URINGFS_REQUIRES(mutex_);
  // One that nobody uses, for another place: a new one, or the one that was
  // used longest ago. Null if all are busy.
  Lane* FreeLane() const URINGFS_REQUIRES(mutex_);
  // Opens `stream`, that of a busy lane, for reads of `n`; true if it is open.
  bool OpenIn(Lane* lane, const std::shared_ptr<ReadStream>& stream,
              size_t n) const URINGFS_REQUIRES(stream->mutex);
  // Reads of `n` come next in a busy lane, which is given back. False if there
  // is no stream for them.
  bool Announce(Lane* lane, size_t n) const;
  void GiveBack(Lane* lane) const;
  // False if somebody else has to read it.
  bool ReadAheadIn(Lane* lane, uint64_t offset, size_t n, char* scratch,
                   size_t* got) const;

  const std::string path_;
  const struct stat file_;
  const std::shared_ptr<ReadStreams> streams_;
  // Relaxed, all three: nothing else is known by them.
  mutable std::atomic<bool> is_hopeless_{false};
  mutable std::atomic<bool> is_cached_{false};
  mutable std::atomic<int64_t> look_after_{INT64_MIN};  // ticks of the clock
  mutable Mutex mutex_;
  mutable uint64_t reads_ URINGFS_GUARDED_BY(mutex_) = 0;
  mutable std::vector<std::unique_ptr<Lane>> lanes_ URINGFS_GUARDED_BY(mutex_);
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_COMPACTION_READER_H_
