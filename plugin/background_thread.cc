// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "background_thread.h"

#include <pthread.h>

#include <csignal>
#include <exception>
#include <thread>

namespace uringfs {

bool StartBackgroundThread(const std::function<void()>& run) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  bool is_started = false;
  try {
    std::thread(run).detach();
    is_started = true;
  } catch (const std::exception&) {
    // No thread or no memory: the caller does without.
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return is_started;
}

}  // namespace uringfs
