// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_TEST_PLUGIN_EVICT_H_
#define URINGFS_TEST_PLUGIN_EVICT_H_

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"

namespace uringfs::test {

// The page cache has nothing of the file any more, where the file system
// underneath lets go of it.
inline void EvictFromCache(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(::fdatasync(fd), 0);
  EXPECT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  ::close(fd);
}

}  // namespace uringfs::test

#endif  // URINGFS_TEST_PLUGIN_EVICT_H_
