// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The LOG files of the databases that use a file system, so that what it has
// to say stands where people look for it.

#ifndef URINGFS_PLUGIN_DATABASE_LOGS_H_
#define URINGFS_PLUGIN_DATABASE_LOGS_H_

#include <rocksdb/env.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "rocksdb_api.h"
#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {

// Writes one line to a logger that nobody else has yet, whatever it lets
// through: a fresh one lets only errors through, its owner sets the level
// later.
void WriteLogLine(rdb::Logger* logger, rdb::InfoLogLevel level,
                  const std::string& text);

// THREADS: any.
class DatabaseLogs {
 public:
  // `logger` writes the file at `path`. It is not kept alive.
  void Remember(const std::string& path,
                const std::shared_ptr<rdb::Logger>& logger);

  // To the LOG in `directory` (see DirectoryOf); if there is none, to the one
  // that was opened last, which a database with a db_log_dir has just done.
  void Write(const std::string& directory, rdb::InfoLogLevel level,
             const std::string& text);
  // The same, the first time only.
  void WarnOnce(const std::string& directory, const std::string& text);

 private:
  std::shared_ptr<rdb::Logger> Find(const std::string& directory);

  std::atomic<bool> has_warned_{false};
  Mutex mutex_;
  std::map<std::string, std::weak_ptr<rdb::Logger>> by_directory_
      URINGFS_GUARDED_BY(mutex_);
  std::weak_ptr<rdb::Logger> newest_ URINGFS_GUARDED_BY(mutex_);
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_DATABASE_LOGS_H_
