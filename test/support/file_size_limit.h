// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A limit of the process's file sizes for a while. SIGXFSZ does what it does by
// default, so a call that raises it ends the test.

#ifndef URINGFS_TEST_SUPPORT_FILE_SIZE_LIMIT_H_
#define URINGFS_TEST_SUPPORT_FILE_SIZE_LIMIT_H_

#include <sys/resource.h>

#include <csignal>

#include "gtest/gtest.h"

namespace uringfs::test {

class ScopedFileSizeLimit {
 public:
  explicit ScopedFileSizeLimit(uint64_t bytes)
      : handler_(::signal(SIGXFSZ, SIG_DFL)) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    Set(bytes);
  }
  ~ScopedFileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  ScopedFileSizeLimit(const ScopedFileSizeLimit&) = delete;
  ScopedFileSizeLimit& operator=(const ScopedFileSizeLimit&) = delete;

  void Set(uint64_t bytes) {
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  void Lift() { Set(before_.rlim_cur); }

 private:
  rlimit before_ = {};
  void (*const handler_)(int);
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_SUPPORT_FILE_SIZE_LIMIT_H_
