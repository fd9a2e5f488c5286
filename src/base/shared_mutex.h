// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// As mutex.h: a lock that many hold shared, or one alone.

#ifndef URINGFS_BASE_SHARED_MUTEX_H_
#define URINGFS_BASE_SHARED_MUTEX_H_

#include <mutex>
#include <shared_mutex>

#include "uringfs/internal/thread_annotations.h"

namespace uringfs {

class URINGFS_CAPABILITY("mutex") SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void Lock() URINGFS_ACQUIRE() { mutex_.lock(); }
  bool TryLock() URINGFS_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  void Unlock() URINGFS_RELEASE() { mutex_.unlock(); }

  void LockShared() URINGFS_ACQUIRE_SHARED() { mutex_.lock_shared(); }
  bool TryLockShared() URINGFS_TRY_ACQUIRE_SHARED(true) {
    return mutex_.try_lock_shared();
  }
  void UnlockShared() URINGFS_RELEASE_SHARED() { mutex_.unlock_shared(); }

  // In a lambda: whoever runs it holds this, alone or shared.
  void AssertHeld() const URINGFS_ASSERT_CAPABILITY() {}
  void AssertShared() const URINGFS_ASSERT_SHARED_CAPABILITY() {}

 private:
  std::shared_mutex mutex_;
};

// Both hold it as long as they live; with adopt_lock one that the caller has
// locked.
class URINGFS_SCOPED_CAPABILITY ExclusiveLock {
 public:
  explicit ExclusiveLock(SharedMutex* mutex) URINGFS_ACQUIRE(mutex)
      : mutex_(mutex) {
    mutex_->Lock();
  }
  ExclusiveLock(SharedMutex* mutex, std::adopt_lock_t) URINGFS_REQUIRES(mutex)
      : mutex_(mutex) {}
  ~ExclusiveLock() URINGFS_RELEASE() { mutex_->Unlock(); }
  ExclusiveLock(const ExclusiveLock&) = delete;
  ExclusiveLock& operator=(const ExclusiveLock&) = delete;

 private:
  SharedMutex* const mutex_;
};

class URINGFS_SCOPED_CAPABILITY SharedLock {
 public:
  explicit SharedLock(SharedMutex* mutex) URINGFS_ACQUIRE_SHARED(mutex)
      : mutex_(mutex) {
    mutex_->LockShared();
  }
  SharedLock(SharedMutex* mutex, std::adopt_lock_t)
      URINGFS_REQUIRES_SHARED(mutex)
      : mutex_(mutex) {}
  ~SharedLock() URINGFS_RELEASE() { mutex_->UnlockShared(); }
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;

 private:
  SharedMutex* const mutex_;
};

}  // namespace uringfs

#endif  // URINGFS_BASE_SHARED_MUTEX_H_
