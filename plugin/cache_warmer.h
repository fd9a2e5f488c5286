// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// CacheWarmer: direct writes leave the page cache empty, and what was written
// last is often read next, by a compaction or a Get. It reads whole files into
// the page cache again, by a thread in the background: the kernel is asked to,
// and nothing is copied.
//
// A hint. A file that is gone when its turn comes is passed over, so is one
// that would take more than half the memory to be had, the oldest ones are
// where there are too many, and without a thread nothing happens.

#ifndef URINGFS_PLUGIN_CACHE_WARMER_H_
#define URINGFS_PLUGIN_CACHE_WARMER_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace uringfs {

// What the page cache has of a file that was written round it.
enum class Heat : uint8_t {
  kCold,
  kWaiting,  // for its turn
  kWarm,     // all of it has been there
};
// Relaxed wherever it is read or written: a hint, which publishes nothing.
using SharedHeat = std::shared_ptr<std::atomic<Heat>>;

// THREADS: any.
class CacheWarmer {
 public:
  static constexpr size_t kMaxWaiting = 1024;

  // Which memory is to be had for a file.
  enum class Memory : uint8_t {
    kReclaimable,  // also what other files have in the cache
    kUnused,
  };

  // A child of fork gets one of its own.
  static CacheWarmer& OfProcess();

  // Returns at once, and does nothing unless the file is cold.
  void Warm(const std::string& path, const SharedHeat& heat, Memory memory);

 private:
  struct File {
    std::string path;
    SharedHeat heat;
    Memory memory;
  };

  static bool WarmNow(const File& file);
  void Start();
  void Run();

  std::mutex mutex_;
  std::condition_variable has_work_;
  // Guarded by mutex_.
  std::deque<File> waiting_;
  bool is_started_ = false;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_CACHE_WARMER_H_
