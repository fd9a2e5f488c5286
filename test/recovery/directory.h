// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What is done to all side files of a database.

#ifndef URINGFS_TEST_RECOVERY_DIRECTORY_H_
#define URINGFS_TEST_RECOVERY_DIRECTORY_H_

#include <string>
#include <utility>
#include <vector>

#include "uringfs/recovery.h"
#include "uringfs/rocksdb_wal.h"

namespace uringfs::test {

inline RecoveryOptions OfRocksDb() {
  RecoveryOptions options;
  options.format = &RocksDbWal();
  return options;
}

// Stops at the first error.
inline Status InspectDirectory(const std::string& directory,
                               std::vector<SideFileInfo>* infos) {
  infos->clear();
  std::vector<std::string> logs;
  Status status = ListSideFiles(directory, nullptr, &logs);
  for (const std::string& log : logs) {
    SideFileInfo info;
    status = status.ok() ? InspectLog(log, &RocksDbWal(), &info) : status;
    if (status.ok() && info.state != SideState::kNone) {
      infos->push_back(std::move(info));
    }
  }
  return status;
}

// As InspectDirectory.
inline Status RecoverDirectory(const std::string& directory,
                               std::vector<RecoveryReport>* reports) {
  reports->clear();
  std::vector<std::string> logs;
  Status status = ListSideFiles(directory, nullptr, &logs);
  for (const std::string& log : logs) {
    RecoveryReport report;
    status = status.ok() ? RecoverLog(log, OfRocksDb(), &report) : status;
    reports->push_back(std::move(report));
  }
  return status;
}

}  // namespace uringfs::test

#endif  // URINGFS_TEST_RECOVERY_DIRECTORY_H_
