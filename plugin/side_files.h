// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What a file system does about side files (`NNNNNN.log.uringfs`) of WALs that
// are not open in this process: their owners are other processes, or dead.

#ifndef URINGFS_PLUGIN_SIDE_FILES_H_
#define URINGFS_PLUGIN_SIDE_FILES_H_

#include <rocksdb/io_status.h>
#include <uringfs/recovery.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "database_logs.h"
#include "fs_stats.h"
#include "wal_dirs.h"

#include "rocksdb_api.h"
#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {

// Whether the file at `path` alone is perhaps not what its log holds, or will
// not be in a moment: a WAL that this process does not have open.
bool NeedsLogView(const std::string& path);

// THREADS: any.
class SideFiles {
 public:
  SideFiles(std::shared_ptr<FsStats> stats, DatabaseLogs* logs,
            const WalDirs* wal_dirs)
      : stats_(std::move(stats)), logs_(logs), wal_dirs_(wal_dirs) {}

  // Recovers every log in the directory of `path`. Errors: IOError that names
  // the file, the bytes and the ways out if a side file holds bytes that its
  // log lacks and cannot be applied; Busy if somebody has one of them open;
  // those of RecoverLog.
  rdb::IOStatus RecoverDirectoryOf(const std::string& path);

  // The same, the first time a WAL is made in a directory that was not locked
  // before: one of its own (wal_dir), which LockFile does not get to see.
  rdb::IOStatus SweepOnce(const std::string& path);

  // The same for the WAL at `path`, before somebody changes it behind the back
  // of its side file, or deletes it. Does nothing for one that is open in this
  // process.
  rdb::IOStatus RecoverWal(const std::string& path);

  // Whoever lists a directory is about to read what is in it: an error as above
  // if a side file among `names` cannot be applied. Some of RocksDB's ways to
  // open a database take no lock, and some pass over a WAL that cannot be read.
  rdb::IOStatus CheckListed(const std::string& directory,
                            const std::vector<std::string>& names) const;

  // Logical size of a WAL that is not open in this process. False: what the
  // file system underneath says is right.
  bool LogicalSize(const std::string& path, rdb::IOStatus* status,
                   uint64_t* size) const;

  // The same before somebody deletes the WAL. Of one that this process has
  // written, and failed to close, nothing is wanted any more: to move it would
  // take space.
  rdb::IOStatus PrepareDelete(const std::string& path);

  // Somebody wants to delete the side file at `path`: what it has is moved into
  // its log, and then it goes, or it was not to be deleted. Errors: as above.
  rdb::IOStatus DropSideFile(const std::string& path);
  // The same for somebody who wants to write there. InvalidArgument too if it
  // was not to be deleted.
  rdb::IOStatus ClearForWriter(const std::string& path);

  // The WAL at `path` was deleted, perhaps with the whole database: removes
  // side files of its directory that hold nothing, unless this process has a
  // log open there, which may still want them. Best effort.
  void SweepGone(const std::string& path) const;

 private:
  rdb::IOStatus Recover(const std::string& log_path, uint32_t wait_ms);
  rdb::IOStatus Sweep(const std::string& directory);
  rdb::IOStatus RecoverAll(const std::string& directory);
  void Report(const std::string& directory, const RecoveryReport& report);

  const std::shared_ptr<FsStats> stats_;
  DatabaseLogs* const logs_;

  const WalDirs* const wal_dirs_;

  Mutex mutex_;
  std::set<std::string> swept_ URINGFS_GUARDED_BY(mutex_);
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_SIDE_FILES_H_
