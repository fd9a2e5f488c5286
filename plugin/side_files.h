// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What a file system does about side files (`NNNNNN.log.uringfs`) of WALs that
// are not open in this process: their owners are other processes, or dead.

#ifndef URINGFS_PLUGIN_SIDE_FILES_H_
#define URINGFS_PLUGIN_SIDE_FILES_H_

#include <rocksdb/io_status.h>
#include <uringfs/recovery.h>

#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "database_logs.h"
#include "fs_stats.h"

#include "rocksdb_api.h"

namespace uringfs {

// Whether the file at `path` alone is perhaps not what its log holds, or will
// not be in a moment: a WAL that this process does not have open. Not one that
// was superseded: see RecoveryOptions.
bool NeedsLogView(const std::string& path);

// THREADS: any.
class SideFiles {
 public:
  SideFiles(std::shared_ptr<FsStats> stats, DatabaseLogs* logs)
      : stats_(std::move(stats)), logs_(logs) {}

  // Recovers every log in the directory of `path`. Refused ones are no error.
  // Errors: Busy if somebody has one of them open; those of RecoverLog.
  rdb::IOStatus RecoverDirectoryOf(const std::string& path);

  // The same, the first time a WAL is made in a directory that was not locked
  // before: one of its own (wal_dir), which LockFile does not get to see. No
  // WAL is to be made behind an error: the ones in front would count as
  // superseded from then on, and never be recovered.
  rdb::IOStatus SweepOnce(const std::string& path);

  // The same for the WAL at `path`, before somebody changes it behind the back
  // of its side file. Does nothing for one that is open in this process.
  rdb::IOStatus RecoverWal(const std::string& path);

  // Logical size of a WAL that is not open in this process. False: what the
  // file system underneath says is right.
  bool LogicalSize(const std::string& path, rdb::IOStatus* status,
                   uint64_t* size) const;

  // The log that the side file of the WAL at `path` belonged to is gone.
  // REQUIRES: no log of this process uses it. Best effort: what stays is found
  // to be stale later.
  static void RemoveSideFileOf(const std::string& path);

  // The WAL at `path` was deleted, perhaps with the whole database: removes
  // side files of its directory that belong to no log, unless this process has
  // a log open there, which may still want them. Best effort.
  static void SweepGone(const std::string& path);

 private:
  rdb::IOStatus Recover(const SideFileInfo& info, uint32_t wait_ms);
  rdb::IOStatus Sweep(const std::string& directory, uint32_t wait_ms);
  rdb::IOStatus RecoverAll(const std::string& directory, uint32_t wait_ms);
  void Report(const std::string& directory, const RecoveryReport& report);

  const std::shared_ptr<FsStats> stats_;
  DatabaseLogs* const logs_;

  std::mutex mutex_;
  std::set<std::string> swept_;  // guarded by mutex_
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_SIDE_FILES_H_
