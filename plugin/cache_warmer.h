// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// CacheWarmer: direct writes leave the page cache empty, and what was written
// last is often read next, by a compaction or a Get. It reads whole files into
// the page cache again, by a thread in the background, which copies next to
// nothing of them.
//
// A hint. A file that is gone when its turn comes is passed over, or one that
// nobody knows any more, the newest ones are where there are too many, and
// without a thread nothing happens.

#ifndef URINGFS_PLUGIN_CACHE_WARMER_H_
#define URINGFS_PLUGIN_CACHE_WARMER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "fs_stats.h"

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {

// What the page cache has of a file that was written round it.
enum class Heat : uint8_t {
  kCold,
  kWaiting,     // for its turn
  kWarm,        // all of it has been there
  kPassedOver,  // and it will be again
};

// Which memory is to be had for it.
enum class CacheMemory : uint8_t {
  kReclaimable,  // also what other files have in the page cache
  kUnused,
};

struct FileHeat {
  // Relaxed wherever it is read or written: a hint, which publishes nothing.
  std::atomic<Heat> heat{Heat::kCold};
  uint64_t bytes = 0;
  CacheMemory memory = CacheMemory::kReclaimable;
  std::weak_ptr<FsStats> stats;
};

// THREADS: any.
class CacheWarmer {
 public:
  static constexpr size_t kMaxWaiting = 1024;

  // A child of fork gets one of its own.
  static CacheWarmer& OfProcess();

  // A guess, for a load.
  bool HasRoom() const {
    return waiting_count_.load(std::memory_order_relaxed) < kMaxWaiting;
  }
  // Returns at once; does nothing unless the file is cold and there is room.
  // Who hands over the last `file` has it forgotten before its turn.
  void Warm(const std::string& path, std::shared_ptr<FileHeat> file);

 private:
  struct File {
    std::string path;
    std::shared_ptr<FileHeat> file;
  };

  void Run();

  // The size of `waiting_`; changed where that is.
  std::atomic<size_t> waiting_count_{0};
  Mutex mutex_;
  CondVar has_work_;
  std::deque<File> waiting_ URINGFS_GUARDED_BY(mutex_);
  bool is_started_ URINGFS_GUARDED_BY(mutex_) = false;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_CACHE_WARMER_H_
