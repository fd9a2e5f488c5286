// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// How UringFileSystem takes names away and gives others.

#include <utility>

#include "background_free.h"
#include "file_policy.h"
#include "file_system.h"
#include "io_status.h"
#include "live_file.h"

namespace uringfs {

rdb::IOStatus UringFileSystem::DeleteName(const std::string& path,
                                          const rdb::IOOptions& options,
                                          rdb::IODebugContext* dbg) {
  if (Classify(path, rdb::FileOptions()) == FileKind::kBase) {
    return target()->DeleteFile(path, options, dbg);
  }
  BackgroundFree& background = BackgroundFree::OfProcess();
  BlockHandle blocks = background.Hold(path);
  rdb::IOStatus status = target()->DeleteFile(path, options, dbg);
  if (status.ok()) {
    background.Free(std::move(blocks));
  }
  return status;
}

rdb::IOStatus UringFileSystem::DeleteFile(const std::string& path,
                                          const rdb::IOOptions& options,
                                          rdb::IODebugContext* dbg) {
  // What only the ring of a dead one has is moved into it first: so no kill in
  // between leaves bytes that belong to nothing.
  rdb::IOStatus status = side_files_.RecoverWal(path);
  if (!status.ok()) {
    return status;
  }
  // Asked before: without a name it cannot be found any more.
  const bool is_held = IsWalName(path) && LiveFiles::OfProcess().Holds(path);
  status = DeleteName(path, options, dbg);
  if (status.ok() && demand_ != nullptr) {
    demand_->Forget(path);
  }
  if (status.ok() && !is_held) {
    SideFiles::SweepGone(path);
  }
  // Who lists a directory and deletes one by one comes to the side file after
  // its log.
  const bool is_gone = status.IsNotFound() || status.IsPathNotFound();
  return is_gone && IsSideFileName(path) ? rdb::IOStatus::OK() : status;
}

rdb::IOStatus UringFileSystem::RenameFile(const std::string& path,
                                          const std::string& target_path,
                                          const rdb::IOOptions& options,
                                          rdb::IODebugContext* dbg) {
  // A live file is known by inode. Its side file is found by name.
  const std::shared_ptr<LiveFile> live = LiveFiles::OfProcess().Find(path);
  rdb::IOStatus status =
      live ? ToIOStatus(live->LeaveSideFile()) : side_files_.RecoverWal(path);
  if (status.ok()) {
    status = target()->RenameFile(path, target_path, options, dbg);
  }
  if (status.ok() && demand_ != nullptr) {
    demand_->Renamed(path, target_path);
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
  if (status.ok() && demand_ != nullptr) {
    demand_->Linked(path, target_path);
  }
  return status;
}

rdb::IOStatus UringFileSystem::GetFreeSpace(const std::string& path,
                                            const rdb::IOOptions& options,
                                            uint64_t* bytes,
                                            rdb::IODebugContext* dbg) {
  // Not waited for: RocksDB asks with its mutex held. Looked at first: for a
  // moment a file may count twice, but never not at all.
  const uint64_t waiting = BackgroundFree::OfProcess().WaitingOn(path);
  rdb::IOStatus status = target()->GetFreeSpace(path, options, bytes, dbg);
  if (status.ok()) {
    *bytes += waiting;
  }
  return status;
}

rdb::IOStatus UringFileSystem::UnlockFile(rdb::FileLock* lock,
                                          const rdb::IOOptions& options,
                                          rdb::IODebugContext* dbg) {
  // The database is closed: its disk may be taken away.
  static_cast<void>(BackgroundFree::OfProcess().Wait());
  return target()->UnlockFile(lock, options, dbg);
}

}  // namespace uringfs
