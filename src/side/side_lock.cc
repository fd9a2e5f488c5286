// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/side_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

namespace uringfs {
namespace {

// Of others nothing was read, and nothing is believed.
bool HasContent(const Side& side) {
  return side.content != SideContent::kMissing && S_ISREG(side.stat.st_mode) &&
         side.stat.st_size > 0;
}

}  // namespace

Status SideLock::TryShared(const Side& side) { return Try(side, LOCK_SH); }

Status SideLock::TryAlone(const Side& side) { return Try(side, LOCK_EX); }

// By a descriptor of its own: the lock goes with it, and `side` is looked at
// anew under the lock.
Status SideLock::Try(const Side& side, int operation) {
  Release();
  if (!HasContent(side)) {
    is_held_ = true;
    return Status::Ok();
  }
  int error = file_.Open(side.path, O_RDONLY | O_NOFOLLOW);
  if (error == 0) {
    error = file_.Stat(&stat_);
  }
  if (error == 0 && operation == LOCK_SH && file_.HasNotice()) {
    error = EWOULDBLOCK;
  }
  if (error == 0) {
    error = file_.TryLock(operation);
  }
  has_file_ = error == 0;
  // One that was removed or replaced meanwhile is looked at anew, see IsOf.
  is_held_ = error == 0 || error == ENOENT || error == ELOOP;
  return is_held_ || error == EWOULDBLOCK
             ? Status::Ok()
             : Status::FromErrno(error, "lock the side file", side.path);
}

void SideLock::PostNotice(const Side& side) {
  if (HasContent(side) && notice_.Open(side.path, O_RDONLY | O_NOFOLLOW) == 0) {
    (void)notice_.SetNotice();
  }
}

void SideLock::Release() {
  if (has_file_) {
    // A child of fork may have the descriptor too.
    (void)file_.TryLock(LOCK_UN);
  }
  file_ = PosixFile();
  has_file_ = false;
  is_held_ = false;
}

bool SideLock::IsOf(const Side& side) const {
  return has_file_ == HasContent(side) &&
         (!has_file_ || IsSameFile(stat_, side.stat));
}

}  // namespace uringfs
