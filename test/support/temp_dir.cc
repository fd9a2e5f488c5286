// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "test/support/temp_dir.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace uringfs::test {

TempDir::TempDir() {
  const char* root = std::getenv("URINGFS_TEST_DIR");
  std::string pattern =
      std::string(root != nullptr ? root : ".") + "/uringfs_test.XXXXXX";
  std::vector<char> name(pattern.begin(), pattern.end());
  name.push_back('\0');
  if (::mkdtemp(name.data()) == nullptr) {
    std::perror(pattern.c_str());
    std::abort();
  }
  path_ = std::filesystem::absolute(name.data()).string();
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ReadWholeFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    std::perror(path.c_str());
    std::abort();
  }
  return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace uringfs::test
