// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What a database's directory says of it: its newest OPTIONS file, and whether
// there is one.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

#include "src/base/list_directory.h"

#include "uringfs/rocksdb_wal.h"

namespace uringfs {
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

// As RocksDB reads the value of an option.
std::string Unescaped(const std::string& text) {
  std::string value;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_escaped = text[i] == '\\' && i + 1 < text.size();
    const char c = text[is_escaped ? ++i : i];
    value += !is_escaped || (c != 'n' && c != 'r') ? c : c == 'n' ? '\n' : '\r';
  }
  return value;
}

// One that cannot be listed has none.
std::string NewestOptionsFile(const std::string& directory) {
  std::vector<std::string> names;
  (void)ListDirectory(directory, &names);
  std::string newest;
  uint64_t highest = 0;
  for (const std::string& name : names) {
    const uint64_t number = OptionsNumberOf(name);
    if (number > highest) {
      highest = number;
      newest = name;
    }
  }
  return newest.empty() ? "" : directory + "/" + newest;
}

}  // namespace

std::string NamedWalDir(const std::string& database) {
  std::ifstream file(NewestOptionsFile(database));
  std::string line;
  while (std::getline(file, line)) {
    const size_t begin = line.find_first_not_of(" \t");
    if (begin != std::string::npos &&
        line.compare(begin, sizeof(kKey) - 1, kKey) == 0) {
      return Unescaped(line.substr(begin + sizeof(kKey) - 1));
    }
  }
  return "";
}

bool HasDatabase(const std::string& directory) {
  std::error_code error;
  return std::filesystem::exists(directory + "/CURRENT", error);
}

bool NamesAsWalDir(const std::string& database, const std::string& directory) {
  const std::string named = NamedWalDir(database);
  std::error_code error;
  return !named.empty() && std::filesystem::equivalent(named, directory, error);
}

}  // namespace uringfs
