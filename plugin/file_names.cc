// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// How UringFileSystem takes names away and gives others.

#include "file_policy.h"
#include "file_system.h"
#include "io_status.h"
#include "live_file.h"

#include "uringfs/recovery.h"

namespace uringfs {

rdb::IOStatus UringFileSystem::DeleteFile(const std::string& path,
                                          const rdb::IOOptions& options,
                                          rdb::IODebugContext* dbg) {
  if (IsSideFileOfWal(path)) {
    // A part of its log: RocksDB takes it for a file that nobody knows, and
    // deletes such ones where it restores a backup.
    return side_files_.DropSideFile(path);
  }
  // What only the ring of a dead one has is moved into it first: so no kill in
  // between leaves bytes that belong to nothing.
  rdb::IOStatus status = side_files_.PrepareDelete(path);
  if (!status.ok()) {
    return status;
  }
  // Asked before: without a name it cannot be found any more.
  const bool is_held = IsWalName(path) && LiveFiles::OfProcess().Holds(path);
  status = target()->DeleteFile(path, options, dbg);
  if (status.ok() && !is_held) {
    side_files_.SweepGone(path);
  }
  return status;
}

rdb::IOStatus UringFileSystem::RenameFile(const std::string& path,
                                          const std::string& target_path,
                                          const rdb::IOOptions& options,
                                          rdb::IODebugContext* dbg) {
  if (IsSideFileOfWal(path) || IsSideFileOfWal(target_path)) {
    return rdb::IOStatus::InvalidArgument(
        "uringfs: a side file goes where its log goes", path);
  }
  // A live file is known by inode. Its side file is found by name.
  const std::shared_ptr<LiveFile> live = LiveFiles::OfProcess().Find(path);
  rdb::IOStatus status =
      live ? ToIOStatus(live->LeaveSideFile()) : side_files_.RecoverWal(path);
  if (status.ok()) {
    status = target()->RenameFile(path, target_path, options, dbg);
  }
  if (status.ok() && IsWalName(path)) {
    TakeSideFileAlong(path, target_path);
  }
  return status;
}

rdb::IOStatus UringFileSystem::LinkFile(const std::string& path,
                                        const std::string& target_path,
                                        const rdb::IOOptions& options,
                                        rdb::IODebugContext* dbg) {
  // The link shows the inode to readers that do not ask us: at this instant
  // it has the bytes and the size that posix would show.
  rdb::IOStatus status = MakeWhole(path);
  if (status.ok()) {
    status = target()->LinkFile(path, target_path, options, dbg);
  }
  return status;
}

}  // namespace uringfs
