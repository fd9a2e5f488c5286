// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "cache_warmer.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

#include "one_per_process.h"

namespace uringfs {
namespace {

// One request brings no more than the device takes at once; this is less than
// any.
constexpr off_t kStepBytes = off_t{128} * 1024;

void WarmNow(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    return;
  }
  struct stat stat = {};
  if (::fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode)) {
    for (off_t at = 0; at < stat.st_size; at += kStepBytes) {
      static_cast<void>(
          ::posix_fadvise(fd, at, kStepBytes, POSIX_FADV_WILLNEED));
    }
  }
  ::close(fd);
}

}  // namespace

CacheWarmer& CacheWarmer::OfProcess() {
  // The thread outlives statics.
  static OnePerProcess<CacheWarmer> warmer;
  return warmer.Get();
}

void CacheWarmer::Warm(const std::string& path) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!is_started_) {
      Start();
    }
    if (waiting_.size() == kMaxWaiting) {
      waiting_.pop_front();
    }
    waiting_.push_back(path);
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
    const std::string path = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    WarmNow(path);
    lock.lock();
  }
}

}  // namespace uringfs
