// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Backoff: for the short waits on other threads' memcpy, which nobody
// announces: first spin, then yield, then sleep a little.

#ifndef URINGFS_LOG_BACKOFF_H_
#define URINGFS_LOG_BACKOFF_H_

#include <chrono>
#include <cstdint>
#include <thread>

namespace uringfs {

class Backoff {
 public:
  void Pause() {
    ++pauses_;
    if (pauses_ < kSpins) {
      RelaxCpu();
    } else if (pauses_ < kYields) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

 private:
  static constexpr uint32_t kSpins = 32;
  static constexpr uint32_t kYields = 128;

  static void RelaxCpu() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  uint32_t pauses_ = 0;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_BACKOFF_H_
