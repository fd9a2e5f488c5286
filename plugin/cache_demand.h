// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// CacheDemand: which data files are read into the page cache after direct
// writes have left it empty. Posix would have all of them there, whether
// anybody reads them or not. With data_cache=auto readers decide: once users
// read a file that was left cold it is warmed, and while they read at all,
// files are written through the cache. A load that only writes pays nothing.
//
// Who wrote a file before this file system was made is not known. Posix would
// have it in the cache if it was written since the machine was started, and
// nothing had to make room since: then there is memory that nobody uses.
//
// A child of fork is told nothing and remembers nothing: the parent's threads
// may have left the mutex locked.

#ifndef URINGFS_PLUGIN_CACHE_DEMAND_H_
#define URINGFS_PLUGIN_CACHE_DEMAND_H_

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "cache_warmer.h"
#include "fs_stats.h"

#include "rocksdb_api.h"
#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"
#include "uringfs_file_system.h"

namespace uringfs {

// Whether no flush or compaction reads. RocksDB says who does since 8.3;
// before, and where it does not, jobs have a priority and users have none.
inline bool IsUserRead(const rdb::IOOptions& options) {
#if URINGFS_ROCKSDB_GE(8, 3)
  using Activity = rdb::Env::IOActivity;
  if (options.io_activity != Activity::kUnknown) {
    return options.io_activity != Activity::kCompaction &&
           options.io_activity != Activity::kFlush;
  }
#endif
  return options.rate_limiter_priority == rdb::Env::IO_TOTAL;
}

// Of one file system. THREADS: any.
class CacheDemand {
 public:
  // Files that are remembered; nothing is known of older ones.
  static constexpr size_t kMaxFiles = 16384;
  // For how long users who read want the files that are closed, too: seconds.
  static constexpr int64_t kLasts = 10;
  // Nobody says how long a file that is made will be.
  static constexpr uint64_t kUsualBytes = uint64_t{64} << 20;

  // REQUIRES: data_cache is kAuto or kWarm. `max_bytes`: of all that is in the
  // cache by our doing together; 0: half the memory that can be had.
  CacheDemand(const UringFsOptions& options,
              const std::shared_ptr<FsStats>& stats, uint64_t max_bytes = 0);

  // Seconds of a clock that costs next to nothing.
  static int64_t Now();

  // Users read data files. Costs them a look at that clock.
  void Read(int64_t now = Now());
  // Whether a data file that is made now is to be written through the cache:
  // it would only be read into it afterwards. Not if there is no memory.
  bool WantsCached(int64_t now = Now());
  // A data file was closed. `is_cached`: it was written so; else round the
  // cache, if it is long.
  void Closed(const std::string& path, uint64_t bytes, bool is_cached,
              int64_t now = Now());
  // Users want it now.
  void Want(const std::string& path, const std::shared_ptr<FileHeat>& file);

  // The file has another name, one more, or none.
  void Renamed(const std::string& from, const std::string& to);
  void Linked(const std::string& from, const std::string& to);
  void Forget(const std::string& path);

  // Of the file at `path`, which `stat` describes, and which somebody opens.
  // Null if the cache has what it would have on posix.
  std::shared_ptr<FileHeat> Opened(const std::string& path,
                                   const struct stat& stat);

 private:
  struct Known {
    std::string path;
    std::shared_ptr<FileHeat> file;
  };

  bool IsForked() const;
  bool AreUsersReading(int64_t now) const;
  // That much more.
  bool MayHave(uint64_t bytes) const URINGFS_REQUIRES(mutex_);
  std::shared_ptr<FileHeat> Find(const std::string& path) const
      URINGFS_REQUIRES(mutex_);
  void Remember(const std::string& path, std::shared_ptr<FileHeat> file)
      URINGFS_REQUIRES(mutex_);
  void Drop(const std::string& path) URINGFS_REQUIRES(mutex_);

  const DataCache policy_;
  const uint64_t cached_bytes_;
  const std::weak_ptr<FsStats> stats_;
  const uint64_t max_bytes_;
  const pid_t process_;
  // Relaxed: nothing else is known by it.
  std::atomic<int64_t> last_read_;
  Mutex mutex_;
  // The oldest first.
  std::list<Known> known_ URINGFS_GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::list<Known>::iterator> by_path_
      URINGFS_GUARDED_BY(mutex_);
};

// A data file as its users read it. THREADS: any.
class DemandReader : public rdb::FSRandomAccessFileOwnerWrapper {
 public:
  // Opening a table takes a few reads; who reads one more often wants it.
  static constexpr size_t kReads = 16;

  // `base` reads the file that `path` names and `stat` describes.
  DemandReader(std::unique_ptr<rdb::FSRandomAccessFile>&& base,
               std::string path, const struct stat& stat,
               std::shared_ptr<CacheDemand> demand);

  rdb::IOStatus Read(uint64_t offset, size_t n, const rdb::IOOptions& options,
                     rdb::Slice* result, char* scratch,
                     rdb::IODebugContext* dbg) const override;
  rdb::IOStatus MultiRead(rdb::FSReadRequest* requests, size_t count,
                          const rdb::IOOptions& options,
                          rdb::IODebugContext* dbg) override;

  // Whether the page cache has the file.
  bool is_warm() const {
    return file_ != nullptr &&
           file_->heat.load(std::memory_order_relaxed) == Heat::kWarm;
  }

 private:
  void Count(size_t reads) const;

  const std::string path_;
  const std::shared_ptr<CacheDemand> demand_;
  // Null if the page cache has what it would have on posix.
  const std::shared_ptr<FileHeat> file_;
  // All relaxed; some of threads that read at once may be missed.
  mutable std::atomic<size_t> reads_{0};
  mutable std::atomic<uint64_t> last_{0};  // where the last read began
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_CACHE_DEMAND_H_
