// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/rocksdb_wal/wal_names.h"

#include <algorithm>

#include "src/base/list_directory.h"
#include "src/base/posix_file.h"

namespace uringfs {
namespace {
constexpr char kSuffix[] = ".log";
constexpr size_t kSuffixBytes = sizeof(kSuffix) - 1;
constexpr size_t kMaxDigits = 18;
}  // namespace

uint64_t WalNumberOf(const std::string& path) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  if (name.size() <= kSuffixBytes || name.size() > kMaxDigits + kSuffixBytes ||
      name.compare(name.size() - kSuffixBytes, kSuffixBytes, kSuffix) != 0) {
    return 0;
  }
  uint64_t number = 0;
  for (size_t i = 0; i < name.size() - kSuffixBytes; ++i) {
    if (name[i] < '0' || name[i] > '9') {
      return 0;
    }
    number = number * 10 + static_cast<uint64_t>(name[i] - '0');
  }
  return number;
}

Status FindLaterWals(const std::string& path,
                     std::vector<std::pair<uint64_t, std::string>>* later) {
  later->clear();
  const uint64_t number = WalNumberOf(path);
  const std::string directory = DirectoryPrefixOf(path);
  std::vector<std::string> names;
  const int error = ListDirectory(directory, &names);
  if (error != 0) {
    return Status::FromErrno(error, "look for later logs in", directory);
  }
  for (const std::string& name : names) {
    if (WalNumberOf(name) > number) {
      later->emplace_back(WalNumberOf(name), directory + name);
    }
  }
  std::sort(later->begin(), later->end());
  return Status::Ok();
}

}  // namespace uringfs
