// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// RocksDB's lock of a database, taken the way RocksDB takes it: a write lock
// of fcntl on all of DIR/LOCK. Who has it is alone with the database.

#ifndef URINGFS_TOOL_DB_LOCK_H_
#define URINGFS_TOOL_DB_LOCK_H_

#include <sys/types.h>

#include <string>

#include "uringfs/status.h"

namespace uringfs::tool {

class DbLock {
 public:
  DbLock() = default;
  // Gives the lock back.
  ~DbLock();
  DbLock(DbLock&& other) noexcept;
  DbLock& operator=(DbLock&&) = delete;

  // Takes the lock of the database in `directory`, and nothing if there is no
  // LOCK file: a database may keep its WALs elsewhere. If somebody has it,
  // *is_taken is set, and *holder, which is 0 if it cannot be told. Errors:
  // those of looking at the file.
  Status Take(const std::string& directory, bool* is_taken, pid_t* holder);

 private:
  int fd_ = -1;
};

}  // namespace uringfs::tool

#endif  // URINGFS_TOOL_DB_LOCK_H_
