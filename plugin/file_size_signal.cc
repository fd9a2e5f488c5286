// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "file_size_signal.h"

#include <sys/resource.h>

#include <cerrno>
#include <ctime>

namespace uringfs {
namespace {

sigset_t OnlyFileSize() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGXFSZ);
  return set;
}

}  // namespace

NoFileSizeSignal::NoFileSizeSignal() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
      limit.rlim_cur == RLIM_INFINITY) {
    return;
  }
  const sigset_t set = OnlyFileSize();
  is_ours_ = ::pthread_sigmask(SIG_BLOCK, &set, &before_) == 0 &&
             ::sigismember(&before_, SIGXFSZ) == 0;
}

NoFileSizeSignal::~NoFileSizeSignal() {
  if (!is_ours_) {
    return;
  }
  const sigset_t set = OnlyFileSize();
  const timespec at_once = {0, 0};
  // The kernel sends it to the thread that made the call, so here it is.
  while (::sigtimedwait(&set, nullptr, &at_once) < 0 && errno == EINTR) {
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace uringfs
