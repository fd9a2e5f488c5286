// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "cache_warmer.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <fstream>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "one_per_process.h"

namespace uringfs {
namespace {

// One request brings no more than the device takes at once; this is less than
// any.
constexpr off_t kStepBytes = off_t{128} * 1024;
// What is asked for ahead of what has come: enough to keep a disk busy, and
// little enough for others to get in between.
constexpr off_t kAheadBytes = off_t{2} * 1024 * 1024;

// As the kernel counts it under `name`. 0: it does not say.
uint64_t BytesOf(std::string_view name) {
  std::ifstream meminfo("/proc/meminfo");
  std::string word;
  for (uint64_t kib = 0; meminfo >> word >> kib;) {
    if (word == name) {
      return kib * 1024;
    }
    std::getline(meminfo, word);
  }
  return 0;
}

bool IsWorthIt(int fd, std::string_view memory, off_t* size) {
  struct stat stat = {};
  if (::fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) {
    return false;
  }
  *size = stat.st_size;
  return static_cast<uint64_t>(stat.st_size) <= BytesOf(memory) / 2;
}

}  // namespace

// False if it was passed over.
bool CacheWarmer::WarmNow(const File& file) {
  const int fd = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    return false;
  }
  off_t size = 0;
  const bool is_worth_it = IsWorthIt(
      fd, file.memory == Memory::kUnused ? "MemFree:" : "MemAvailable:", &size);
  for (off_t at = 0; is_worth_it && at < size + kAheadBytes; at += kStepBytes) {
    if (at < size) {
      static_cast<void>(
          ::posix_fadvise(fd, at, kStepBytes, POSIX_FADV_WILLNEED));
    }
    if (char byte = 0; at >= kAheadBytes) {
      // Waits for it. Errors are for those who want the bytes.
      static_cast<void>(!::pread(fd, &byte, 1, at - kAheadBytes));
    }
  }
  ::close(fd);
  return is_worth_it;
}

CacheWarmer& CacheWarmer::OfProcess() {
  // The thread outlives statics.
  static OnePerProcess<CacheWarmer> warmer;
  return warmer.Get();
}

void CacheWarmer::Warm(const std::string& path, const SharedHeat& heat,
                       Memory memory) {
  Heat cold = Heat::kCold;
  if (!heat->compare_exchange_strong(cold, Heat::kWaiting,
                                     std::memory_order_relaxed)) {
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!is_started_) {
      Start();
    }
    if (waiting_.size() == kMaxWaiting) {
      waiting_.front().heat->store(Heat::kCold, std::memory_order_relaxed);
      waiting_.pop_front();
    }
    waiting_.push_back({path, heat, memory});
  }
  has_work_.notify_one();
}

// REQUIRES: mutex_ is held.
void CacheWarmer::Start() {
  // Signals are for the program's own threads.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread(&CacheWarmer::Run, this).detach();
    is_started_ = true;
  } catch (const std::system_error&) {
    // The next file tries again.
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void CacheWarmer::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    has_work_.wait(lock, [&] { return !waiting_.empty(); });
    const File file = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    // One that was passed over is not asked for again.
    if (WarmNow(file)) {
      file.heat->store(Heat::kWarm, std::memory_order_relaxed);
    }
    lock.lock();
  }
}

}  // namespace uringfs
