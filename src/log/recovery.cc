// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The fence: a live owner holds an exclusive flock on its descriptor of the
// log, and requests in flight keep that descriptor when the process is killed.
// So everything is decided and done under that lock: who has it knows that no
// write of the owner can land any more.
//
// Every step may be the last one before a kill: the ring's bytes are copied to
// where they belong, the file is cut to where it ends, and only when all that
// is durable the side file goes. Until then a second run finds the same words
// and does the same again.

#include "uringfs/recovery.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "src/log/posix_file.h"
#include "src/log/side_reader.h"
#include "src/log/wal_records.h"

namespace uringfs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kCopyBytes = size_t{256} * 1024;
constexpr int kMaxLooks = 8;

const char* const kSuperseded =
    "the database was opened without uringfs since its process was killed, and "
    "has gone on without the last writes that are in this side file; they "
    "would overwrite newer ones, so they stay out. Remove the side file";

Status CopyRing(const std::string& log_path, const PosixFile& log,
                const Side& side) {
  std::vector<char> piece(kCopyBytes);
  const uint64_t end = side.words.filled;
  for (uint64_t at = side.words.written; at < end; at += kCopyBytes) {
    const auto bytes =
        static_cast<size_t>(std::min<uint64_t>(kCopyBytes, end - at));
    int error = ReadSideRing(side, at, bytes, piece.data());
    if (error != 0) {
      return Status::FromErrno(error, "read the side file", side.path);
    }
    error = log.WriteAt(at, piece.data(), bytes);
    if (error != 0) {
      return Status::FromErrno(error, "recover: write", log_path);
    }
  }
  return Status::Ok();
}

// REQUIRES: the log is locked, and the side file was judged since.
Status MakeWhole(const std::string& log_path, const PosixFile& log,
                 const Side& side) {
  Status status = CopyRing(log_path, log, side);
  if (!status.ok()) {
    return status;
  }
  int error = log.Truncate(side.words.filled);
  if (error != 0) {
    return Status::FromErrno(error, "recover: cut to size", log_path);
  }
  error = log.Sync();
  if (error != 0) {
    return Status::FromErrno(error, "recover: fsync", log_path);
  }
  return RemoveSide(side);
}

// 0, EWOULDBLOCK after the deadline, or another errno.
int LockBefore(Clock::time_point deadline, const PosixFile& log) {
  std::chrono::milliseconds pause(1);
  for (;;) {
    const int error = log.TryLock(LOCK_EX);
    const auto now = Clock::now();
    if (error != EWOULDBLOCK || now >= deadline) {
      return error;
    }
    std::this_thread::sleep_for(
        std::min<Clock::duration>(pause, deadline - now));
    pause = std::min(pause * 2, std::chrono::milliseconds(10));
  }
}

// One call of RecoverLog.
class Recovery {
 public:
  Recovery(std::string log_path, const RecoveryOptions& options,
           RecoveryReport* report)
      : log_path_(std::move(log_path)),
        deadline_(Clock::now() + std::chrono::milliseconds(options.wait_ms)),
        refuse_superseded_(options.refuse_superseded),
        max_torn_bytes_(LogNumberOf(log_path_) > 0 ? options.max_torn_bytes
                                                   : 0),
        report_(report) {
    report_->path = SidePathOf(log_path_);
  }

  Status Run();

 private:
  // These set *is_done, or the log was replaced meanwhile.
  Status Try(bool* is_done);
  Status Act(const PosixFile& log, bool* is_done);
  // Gets the lock, or reports that there is none to be had.
  Status Fence(const Side& side, PosixFile* log, bool* has_lock, bool* is_done);

  Status CutTorn(const PosixFile& log, const Side& side);
  Status Remove(const Side& side, const std::string& why);
  Status Report(RecoveryOutcome outcome, const std::string& message);
  Status ReportRecovered(const Side& side);
  Status ReportBusy(const Side& side);

  const std::string log_path_;
  const Clock::time_point deadline_;
  const bool refuse_superseded_;
  const uint64_t max_torn_bytes_;
  RecoveryReport* const report_;
};

Status Recovery::Run() {
  for (int looks = 0; looks < kMaxLooks; ++looks) {
    bool is_done = false;
    Status status = Try(&is_done);
    if (!status.ok() || is_done) {
      return status;
    }
  }
  return Status::FromErrno(EBUSY, "recover a log that keeps being replaced",
                           log_path_);
}

Status Recovery::Try(bool* is_done) {
  Side side;
  Status status = LookAtSideCalmly(log_path_, &side);
  if (!status.ok()) {
    return status;
  }
  *is_done = true;
  if (side.verdict == SideVerdict::kNone) {
    return Report(RecoveryOutcome::kNothing, "there is no side file");
  }
  if (side.verdict == SideVerdict::kRefused) {
    return Report(RecoveryOutcome::kRefused, side.reason);
  }
  // Of no log that is there, so there is no lock to ask for.
  const bool may_be_cut = side.may_be_torn && max_torn_bytes_ > 0;
  if ((side.verdict == SideVerdict::kStale && !may_be_cut) || !side.has_log) {
    return Remove(side, side.reason);
  }
  PosixFile log;
  bool has_lock = false;
  status = Fence(side, &log, &has_lock, is_done);
  return has_lock ? Act(log, is_done) : status;
}

Status Recovery::Fence(const Side& side, PosixFile* log, bool* has_lock,
                       bool* is_done) {
  int error = log->Open(log_path_, O_RDWR | O_NOFOLLOW);
  *is_done = error != ENOENT;
  if (error == ENOENT) {
    return Status::Ok();
  }
  if (error != 0) {
    return Status::FromErrno(error, "recover: open", log_path_);
  }
  error = LockBefore(deadline_, *log);
  *has_lock = error == 0;
  if (error == EWOULDBLOCK) {
    return ReportBusy(side);
  }
  return error == 0 ? Status::Ok()
                    : Status::FromErrno(error, "recover: lock", log_path_);
}

// The lock is ours. What was seen without it may have changed.
Status Recovery::Act(const PosixFile& log, bool* is_done) {
  Side side;
  Status status = LookAtSideCalmly(log_path_, &side);
  struct stat locked = {};
  const int error = log.Stat(&locked);
  if (status.ok() && error != 0) {
    status = Status::FromErrno(error, "recover: fstat", log_path_);
  }
  *is_done = side.has_log && IsSameFile(locked, side.log);
  if (status.ok() && *is_done && side.verdict == SideVerdict::kLive) {
    status = CompareLog(log, &side);
  }
  if (!status.ok() || !*is_done) {
    return status;
  }
  switch (side.verdict) {
    case SideVerdict::kNone:
      return Report(RecoveryOutcome::kNothing,
                    "its owner has closed the log meanwhile");
    case SideVerdict::kRefused:
      return Report(RecoveryOutcome::kRefused, side.reason);
    case SideVerdict::kStale:
      return side.may_be_torn ? CutTorn(log, side) : Remove(side, side.reason);
    case SideVerdict::kIdle:
      return Remove(side, side.reason);
    case SideVerdict::kLive:
      break;
  }
  if (refuse_superseded_ && IsSuperseded(log_path_, side)) {
    return Report(RecoveryOutcome::kRefused, kSuperseded);
  }
  status = MakeWhole(log_path_, log, side);
  return status.ok() ? ReportRecovered(side) : status;
}

// REQUIRES: the log is locked.
Status Recovery::CutTorn(const PosixFile& log, const Side& side) {
  WalEnd end;
  Status status = FindTornEnd(log, log_path_, max_torn_bytes_, &end);
  if (!status.ok()) {
    return status;
  }
  const auto bytes = static_cast<uint64_t>(side.log.st_size);
  if (end.kind == WalEndKind::kDamaged) {
    return Remove(side, side.reason + "; the log is left as it is for its " +
                            "reader to judge: " + end.reason);
  }
  if (end.kind == WalEndKind::kClean || end.offset == bytes) {
    return Remove(side, side.reason);
  }
  int error = log.Truncate(end.offset);
  if (error == 0) {
    error = log.Sync();
  }
  if (error != 0) {
    return Status::FromErrno(error, "cut the torn end", log_path_);
  }
  status = RemoveSide(side);
  report_->cut_bytes = bytes - end.offset;
  return !status.ok()
             ? status
             : Report(RecoveryOutcome::kCut,
                      "the machine went down while the log was written: it is "
                      "cut behind its last whole record, from " +
                          std::to_string(bytes) + " to " +
                          std::to_string(end.offset) +
                          " bytes, because: " + end.reason);
}

Status Recovery::Remove(const Side& side, const std::string& why) {
  Status status = RemoveSide(side);
  return status.ok() ? Report(RecoveryOutcome::kRemoved, "removed: " + why)
                     : status;
}

Status Recovery::Report(RecoveryOutcome outcome, const std::string& message) {
  report_->outcome = outcome;
  report_->message = report_->path + ": " + message;
  return Status::Ok();
}

Status Recovery::ReportRecovered(const Side& side) {
  const SideWords& words = side.words;
  report_->recovered_bytes =
      words.filled > words.written ? words.filled - words.written : 0;
  return Report(RecoveryOutcome::kRecovered,
                "moved " + std::to_string(report_->recovered_bytes) +
                    " bytes into the log, which has " +
                    std::to_string(words.filled) + " bytes now");
}

Status Recovery::ReportBusy(const Side& side) {
  if (side.verdict != SideVerdict::kLive) {
    return Report(RecoveryOutcome::kBusy,
                  "some process has the log open for write; close it there");
  }
  const std::string pid = std::to_string(side.header.owner_pid);
  return Report(RecoveryOutcome::kBusy,
                IsOwnerAlive(side.header)
                    ? "process " + pid + " has the log open; close it there"
                    : "its owner, process " + pid +
                          ", is gone but something still holds the log: its "
                          "last writes are landing or a child has inherited "
                          "it; try again later");
}

}  // namespace

Status RecoverLog(const std::string& log_path, const RecoveryOptions& options,
                  RecoveryReport* report) {
  *report = RecoveryReport();
  Status status = Recovery(log_path, options, report).Run();
  if (!status.ok()) {
    report->message = status.ToString();
  }
  return status;
}

}  // namespace uringfs
