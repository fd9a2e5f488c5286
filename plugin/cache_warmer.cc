// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "cache_warmer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "background_thread.h"
#include "free_memory.h"
#include "one_per_process.h"

namespace uringfs {
namespace {

constexpr off_t kPageBytes = 4096;
// How often it is asked whether anybody still wants the file.
constexpr off_t kStepBytes = off_t{4} << 20;

// Neither a reader nor its file system knows it any more.
bool IsForgotten(const std::shared_ptr<FileHeat>& file) {
  return file.use_count() == 1;
}

// Page after page, so that the kernel sees a stream and reads ahead of it,
// into large folios, as writes would have left them. What is asked for by
// POSIX_FADV_WILLNEED lands in small ones, and each later read of 4 KiB takes
// half as long again. Returns how far it came.
off_t ReadThrough(int fd, off_t size, const std::shared_ptr<FileHeat>& file) {
  static_cast<void>(::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
  off_t at = 0;
  for (char byte = 0; at < size; at += kPageBytes) {
    if ((at % kStepBytes == 0 && IsForgotten(file)) ||
        ::pread(fd, &byte, 1, at) != 1) {
      break;
    }
  }
  return at;
}

bool HasMemory(const FileHeat& file, off_t size) {
  return file.memory == CacheMemory::kReclaimable ||
         static_cast<uint64_t>(size) <= FreeMemory().Unused() / 2;
}

// False if it was passed over.
bool WarmNow(const std::string& path, const std::shared_ptr<FileHeat>& file) {
  // A pipe of that name must not hold up all others.
  const int fd =
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) {
    return false;
  }
  struct stat stat = {};
  const bool is_warm = ::fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) &&
                       HasMemory(*file, stat.st_size) &&
                       ReadThrough(fd, stat.st_size, file) >= stat.st_size;
  ::close(fd);
  return is_warm;
}

}  // namespace

CacheWarmer& CacheWarmer::OfProcess() {
  // The thread outlives statics.
  static OnePerProcess<CacheWarmer> warmer;
  return warmer.Get();
}

void CacheWarmer::Warm(const std::string& path,
                       std::shared_ptr<FileHeat> file) {
  Heat cold = Heat::kCold;
  if (!HasRoom() || !file->heat.compare_exchange_strong(
                        cold, Heat::kWaiting, std::memory_order_relaxed)) {
    return;
  }
  {
    const MutexLock lock(&mutex_);
    is_started_ = is_started_ || StartBackgroundThread([this] { Run(); });
    if (!is_started_) {
      // The next read of the file tries again.
      file->heat.store(Heat::kCold, std::memory_order_relaxed);
      return;
    }
    waiting_.push_back({path, std::move(file)});
    waiting_count_.store(waiting_.size(), std::memory_order_relaxed);
  }
  has_work_.NotifyOne();
}

void CacheWarmer::Run() {
  const MutexLock lock(&mutex_);
  while (true) {
    while (waiting_.empty()) {
      has_work_.Wait(&mutex_);
    }
    const File next = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_count_.store(waiting_.size(), std::memory_order_relaxed);
    const MutexUnlock unlocked(&mutex_);
    const bool is_warm = WarmNow(next.path, next.file);
    next.file->heat.store(is_warm ? Heat::kWarm : Heat::kPassedOver,
                          std::memory_order_relaxed);
    if (const auto stats = next.file->stats.lock(); is_warm && stats) {
      stats->Warmed(next.file->bytes);
    }
  }
}

}  // namespace uringfs
