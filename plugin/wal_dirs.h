// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// WalDirs: which database the logs in a directory belong to. RocksDB never says
// so. A database has its logs beside its CURRENT, or all in one directory of
// their own (wal_dir), which its options name, if they were written, if nobody
// has moved it since, and if it is not another one today. What a thread does
// tells better: it opens a database, and then lists the directory of its logs.

#ifndef URINGFS_PLUGIN_WAL_DIRS_H_
#define URINGFS_PLUGIN_WAL_DIRS_H_

#include <uringfs/log_format.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {

// THREADS: any; what is said of a thread is said by that thread.
class WalDirs {
 public:
  WalDirs();

  // This thread opens the database whose LOCK is at `path`, until it makes a
  // WAL or gives the lock back. Each directory with logs and without a database
  // that it lists meanwhile may have that database's.
  void Locks(const std::string& path);
  void MakesWalOrUnlocks();

  // It reads the CURRENT at `path`, as whoever opens a database without a lock
  // does first. The same, until it reads another one or turns to another
  // database; but for other threads what is known of a directory stays. Nobody
  // tells when such an open ends.
  void ReadsCurrent(const std::string& path);
  // It makes a LOG in `directory`, as whoever opens a database does first. Not
  // only then: a LOG becomes too long, and may lie anywhere.
  void MakesLog(const std::string& directory);

  void Lists(const std::string& directory,
             const std::vector<std::string>& names);

  // Of the WAL at `path`. Never destroyed.
  const LogFormat& FormatOf(const std::string& path) const;

 private:
  struct Opening;

  // What this thread opens through this object; null: nothing.
  Opening* Current() const;
  void Begin(const std::string& database, bool has_lock);

  // Of this object, and of no other one ever: threads remember it.
  const uint64_t number_;
  mutable Mutex mutex_;
  // Of databases that were opened, wherever their logs lie; and the databases
  // of the directories of logs that were seen in use.
  std::map<std::string, std::unique_ptr<const LogFormat>> formats_
      URINGFS_GUARDED_BY(mutex_);
  std::map<std::string, std::string> database_of_ URINGFS_GUARDED_BY(mutex_);
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_WAL_DIRS_H_
