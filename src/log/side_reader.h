// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The reading side of side files: opens one, judges whether it can be trusted,
// and reads its words and its ring.
//
// Nothing here maps a file: whoever may write to it may also cut it, and a cut
// mapping kills the process that looks at it. Nothing here writes.
//
// A live owner moves the words and may close at any moment. `filled` is read
// before `written`, and the log's size after both, so that the owner's progress
// in between never makes the three contradict each other.
//
// THREADS: a Side is a value; its const use: any.

#ifndef URINGFS_LOG_SIDE_READER_H_
#define URINGFS_LOG_SIDE_READER_H_

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "src/log/posix_file.h"
#include "src/log/side_format.h"

#include "uringfs/status.h"

namespace uringfs {

enum class SideVerdict : uint8_t { kNone, kIdle, kLive, kStale, kRefused };

struct SideWords {
  uint64_t written = 0;
  uint64_t filled = 0;
};

struct Side {
  std::string path;
  SideVerdict verdict = SideVerdict::kNone;
  std::string reason;  // unless kNone or kLive
  // kStale: it was its log's when the machine went down, so the log's last
  // writes may be lost in part.
  bool may_be_torn = false;
  bool has_log = false;
  struct stat log = {};  // valid if has_log
  uint64_t log_birth = 0;
  struct stat stat = {};  // as the rest: valid unless kNone or kRefused
  PosixFile file;
  // kLive and kStale:
  SideHeader header = {};
  // kLive:
  SideWords words;

  uint64_t SeqOf(uint64_t offset) const {
    return (offset - header.origin) / header.buffer_bytes;
  }
  uint64_t BeginOf(uint64_t seq) const {
    return header.origin + seq * header.buffer_bytes;
  }
};

inline constexpr char kLogChanged[] =
    "the log has changed since, so the side file does not fit it any more; "
    "remove the side file if the log is good without it";

// Opens and judges the side file of a log. Errors: those of looking at the
// two files; a file that is not there is none.
Status LookAtSide(const std::string& log_path, Side* side);

// The same, more than once before it says kRefused: a file that its owner is
// just handing from log to log can look damaged for a moment.
Status LookAtSideCalmly(const std::string& log_path, Side* side);

// Whether it is still the live file that was judged, and its words now.
// REQUIRES: kLive.
bool ReadSideWords(const Side& side, SideWords* words);

// Copies stream bytes out of the ring; 0 or the errno. The bytes are what they
// should be as long as nobody writes the buffers meanwhile, which a live owner
// may do once `written` is past them.
// REQUIRES: kLive; offset >= origin.
int ReadSideRing(const Side& side, uint64_t offset, size_t bytes, char* out);

// Turns kLive into kRefused if the log cannot be what the owner has left: it
// does not hold what the ring has below `written`, or holds something else
// behind. Then it is newer than the side file, whose last words may have been
// lost with a file system that went down. REQUIRES: kLive; no owner. Errors:
// those of reading.
Status CompareLog(const PosixFile& log, Side* side);

// Whether the process that a header names is there.
bool IsOwnerAlive(const SideHeader& header);

// Removes the file, unless its name leads to another one by now.
Status RemoveSide(const Side& side);

// The number of a log named by one, `NNNNNN.log`; 0 otherwise.
uint64_t LogNumberOf(const std::string& log_path);

// Whether the ring has bytes that the file lacks, and there is a log with a
// higher number beside it: see RecoveryOptions::refuse_superseded.
// REQUIRES: kLive.
bool IsSuperseded(const std::string& log_path, const Side& side);

// Whether a database has been opened for write since this log of it was written
// last, or has made a log with a higher number since the machine was booted:
// somebody has read this one and gone on.
bool IsContinued(const std::string& log_path);

}  // namespace uringfs

#endif  // URINGFS_LOG_SIDE_READER_H_
