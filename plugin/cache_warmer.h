// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// CacheWarmer: direct writes leave the page cache empty, and what was written
// last is often read next, by a compaction or a Get. Files that are closed are
// read into the page cache again, by a thread in the background: the kernel is
// asked to, and nothing is copied.
//
// A hint. A file that is gone when its turn comes is passed over, the oldest
// ones are where there are too many, and without a thread nothing happens.

#ifndef URINGFS_PLUGIN_CACHE_WARMER_H_
#define URINGFS_PLUGIN_CACHE_WARMER_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>

namespace uringfs {

// THREADS: any.
class CacheWarmer {
 public:
  static constexpr size_t kMaxWaiting = 256;

  // A child of fork gets one of its own.
  static CacheWarmer& OfProcess();

  // Returns at once.
  void Warm(const std::string& path);

 private:
  void Start();
  void Run();

  std::mutex mutex_;
  std::condition_variable has_work_;
  // Guarded by mutex_.
  std::deque<std::string> waiting_;
  bool is_started_ = false;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_CACHE_WARMER_H_
