// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What a log whose process was killed left behind, and how others read a log
// that is open.
//
// A log opened with RingHome::kShared keeps its ring in a side file,
// `<log>.uringfs`. While it is open the log is the file's first bytes and the
// ring's last ones. A clean Close removes the side file; a killed process
// leaves it, and RecoverLog moves what the ring still holds into the file.
//
// A side file is judged by its content, and by one judge for all calls here. If
// it holds bytes that its log lacks and cannot be applied, it is *unusable*:
// RecoverLog changes nothing, LogView::Open fails, and both say which file, how
// many bytes, why, and the ways out. So nobody goes on with less than was
// acknowledged without having chosen to.
//
// THREADS: functions: any, also at the same time and in several processes.

#ifndef URINGFS_RECOVERY_H_
#define URINGFS_RECOVERY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "uringfs/log_format.h"
#include "uringfs/status.h"

namespace uringfs {

// "<log_path>.uringfs".
std::string SideFilePath(const std::string& log_path);
// Whether a path or name ends like a side file's.
bool IsSideFileName(const std::string& name);

enum class SideState : uint8_t {
  kNone,      // there is no side file
  kOwned,     // its owner holds the log: alive, or its last writes are landing
  kIdle,      // it belongs to no log just now
  kWhole,     // its owner is gone: RecoverLog has work to do
  kOlder,     // the file system went down: the log counts, as after power loss
  kForeign,   // of another log or of none; nothing of it is needed
  kUnusable,  // holds bytes that its log lacks, and cannot be applied
};
const char* ToString(SideState state);

struct SideFileInfo {
  std::string path;      // of the side file
  std::string log_path;  // of its log
  SideState state = SideState::kNone;
  // Why it is idle, older, foreign or unusable; of the latter a whole message
  // with the ways out.
  std::string reason;
  // What the verdict was made of, as `name` or `name=value`: the fields of
  // SideFacts in src/side/judge.h. Empty if it is owned.
  std::string facts;
  // kWhole, kUnusable: bytes that the log lacks. `knows_stake` is false if
  // that cannot be told.
  uint64_t at_stake = 0;
  bool knows_stake = true;
  // kUnusable: how many of them `accept` would take, and whether the others are
  // all that would be missing.
  uint64_t acceptable = 0;
  bool knows_rest = false;
  // kUnusable: what is there is not this log's, whose own one is missing.
  bool is_parted = false;
  // Of a side file whose header makes sense:
  uint32_t owner_pid = 0;
  bool owner_is_alive = false;
  uint64_t written = 0;    // the file has the stream below this offset
  uint64_t filled = 0;     // what was acknowledged ends here
  uint64_t log_bytes = 0;  // physical size of the log
  uint64_t ring_bytes = 0;
};

// Looks and changes nothing. `format` may be null. Errors: those of looking.
Status InspectLog(const std::string& log_path, const LogFormat* format,
                  SideFileInfo* info);

// Paths of the logs whose side files are in a directory, in order of name; the
// logs themselves may be gone. And of those that lack theirs, if `format` (may
// be null) knows them. Errors: those of reading the directory.
Status ListSideFiles(const std::string& directory, const LogFormat* format,
                     std::vector<std::string>* log_paths);
// Whether a log has none, though it says that it was left with one, or cannot
// be asked: then the next look is an error.
bool LacksSideFile(const std::string& log_path);
// The log at `from`, which nobody writes, was renamed to `log_path`. If this
// process may not take off what the log says, its side file has stayed, idle:
// that comes along, if nothing is in its way. Best effort.
void TakeSideFileAlong(const std::string& from, const std::string& log_path);

enum class RecoveryOutcome : uint8_t {
  kNothing,    // no side file
  kRecovered,  // the log is whole, exact and durable; the side file is gone
  kRemoved,    // nothing of it was needed: removed, the log is untouched
  kCut,        // the file system went down: the log's torn end is cut off
  kUnusable,   // nothing was changed; see `message`
  kAccepted,   // what fits was moved into the log; copies of both are kept
  kDiscarded,  // the log is untouched; a copy is kept
  kBusy,       // somebody has held the log for longer than the wait
};
const char* ToString(RecoveryOutcome outcome);

struct RecoveryReport {
  std::string path;  // of the side file
  RecoveryOutcome outcome = RecoveryOutcome::kNothing;
  // For a person: what was done or why not.
  std::string message;
  std::string facts;             // of what was unusable; as in SideFileInfo
  uint64_t recovered_bytes = 0;  // bytes that only the ring had
  uint64_t cut_bytes = 0;        // bytes, zeros too, of a torn end or a hole
  uint64_t lost_bytes = 0;       // of those acknowledged, by choice
  bool knows_lost = true;        // false: nobody can tell how many
  std::string kept_path;         // where the copy is, if one was kept
  std::string kept_log_path;     // kAccepted: that of the log as it was
  bool is_own = false;           // kBusy: it is this process that has the log
};

// What to do about a side file that is unusable.
enum class Unusable : uint8_t { kLeave, kAccept, kDiscard };

struct RecoveryOptions {
  // How long to wait for writes of a killed process that are still landing.
  uint32_t wait_ms = 10000;
  // Of the logs it knows; see uringfs/rocksdb_wal.h. With it a side file can be
  // proved to fit a log that was copied, and a log that the file system went
  // down over is cut behind its last whole record. Not owned; null: none.
  const LogFormat* format = nullptr;
  Unusable unusable = Unusable::kLeave;
};

// Moves what the ring of a dead owner holds into its log, cuts the log to its
// logical size, makes it durable and removes the side file. May be killed at
// any point and run again. The caller sees to it that nobody opens the log for
// write meanwhile.
//
// Errors: those of reading and writing the files (NoSpace and others); the side
// file stays then and nothing is lost. kUnusable is no error, see *report.
Status RecoverLog(const std::string& log_path, const RecoveryOptions& options,
                  RecoveryReport* report);

// The log at `log_path` is about to be deleted. If this process has written and
// closed it, and the disk was too full for what is in the ring, nobody needs
// that any more: the side file is removed, and *is_own says so. Else nothing is
// done. Errors: those of the calls.
Status DropOwnSideFile(const std::string& log_path, bool* is_own);

// The log at `log_path` was replaced by another file, or is about to be: the
// side file is removed, or gets another name if it may hold bytes that are
// nowhere else. Errors: those of the calls.
Status ClearSideFile(const std::string& log_path);

// Reads a log that this or another process has open, or was killed over, as
// its owner sees it: up to what was flushed last, and later flushes as they
// come. Never writes, and needs no permission to.
//
// THREADS: any number of threads at once.
class LogView {
 public:
  // `format` may be null; if not it outlives the view. A log that the file
  // system went down over ends where RecoverLog would cut it. Errors: those of
  // opening the log and of looking at its side file; IoError if that is
  // unusable.
  static Status Open(const std::string& log_path, const LogFormat* format,
                     std::unique_ptr<LogView>* view);
  ~LogView();
  LogView(const LogView&) = delete;
  LogView& operator=(const LogView&) = delete;

  // Logical size now. Errors: as Open.
  Status Size(uint64_t* bytes) const;

  // Reads up to `bytes` at `offset`; *got is less only at the logical end.
  // Errors: as Open.
  Status Read(uint64_t offset, size_t bytes, char* out, size_t* got) const;

 private:
  struct Body;
  explicit LogView(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace uringfs

#endif  // URINGFS_RECOVERY_H_
