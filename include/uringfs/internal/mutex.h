// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The mutex of the standard library, in a form that clang can check. No more
// than that, at no cost.

#ifndef URINGFS_INTERNAL_MUTEX_H_
#define URINGFS_INTERNAL_MUTEX_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "uringfs/internal/thread_annotations.h"

namespace uringfs {

class URINGFS_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() URINGFS_ACQUIRE() { mutex_.lock(); }
  bool TryLock() URINGFS_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  void Unlock() URINGFS_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

// Holds a mutex as long as it lives.
class URINGFS_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) URINGFS_ACQUIRE(mutex) : mutex_(mutex) {
    mutex_->Lock();
  }
  // Of one that the caller has locked.
  MutexLock(Mutex* mutex, std::adopt_lock_t) URINGFS_REQUIRES(mutex)
      : mutex_(mutex) {}
  ~MutexLock() URINGFS_RELEASE() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

// Lets go of a mutex that is held, as long as it lives.
class URINGFS_SCOPED_CAPABILITY MutexUnlock {
 public:
  explicit MutexUnlock(Mutex* mutex) URINGFS_RELEASE(mutex) : mutex_(mutex) {
    mutex_->Unlock();
  }
  ~MutexUnlock() URINGFS_RELEASE() { mutex_->Lock(); }
  MutexUnlock(const MutexUnlock&) = delete;
  MutexUnlock& operator=(const MutexUnlock&) = delete;

 private:
  Mutex* const mutex_;
};

// Wait in a loop over the condition: it may return for no reason.
class CondVar {
 public:
  void Wait(Mutex* mutex) URINGFS_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    changed_.wait(lock);
    lock.release();
  }
  // False if it was `deadline` that ended it.
  bool WaitUntil(Mutex* mutex, std::chrono::steady_clock::time_point deadline)
      URINGFS_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    const std::cv_status status = changed_.wait_until(lock, deadline);
    lock.release();
    return status == std::cv_status::no_timeout;
  }
  void NotifyOne() { changed_.notify_one(); }
  void NotifyAll() { changed_.notify_all(); }

 private:
  std::condition_variable changed_;
};

}  // namespace uringfs

#endif  // URINGFS_INTERNAL_MUTEX_H_
