// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The reading side of side files: opens one, says what is in it, and reads its
// words and its ring. What that means for its log is judge.h's.
//
// Nothing here maps a file: whoever may write to it may also cut it, and a cut
// mapping kills the process that looks at it. Nothing here writes.
//
// A live owner moves the words and may close at any moment. `filled` is read
// before `written`, and the log's size after both, so that the owner's progress
// in between never makes the three contradict each other.
//
// THREADS: a Side is a value; its const use: any.

#ifndef URINGFS_SIDE_SIDE_READER_H_
#define URINGFS_SIDE_SIDE_READER_H_

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "src/base/posix_file.h"
#include "src/side/log_mark.h"
#include "src/side/side_format.h"

#include "uringfs/status.h"

namespace uringfs {

enum class SideContent : uint8_t {
  kMissing,
  kLost,        // none, or empty, though the log says so: see log_mark.h
  kBlank,       // nothing was ever written to it
  kIdle,        // no log's ring; its words may be of one that was closed
  kLive,        // a log's ring
  kTornHeader,  // a log's words, but no header: only power loss leaves that
  kGarbled,     // see Side::complaint
};

struct SideWords {
  uint64_t written = 0;
  uint64_t filled = 0;
};

struct Side {
  std::string path;
  SideContent content = SideContent::kMissing;
  std::string complaint;  // kGarbled: what is wrong
  // Who may have written to it that may not write to the log; empty if nobody.
  std::string distrust;
  bool has_log = false;
  struct stat log = {};  // valid if has_log
  uint64_t log_birth = 0;
  bool is_marked = false;
  LogMark mark;           // valid if is_marked
  struct stat stat = {};  // as the rest: valid if there is a file
  PosixFile file;
  // kLive, and kIdle and kGarbled if it makes sense:
  bool has_header = false;
  SideHeader header = {};
  // kLive, and kIdle if they make sense: then the log was closed with them.
  bool has_words = false;
  SideWords words;
  SideSum sums[kSideSums] = {};

  uint64_t SeqOf(uint64_t offset) const {
    return (offset - header.origin) / header.buffer_bytes;
  }
  uint64_t BeginOf(uint64_t seq) const {
    return header.origin + seq * header.buffer_bytes;
  }
  // End of what the ring had room for when the words were read.
  uint64_t RingEnd() const {
    return BeginOf(SeqOf(words.written)) + SideRingBytes(header);
  }
};

// Opens and reads the side file of a log. Errors: those of looking at the two
// files; a file that is not there is none.
Status LookAtSide(const std::string& log_path, Side* side);

// The same, more than once before it says kGarbled: a file that its owner is
// just making can look damaged for a moment.
Status LookAtSideCalmly(const std::string& log_path, Side* side);

// Whether it is still the live file that was seen, and its words now.
// REQUIRES: kLive.
bool ReadSideWords(const Side& side, SideWords* words);

// Copies stream bytes out of the ring; 0 or the errno. The bytes are what they
// should be as long as nobody writes the buffers meanwhile, which a live owner
// may do once `written` is past them.
// REQUIRES: kLive; offset >= origin.
int ReadSideRing(const Side& side, uint64_t offset, size_t bytes, char* out);

// Whether the machine was started since the header was written.
bool IsOfOtherBoot(const SideHeader& header);

// Whether the process that a header names is there.
bool IsOwnerAlive(const SideHeader& header);

// Removes the file, which nobody needs, unless its name leads to another one by
// now. One that holds nothing stays if whoever asks may not write to the log:
// see log_mark.h.
Status RemoveSide(const Side& side);

// Finds a name for what is kept of `path`: take(name) returns 0, EEXIST if
// there is something, or another errno. Returns the last one.
int TakeKeptName(const std::string& path,
                 const std::function<int(const std::string&)>& take,
                 std::string* kept);

// Where nothing is yet; 0 or the errno.
int RenameToNew(const std::string& from, const std::string& to);

// Gives the file another name, at which nobody looks for it, and which *kept
// tells: what it holds may be wanted again. As RemoveSide: the log does without
// it, so it may be killed in between.
Status SetSideAside(const Side& side, std::string* kept);
// The same for a log that was refused, by choice: until it is done the log is
// refused.
Status SetChosenAside(const Side& side, std::string* kept);

// Nobody wants what stands at the place of a side file of this log: the log
// was replaced. A file that may hold bytes which its log lacks is set aside,
// any other one is removed.
Status ClearSideOf(const std::string& log_path);

}  // namespace uringfs

#endif  // URINGFS_SIDE_SIDE_READER_H_
