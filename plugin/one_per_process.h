// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// OnePerProcess: an object that is made when it is first asked for, never
// destroyed, and made anew in a child of fork, which has neither the parent's
// files nor its threads.

#ifndef URINGFS_PLUGIN_ONE_PER_PROCESS_H_
#define URINGFS_PLUGIN_ONE_PER_PROCESS_H_

#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <memory>

namespace uringfs {

// REQUIRES: static storage duration. THREADS: any.
template <class T>
class OnePerProcess {
 public:
  T& Get() {
    // Acquire: sees the object whole; its partner is the release below.
    Owned* owned = current_.load(std::memory_order_acquire);
    while (owned == nullptr || owned->process != ::getpid()) {
      auto made = std::make_unique<Owned>();
      if (current_.compare_exchange_strong(owned, made.get(),
                                           std::memory_order_acq_rel)) {
        owned = made.release();
      }
    }
    return owned->object;
  }

  // Null if nobody has asked for it in this process.
  T* IfMade() {
    // Acquire: as in Get.
    Owned* const owned = current_.load(std::memory_order_acquire);
    return owned != nullptr && owned->process == ::getpid() ? &owned->object
                                                            : nullptr;
  }

 private:
  struct Owned {
    const pid_t process = ::getpid();
    T object;
  };

  std::atomic<Owned*> current_{nullptr};
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_ONE_PER_PROCESS_H_
