// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/base/file_size_limit.h"

#include <sys/resource.h>
#include <sys/stat.h>

namespace uringfs {

uint64_t FileSizeLimit() {
  rlimit limit = {};
  // A sandbox that forbids the question leaves the answer to the kernel.
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY) {
    return UINT64_MAX;
  }
  return limit.rlim_cur;
}

bool MayBecome(int fd, uint64_t bytes) {
  struct stat stat = {};
  return MayWriteUpTo(bytes) || (::fstat(fd, &stat) == 0 &&
                                 static_cast<uint64_t>(stat.st_size) >= bytes);
}

}  // namespace uringfs
