// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/tool/wal_dir.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "uringfs/internal/shell_word.h"
#include "uringfs/recovery.h"
#include "uringfs/rocksdb_wal.h"

namespace uringfs::tool {
namespace {

bool IsSameDirectory(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error);
}

}  // namespace

std::string RemindOfWalDir(const std::string& directory,
                           const std::vector<std::string>& directories,
                           const std::string& words) {
  const std::string wal_dir = NamedWalDir(directory);
  const bool is_named = std::any_of(directories.begin(), directories.end(),
                                    [&wal_dir](const std::string& named) {
                                      return IsSameDirectory(named, wal_dir);
                                    });
  if (wal_dir.empty() || is_named) {
    return "";
  }
  std::error_code error;
  const bool is_there = std::filesystem::exists(wal_dir, error);
  std::vector<std::string> logs;
  const bool has_logs =
      ListSideFiles(wal_dir, &RocksDbWal(), &logs).ok() && !logs.empty();
  const std::string names = directory + ": its options name " + wal_dir +
                            " as the directory of its logs, ";
  const bool is_all_databases =
      std::all_of(directories.begin(), directories.end(), &HasDatabase);
  if (!is_there && is_all_databases) {
    return names +
           "which is not here; if it was moved, name both directories, and no "
           "other database: uringfs recover " +
           words + ShellWord(directory) + " WAL_DIR";
  }
  return has_logs ? names +
                        "where there are side files; if that is right, name "
                        "both directories: uringfs recover " +
                        words + ShellWord(directory) + " " + ShellWord(wal_dir)
                  : "";
}

Formats::Formats(const std::vector<std::string>& directories) {
  for (const std::string& directory : directories) {
    if (HasDatabase(directory)) {
      databases_.push_back(directory);
    }
  }
}

const LogFormat* Formats::Of(const std::string& directory) {
  if (HasDatabase(directory)) {
    return &RocksDbWal();
  }
  for (const std::string& database : databases_) {
    if (databases_.size() == 1 || NamesAsWalDir(database, directory)) {
      made_.push_back(RocksDbWalOf(database));
      return made_.back().get();
    }
  }
  const std::string above = directory + "/..";
  return NamesAsWalDir(above, directory) ? &RocksDbWal() : nullptr;
}

}  // namespace uringfs::tool
