// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// How recovery, inspection and readers come to a judgement: who has the log is
// asked first, and only what nobody has is judged.

#ifndef URINGFS_RECOVERY_LOOK_H_
#define URINGFS_RECOVERY_LOOK_H_

#include <string>

#include "src/base/posix_file.h"
#include "src/side/judge.h"
#include "src/side/side_reader.h"

#include "uringfs/log_format.h"
#include "uringfs/status.h"

namespace uringfs {

struct SideLook {
  Side side;
  PosixFile log;          // open for reading, if there is one
  bool is_owned = false;  // somebody holds the log; it was not judged
  Judgement judgement;    // unless is_owned
  SideFacts facts;        // what it was made of
  RecordsEnd of_log;      // kOlder, if has_records
  bool has_records = false;

  // Where the log is to be cut, because the file system went down and took what
  // was there. False: nowhere; *why_not says why if there is something odd.
  bool FindTear(const std::string& log_path, const LogFormat* format,
                std::string* why_not) const;
};

// Opens the log of `side` for reading. *is_there is false if it was replaced or
// removed since `side` was seen. Without a log it is true.
Status OpenLogOf(const std::string& log_path, const Side& side, PosixFile* log,
                 bool* is_there);

// Looks at a side file once more when its log is locked: what was seen before
// may be older than the owner's death. *is_same is false if the log was
// replaced or removed since. Errors: those of looking.
Status LookUnderLock(const std::string& log_path, Side* side, bool* is_same);

// Judges what look->side and look->log are. REQUIRES: nobody owns the log.
Status JudgeLook(const std::string& log_path, const LogFormat* format,
                 SideLook* look);

// Looks without keeping anybody out: takes the lock of the side file and then
// that of the log for a moment, shared, to see whether somebody has them. Waits
// for a recovery, ten seconds. Errors: those of looking; EBUSY if it keeps
// changing; EAGAIN if the recovery does not end.
Status LookOnce(const std::string& log_path, const LogFormat* format,
                SideLook* look);

}  // namespace uringfs

#endif  // URINGFS_RECOVERY_LOOK_H_
