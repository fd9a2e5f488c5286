// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// CacheDemand: which data files are read into the page cache after direct
// writes have left it empty. Posix would have all of them there, whether
// anybody reads them or not. With data_cache=auto readers decide: once users
// read a file that was left cold it is warmed, and while they read at all,
// files are warmed as they are closed. A load that only writes pays nothing.
//
// Who wrote a file before this file system was made is not known. Posix would
// have it in the cache if it was written since the machine was started, and
// nothing had to make room since: then there is memory that nobody uses.

#ifndef URINGFS_PLUGIN_CACHE_DEMAND_H_
#define URINGFS_PLUGIN_CACHE_DEMAND_H_

#include <rocksdb/file_system.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "cache_warmer.h"

#include "rocksdb_api.h"
#include "uringfs_file_system.h"

namespace uringfs {

// Of one file system. THREADS: any.
class CacheDemand {
 public:
  using Clock = std::chrono::steady_clock;

  // Files that are remembered; nothing is known of older ones.
  static constexpr size_t kMaxFiles = 4096;
  // For how long users who read want the files that are closed, too.
  static constexpr Clock::duration kLasts = std::chrono::seconds(10);

  // REQUIRES: kAuto or kWarm.
  explicit CacheDemand(DataCache policy) : policy_(policy) {}

  // Users read data files. Costs them a load.
  void Read() {
    if (!was_read_.load(std::memory_order_relaxed)) {
      was_read_.store(true, std::memory_order_relaxed);
    }
  }

  // A data file that was written round the cache was closed.
  void Closed(const std::string& path, Clock::time_point now = Clock::now());
  // It has another name, or none.
  void Forget(const std::string& path);
  // Null if it was not written here, or too long ago.
  SharedHeat HeatOf(const std::string& path) const;

 private:
  // REQUIRES: mutex_ is held.
  bool IsWanted(Clock::time_point now);

  const DataCache policy_;
  // Since a file was closed last. Relaxed: nothing else is known by it.
  std::atomic<bool> was_read_{false};
  mutable std::mutex mutex_;
  // All guarded by mutex_. `order_` has every file of `files_`, oldest first,
  // and forgotten ones.
  std::unordered_map<std::string, SharedHeat> files_;
  std::deque<std::string> order_;
  bool was_ever_read_ = false;
  Clock::time_point last_read_;
};

// A data file as its users read it. THREADS: any.
class DemandReader : public rdb::FSRandomAccessFileOwnerWrapper {
 public:
  // Opening a table takes a few reads; who reads one more often wants it.
  static constexpr size_t kReads = 16;

  // `base` reads the file that `path` names and `file` describes.
  DemandReader(std::unique_ptr<rdb::FSRandomAccessFile>&& base,
               std::string path, const struct stat& file,
               std::shared_ptr<CacheDemand> demand);

  rdb::IOStatus Read(uint64_t offset, size_t n, const rdb::IOOptions& options,
                     rdb::Slice* result, char* scratch,
                     rdb::IODebugContext* dbg) const override;
  rdb::IOStatus MultiRead(rdb::FSReadRequest* requests, size_t count,
                          const rdb::IOOptions& options,
                          rdb::IODebugContext* dbg) override;

  // Whether the page cache has the file.
  bool is_warm() const {
    return heat_ != nullptr &&
           heat_->load(std::memory_order_relaxed) == Heat::kWarm;
  }

 private:
  void Count(const rdb::IOOptions& options, size_t reads) const;

  const std::string path_;
  const std::shared_ptr<CacheDemand> demand_;
  // Null if the page cache has what it would have on posix.
  SharedHeat heat_;
  CacheWarmer::Memory memory_ = CacheWarmer::Memory::kReclaimable;
  // Of users. Relaxed; some of threads that read at once may be missed.
  mutable std::atomic<size_t> reads_{0};
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_CACHE_DEMAND_H_
