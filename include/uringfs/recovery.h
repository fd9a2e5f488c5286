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
// A side file that cannot be trusted (damaged, of another version, a link,
// somebody else's, not fitting its log) is refused: it changes nothing, stays
// where it is, and the file alone is the log, as if there were no side file.
//
// THREADS: functions: any, also at the same time and in several processes.

#ifndef URINGFS_RECOVERY_H_
#define URINGFS_RECOVERY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "uringfs/status.h"

namespace uringfs {

// "<log_path>.uringfs".
std::string SideFilePath(const std::string& log_path);
// Whether a path or name ends like a side file's.
bool IsSideFileName(const std::string& name);

enum class SideState : uint8_t {
  kNone,     // there is no side file
  kOwned,    // its owner holds the log: alive, or its last writes are landing
  kDead,     // its owner is gone: RecoverLog has work to do
  kIdle,     // it belongs to no log just now
  kStale,    // of another boot, or its log is gone: worthless
  kRefused,  // cannot be trusted
};
const char* ToString(SideState state);

struct SideFileInfo {
  std::string path;      // of the side file
  std::string log_path;  // of its log
  SideState state = SideState::kNone;
  std::string reason;  // why it is stale or refused
  // Meaningful for kOwned and kDead:
  uint32_t owner_pid = 0;
  bool owner_is_alive = false;
  uint64_t written = 0;    // the file has the stream below this offset
  uint64_t filled = 0;     // the logical size
  uint64_t log_bytes = 0;  // physical size of the log
  uint64_t ring_bytes = 0;
  // The ring has bytes that the file lacks, and the log has a successor; see
  // RecoveryOptions.
  bool is_superseded = false;
};

// Looks and changes nothing. Errors: those of reading the directory.
Status InspectLog(const std::string& log_path, SideFileInfo* info);
Status InspectDirectory(const std::string& directory,
                        std::vector<SideFileInfo>* infos);

enum class RecoveryOutcome : uint8_t {
  kNothing,    // no side file
  kRecovered,  // the log is whole, exact and durable; the side file is gone
  kRemoved,    // it was idle or stale: removed, the log is untouched
  kCut,        // it was of another boot: the log's torn end is cut off, durably
  kRefused,    // left alone, as is the log
  kBusy,       // somebody has held the log for longer than the wait
};
const char* ToString(RecoveryOutcome outcome);

struct RecoveryReport {
  std::string path;  // of the side file
  RecoveryOutcome outcome = RecoveryOutcome::kNothing;
  // One sentence for a person: what was done or why not.
  std::string message;
  uint64_t recovered_bytes = 0;  // bytes that only the ring had
  uint64_t cut_bytes = 0;        // bytes, zeros too, of a torn end
};

// Enough for all that LogOptions allows: several times flush_window_bytes, and
// max_extend_bytes.
inline constexpr uint64_t kUsualMaxTornBytes = uint64_t{96} << 20;

struct RecoveryOptions {
  // How long to wait for writes of a killed process that are still landing.
  uint32_t wait_ms = 10000;
  // Logs named by numbers, `NNNNNN.log`, follow one another: each is whole in
  // its file before the next one is made. If there is a next one though this
  // one's ring has bytes that the file lacks, somebody has gone on without
  // them, and to bring them back would put old records over newer ones: refuse.
  bool refuse_superseded = false;
  // The logs are RocksDB's WALs. If the machine went down over one, its last
  // records may be lost in part, and not the last ones first; RocksDB's readers
  // skip such a hole in silence. So the log is cut behind its last whole
  // record in front of the first that was never or only partly written, as a
  // file that grew in order would have ended. At most this many bytes in front
  // of the last one that is not zero: more than that cannot have been lost, so
  // it is damage and left to RocksDB to judge. 0: no log is looked into. Of
  // logs that are not named as RocksDB names them (`NNNNNN.log`) none is ever.
  uint64_t max_torn_bytes = 0;

  // What suits a database of RocksDB.
  static RecoveryOptions OfRocksDb() {
    RecoveryOptions options;
    options.refuse_superseded = true;
    options.max_torn_bytes = kUsualMaxTornBytes;
    return options;
  }
};

// Moves what the ring of a dead owner holds into its log, cuts the log to its
// logical size, makes it durable and removes the side file. May be killed at
// any point and run again. The caller sees to it that nobody opens the log for
// write meanwhile.
//
// Errors: those of writing the log (NoSpace and others); the side file stays
// then and nothing is lost. Refusal is not an error, see *report.
Status RecoverLog(const std::string& log_path, const RecoveryOptions& options,
                  RecoveryReport* report);

// The same for every side file in a directory; goes on behind a failure and
// returns the first. Reports of side files that are there only.
Status RecoverDirectory(const std::string& directory,
                        const RecoveryOptions& options,
                        std::vector<RecoveryReport>* reports);

// Reads a log that this or another process has open, or was killed over, as
// its owner sees it: up to what was flushed last, and later flushes as they
// come. Never writes, and needs no permission to.
//
// THREADS: any number of threads at once.
class LogView {
 public:
  // Errors: those of opening the log itself. A log without a (trusted) side
  // file is read as it is. With max_torn_bytes (see RecoveryOptions) a log that
  // the machine went down over ends where RecoverLog would cut it.
  static Status Open(const std::string& log_path,
                     std::unique_ptr<LogView>* view,
                     uint64_t max_torn_bytes = 0);
  ~LogView();
  LogView(const LogView&) = delete;
  LogView& operator=(const LogView&) = delete;

  // Logical size now.
  Status Size(uint64_t* bytes) const;

  // Reads up to `bytes` at `offset`; *got is less only at the logical end.
  Status Read(uint64_t offset, size_t bytes, char* out, size_t* got) const;

 private:
  struct Body;
  explicit LogView(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace uringfs

#endif  // URINGFS_RECOVERY_H_
