// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/tool/wal_dir.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "uringfs/recovery.h"

namespace uringfs::tool {
namespace {

constexpr char kOptionsPrefix[] = "OPTIONS-";
constexpr char kKey[] = "wal_dir=";

// 0 if it is none.
uint64_t OptionsNumberOf(const std::string& name) {
  const std::string prefix = kOptionsPrefix;
  if (name.compare(0, prefix.size(), prefix) != 0 ||
      name.size() == prefix.size() || name.size() > prefix.size() + 19 ||
      name.find_first_not_of("0123456789", prefix.size()) !=
          std::string::npos) {
    return 0;
  }
  return std::stoull(name.substr(prefix.size()));
}

std::string NewestOptionsFile(const std::string& directory) {
  std::string newest;
  uint64_t highest = 0;
  std::error_code error;  // one of reading is found by who lists it
  for (std::filesystem::directory_iterator at(directory, error), end;
       !error && at != end; at.increment(error)) {
    const uint64_t number = OptionsNumberOf(at->path().filename().string());
    if (number > highest) {
      highest = number;
      newest = at->path().string();
    }
  }
  return newest;
}

// What the options file says; "" for "with the rest of the database".
std::string NamedWalDir(const std::string& options_path) {
  std::ifstream file(options_path);
  std::string line;
  while (std::getline(file, line)) {
    const size_t begin = line.find_first_not_of(" \t");
    if (begin != std::string::npos &&
        line.compare(begin, sizeof(kKey) - 1, kKey) == 0) {
      return line.substr(begin + sizeof(kKey) - 1);
    }
  }
  return "";
}

bool IsSameDirectory(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error);
}

}  // namespace

std::string RemindOfWalDir(const std::string& directory,
                           const std::vector<std::string>& directories) {
  const std::string wal_dir = NamedWalDir(NewestOptionsFile(directory));
  const bool is_named = std::any_of(directories.begin(), directories.end(),
                                    [&wal_dir](const std::string& named) {
                                      return IsSameDirectory(named, wal_dir);
                                    });
  std::vector<std::string> logs;
  const bool has_logs = !wal_dir.empty() && !is_named &&
                        ListSideFiles(wal_dir, &logs).ok() && !logs.empty();
  return !has_logs ? ""
                   : directory + ": its options name " + wal_dir +
                         " as the directory of its logs, where there are side "
                         "files; if that is right, name both directories";
}

}  // namespace uringfs::tool
