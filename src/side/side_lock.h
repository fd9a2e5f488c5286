// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// SideLock: who decides what a side file is worth holds its lock alone; who
// looks at it holds it shared. The owner of a log has no need of it: it holds
// the log's own lock.
//
// So whoever finds the log locked, with this lock in his hands, knows that it
// is the owner who has it, or a child of his, and no recovery: the words are
// the owner's own. Without it a reader beside a recovery would believe words
// that were perhaps lost and found by a file system, and that nobody has judged
// yet.
//
// The order is: this lock, then the log's.
//
// Those who look may be so many that one of them always has it. So who waits
// to decide posts a notice, and as long as that is there nobody begins to look.

#ifndef URINGFS_SIDE_SIDE_LOCK_H_
#define URINGFS_SIDE_SIDE_LOCK_H_

#include "src/base/posix_file.h"
#include "src/side/side_reader.h"

#include "uringfs/status.h"

namespace uringfs {

class SideLock {
 public:
  SideLock() = default;
  ~SideLock() { Release(); }
  SideLock(const SideLock&) = delete;
  SideLock& operator=(const SideLock&) = delete;

  // Neither waits. Errors: those of opening and locking; that somebody else
  // stands in the way is none. A side file that has no content has no lock, and
  // needs none.
  Status TryShared(const Side& side);
  Status TryAlone(const Side& side);
  // REQUIRES: it is not held. Does without where there are no such notices.
  void PostNotice(const Side& side);
  void Release();

  bool is_held() const { return is_held_; }
  // Whether it is the lock of this file, which may have been replaced.
  bool IsOf(const Side& side) const;

 private:
  Status Try(const Side& side, int operation);

  PosixFile notice_;  // closed with this object
  PosixFile file_;
  struct stat stat_ = {};
  bool has_file_ = false;
  bool is_held_ = false;
};

}  // namespace uringfs

#endif  // URINGFS_SIDE_SIDE_LOCK_H_
