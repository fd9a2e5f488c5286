// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// BackgroundFree: deleting a long file takes its name away, which is quick, and
// gives its blocks back, which is not: some milliseconds for each 64 MiB where
// the disk is told of them at once (mount option `discard`). RocksDB has that
// done by the flush or compaction that made the file superfluous. Whoever has a
// handle of the file puts the second part off until it is closed, and here a
// thread in the background closes it.

#ifndef URINGFS_PLUGIN_BACKGROUND_FREE_H_
#define URINGFS_PLUGIN_BACKGROUND_FREE_H_

#include <sys/types.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "background_thread.h"

namespace uringfs {

class BackgroundFree;

// Keeps a file's blocks when its name goes, until it lets go of them or is
// handed to BackgroundFree::Free. THREADS: one at a time.
class BlockHandle {
 public:
  BlockHandle() = default;
  BlockHandle(BlockHandle&& other) noexcept { *this = std::move(other); }
  BlockHandle& operator=(BlockHandle&& other) noexcept;
  ~BlockHandle() { LetGo(); }

  // The blocks are given back here, if nobody else has the file.
  void LetGo();

  bool is_empty() const { return owner_ == nullptr; }
  // Of the disk.
  uint64_t bytes() const { return bytes_; }

 private:
  friend class BackgroundFree;

  // Null: empty. The handle is counted there.
  BackgroundFree* owner_ = nullptr;
  int fd_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  uint64_t bytes_ = 0;
};

// THREADS: any.
class BackgroundFree {
 public:
  // Less is given back at once.
  static constexpr uint64_t kMinBytes = uint64_t{4} << 20;
  // Nothing is put off where less space than that is left, or less than eight
  // times what would be held: a disk that runs full needs it now. (A user's
  // quota is not looked at.)
  static constexpr uint64_t kMinSpace = uint64_t{1} << 30;
  static constexpr uint64_t kSpacePerByte = 8;
  static constexpr size_t kMaxHeld = 32;

  // Starts what it is given in the background; false if that is not possible.
  using Start = std::function<bool(const std::function<void()>&)>;

  // A child of fork gets one of its own.
  static BackgroundFree& OfProcess();

  // REQUIRES: outlives its handles, and the thread if it has started one.
  explicit BackgroundFree(Start start = StartBackgroundThread,
                          uint64_t min_space = kMinSpace)
      : start_(std::move(start)), min_space_(min_space) {}

  // Empty where it is not to be put off: `path` is no plain file, or has other
  // names, or see above; or its file system is none that is known to take a
  // handle well (NFS gives the file another name instead). It keeps nothing
  // but the blocks, and needs no permission to read the file.
  BlockHandle Hold(const std::string& path);

  // Returns at once. Does it itself if there is no thread to be had.
  void Free(BlockHandle&& file);

  // Until all is given back that was handed over before, but not for ever.
  // False if it took too long.
  bool Wait();

  // Of the disk that has `path`: what was handed over and is not back yet, or
  // only in part.
  uint64_t WaitingOn(const std::string& path) const;

  // Files handed over so far.
  uint64_t handed_over() const;

 private:
  friend class BlockHandle;

  void Run();
  // Counts a handle, if there may be one more.
  bool Reserve(uint64_t bytes, uint64_t available);
  void Release(uint64_t bytes);

  const Start start_;
  const uint64_t min_space_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  size_t held_ = 0;  // handles, and their bytes
  uint64_t held_bytes_ = 0;
  // Those that are not back yet. The first one may be letting go: then its
  // descriptor is not guarded.
  std::deque<BlockHandle> waiting_;
  uint64_t handed_over_ = 0;
  bool is_started_ = false;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_BACKGROUND_FREE_H_
