// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A directory of a test's own on a real disk, removed with all it holds also
// when the test fails.

#ifndef URINGFS_TEST_SUPPORT_TEMP_DIR_H_
#define URINGFS_TEST_SUPPORT_TEMP_DIR_H_

#include <string>

namespace uringfs::test {

class TempDir {
 public:
  // Made below $URINGFS_TEST_DIR, else below the working directory: /tmp may
  // be memory, and tests of direct I/O need a disk.
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Whole content of a file; dies if it cannot be read.
std::string ReadWholeFile(const std::string& path);

}  // namespace uringfs::test

#endif  // URINGFS_TEST_SUPPORT_TEMP_DIR_H_
