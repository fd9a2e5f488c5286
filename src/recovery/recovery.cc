// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The fence: a live owner holds an exclusive flock on its descriptor of the
// log, and requests in flight keep that descriptor when the process is killed.
// So everything is decided and done under that lock: who has it knows that no
// write of the owner can land any more.
//
// What is judged is looked at through a descriptor for reading, and opened for
// writing only when it is decided: on an overlay that makes another file of it.
//
// Every step may be the last one before a kill: the ring's bytes are copied to
// where they belong, the file is cut to where it ends, and only when all that
// is durable the side file goes. Until then a second run finds the same words
// and does the same again.

#include "uringfs/recovery.h"

#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "src/recovery/look.h"
#include "src/recovery/write_log.h"
#include "src/side/side_lock.h"

namespace uringfs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kCopyBytes = size_t{256} * 1024;
constexpr int kMaxLooks = 8;

// Whether anything but zeros is behind the first page.
Status HasBytesInRing(const Side& side, bool* has_bytes) {
  *has_bytes = false;
  std::vector<char> piece(kCopyBytes);
  const auto end = static_cast<uint64_t>(side.stat.st_size);
  for (uint64_t at = kSideRingOffset; at < end && !*has_bytes;
       at += kCopyBytes) {
    size_t got = 0;
    const int error = side.file.ReadAt(at, kCopyBytes, piece.data(), &got);
    if (error != 0) {
      return Status::FromErrno(error, "read the side file", side.path);
    }
    *has_bytes = std::any_of(piece.data(), piece.data() + got,
                             [](char byte) { return byte != 0; });
  }
  return Status::Ok();
}

// Whether a side file that the log does without has bytes that are not ours to
// destroy.
Status IsNowhereElse(const SideLook& look, bool* answer) {
  const Side& side = look.side;
  const Judgement& judgement = look.judgement;
  *answer = false;
  switch (side.content) {
    case SideContent::kGarbled:
      *answer = true;
      return Status::Ok();
    case SideContent::kBlank:
    case SideContent::kTornHeader:
      // Without a first page nobody can tell what the rest was: a file system
      // that went down leaves that, and a damage too.
      return HasBytesInRing(side, answer);
    case SideContent::kLive:
      break;
    default:
      return Status::Ok();
  }
  switch (judgement.verdict) {
    case SideVerdict::kOlder:
      *answer = judgement.at_stake > 0;
      break;
    case SideVerdict::kWhole:
      *answer = judgement.end < side.words.filled;
      break;
    default:
      *answer = !side.has_log && side.stat.st_nlink == 1 &&
                side.words.filled > side.words.written;
      break;
  }
  return Status::Ok();
}

// The side file's lock, and then that of the log, if it has one to lock.
Status TryLocks(const std::string& log_path, const SideLook& look,
                bool has_log_lock, SideLock* side_lock, bool* are_held) {
  *are_held = false;
  Status status = side_lock->TryAlone(look.side);
  if (!status.ok() || !side_lock->is_held()) {
    return status;
  }
  const int error = has_log_lock ? look.log.TryLock(LOCK_EX) : 0;
  *are_held = error == 0;
  if (!*are_held) {
    // Others may look while its owner lives.
    side_lock->Release();
  }
  return error == 0 || error == EWOULDBLOCK
             ? Status::Ok()
             : Status::FromErrno(error, "recover: lock", log_path);
}

// While an owner lives, whoever looks is not to wait for us.
bool IsOwned(const SideLook& look, bool has_log_lock) {
  const bool is_owned =
      has_log_lock && look.log.TryLock(LOCK_SH) == EWOULDBLOCK;
  if (has_log_lock && !is_owned) {
    (void)look.log.TryLock(LOCK_UN);
  }
  return is_owned;
}

// *are_held is false after the deadline.
Status LockBefore(Clock::time_point deadline, const std::string& log_path,
                  const SideLook& look, bool has_log_lock, SideLock* side_lock,
                  bool* are_held) {
  std::chrono::milliseconds pause(1);
  bool has_notice = false;
  for (;;) {
    Status status = TryLocks(log_path, look, has_log_lock, side_lock, are_held);
    const auto now = Clock::now();
    if (!status.ok() || *are_held || now >= deadline) {
      return status;
    }
    if (!has_notice && !IsOwned(look, has_log_lock)) {
      side_lock->PostNotice(look.side);
      has_notice = true;
    }
    std::this_thread::sleep_for(
        std::min<Clock::duration>(pause, deadline - now));
    pause = std::min(pause * 2, std::chrono::milliseconds(10));
  }
}

// A handle that was leaked, or one of another copy of this library. A process
// cannot wait for itself. (What it was before it called exec is somebody else.)
bool IsOwn(const Side& side) {
  return side.has_header &&
         side.header.owner_pid == static_cast<uint32_t>(::getpid()) &&
         IsOwnerAlive(side.header);
}

std::string WordsOfKept(const RecoveryReport& report) {
  std::string kept;
  for (const std::string& path : {report.kept_path, report.kept_log_path}) {
    kept += path.empty() ? "" : " (kept as " + path + ")";
  }
  return kept;
}

// One call of RecoverLog.
class Recovery {
 public:
  Recovery(std::string log_path, const RecoveryOptions& options,
           RecoveryReport* report)
      : log_path_(std::move(log_path)),
        deadline_(Clock::now() + std::chrono::milliseconds(options.wait_ms)),
        options_(options),
        report_(report) {
    report_->path = SidePathOf(log_path_);
  }

  Status Run();

 private:
  // *is_done is false if the log was replaced meanwhile.
  Status Try(bool* is_done);
  // Gets the locks, or reports that there are none to be had.
  Status Fence(const SideLook& look, SideLock* lock, bool* is_fenced);
  Status Act(const SideLook& look);
  Status MakeWhole(const SideLook& look);
  // What is in the file and in the ring up to `end`, and nothing else. What the
  // owner had not seen written is written anew, from the ring if the log lacks
  // something, else from the log itself, since the ring need not have it any
  // more: an earlier recovery may have written it, and its fsync failed, after
  // which the kernel takes for written what is not.
  Status WriteUpTo(const SideLook& look, uint64_t end);
  Status CutTorn(const SideLook& look);
  Status Remove(const SideLook& look);
  // Of one that nobody needs any more. What is nowhere else is kept.
  Status Drop(const SideLook& look);
  Status Choose(const SideLook& look);
  // Moves what fits into the log, or makes durable what is there already: an
  // earlier run may have moved it, and its fsync failed.
  Status Accept(const SideLook& look);
  // Where the log is to end, and whether that cuts more than zeros off. What is
  // behind the ring's bytes stays, but nothing behind a hole: RocksDB would
  // pass over that.
  Status FindAcceptedEnd(const SideLook& look, const PosixFile& log,
                         uint64_t* log_end, bool* cuts_bytes) const;
  std::string WaysBack(const Judgement& judgement) const;
  Status Report(RecoveryOutcome outcome, const std::string& message);
  Status ReportBusy(const Side& side);

  const std::string log_path_;
  const Clock::time_point deadline_;
  const RecoveryOptions options_;
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
  *is_done = true;
  SideLook look;
  Status status = LookAtSide(log_path_, &look.side);
  if (status.ok() && look.side.content == SideContent::kMissing) {
    return Report(RecoveryOutcome::kNothing, "there is no side file");
  }
  if (status.ok()) {
    status = OpenLogOf(log_path_, look.side, &look.log, is_done);
  }
  if (!status.ok() || !*is_done) {
    return status;
  }
  SideLock lock;
  bool is_fenced = false;
  status = Fence(look, &lock, &is_fenced);
  if (!status.ok() || !is_fenced) {
    return status;
  }
  status = LookUnderLock(log_path_, &look.side, is_done);
  *is_done = *is_done && (!status.ok() || lock.IsOf(look.side));
  if (status.ok() && *is_done) {
    status = JudgeLook(log_path_, options_.format, &look);
  }
  return status.ok() && *is_done ? Act(look) : status;
}

Status Recovery::Fence(const SideLook& look, SideLock* lock, bool* is_fenced) {
  const bool has_log_lock = look.side.has_log && S_ISREG(look.side.log.st_mode);
  Status status = LockBefore(IsOwn(look.side) ? Clock::now() : deadline_,
                             log_path_, look, has_log_lock, lock, is_fenced);
  return status.ok() && !*is_fenced ? ReportBusy(look.side) : status;
}

Status Recovery::Act(const SideLook& look) {
  switch (look.judgement.verdict) {
    case SideVerdict::kNone:
      return Report(RecoveryOutcome::kNothing,
                    "its owner has closed the log meanwhile");
    case SideVerdict::kIdle:
    case SideVerdict::kForeign:
      return Remove(look);
    case SideVerdict::kWhole:
      return MakeWhole(look);
    case SideVerdict::kOlder:
      return CutTorn(look);
    case SideVerdict::kUnusable:
      break;
  }
  return Choose(look);
}

Status Recovery::WriteUpTo(const SideLook& look, uint64_t end) {
  PosixFile log;
  Status status = OpenToWrite(log_path_, &log);
  if (status.ok()) {
    status = WriteFrom(log_path_, look, look.judgement.at_stake > 0,
                       std::min(look.side.words.filled, end), log);
  }
  return status.ok() ? CutDurably(log_path_, log, end) : status;
}

Status Recovery::MakeWhole(const SideLook& look) {
  Status status = WriteUpTo(look, look.judgement.end);
  if (status.ok()) {
    status = Drop(look);
  }
  if (!status.ok()) {
    return status;
  }
  report_->recovered_bytes = look.judgement.at_stake;
  return Report(RecoveryOutcome::kRecovered,
                "moved " + std::to_string(report_->recovered_bytes) +
                    " bytes into the log, which has " +
                    std::to_string(look.judgement.end) + " bytes now" +
                    WordsOfKept(*report_));
}

Status Recovery::Drop(const SideLook& look) {
  bool is_wanted = false;
  Status status = IsNowhereElse(look, &is_wanted);
  if (!status.ok()) {
    return status;
  }
  return is_wanted ? SetSideAside(look.side, &report_->kept_path)
                   : RemoveSide(look.side);
}

Status Recovery::CutTorn(const SideLook& look) {
  const RecordsEnd& end = look.of_log;
  std::string why_not;
  if (!look.FindTear(log_path_, options_.format, &why_not)) {
    Status status = Drop(look);
    return !status.ok()
               ? status
               : Report(RecoveryOutcome::kRemoved,
                        look.judgement.reason +
                            (why_not.empty() ? ""
                                             : "; the log is left as it is for "
                                               "its reader to judge: " +
                                                   why_not) +
                            WordsOfKept(*report_));
  }
  const auto bytes = static_cast<uint64_t>(look.side.log.st_size);
  PosixFile log;
  Status status = OpenToWrite(log_path_, &log);
  if (status.ok()) {
    status = CutDurably(log_path_, log, end.offset);
  }
  if (status.ok()) {
    status = Drop(look);
  }
  if (!status.ok()) {
    return status;
  }
  report_->cut_bytes = bytes - end.offset;
  return Report(RecoveryOutcome::kCut,
                look.judgement.reason +
                    "; the log is cut behind its last whole record, from " +
                    std::to_string(bytes) + " to " +
                    std::to_string(end.offset) +
                    " bytes, because: " + end.reason + WordsOfKept(*report_));
}

Status Recovery::Remove(const SideLook& look) {
  const Side& side = look.side;
  const bool is_live = side.content == SideContent::kLive;
  if (look.judgement.verdict == SideVerdict::kForeign && !is_live) {
    return Report(RecoveryOutcome::kNothing,
                  "left alone: " + look.judgement.reason);
  }
  Status status = Drop(look);
  return status.ok() ? Report(RecoveryOutcome::kRemoved,
                              look.judgement.reason + WordsOfKept(*report_))
                     : status;
}

// Somebody has chosen, or has to.
Status Recovery::Choose(const SideLook& look) {
  const Judgement& judgement = look.judgement;
  report_->facts = ToText(look.facts);
  report_->lost_bytes = judgement.at_stake;
  if (options_.unusable == Unusable::kLeave) {
    report_->outcome = RecoveryOutcome::kUnusable;
    report_->message = UnusableMessage(log_path_, judgement);
    return Status::Ok();
  }
  const bool accepts = options_.unusable == Unusable::kAccept;
  const bool moves = accepts && !judgement.is_parted && look.side.has_log &&
                     look.side.content == SideContent::kLive;
  report_->knows_lost = moves ? judgement.knows_rest : judgement.knows_stake;
  Status status = moves ? Accept(look) : Status::Ok();
  if (status.ok()) {
    status = SetChosenAside(look.side, &report_->kept_path);
  }
  if (!status.ok()) {
    return status;
  }
  return Report(
      accepts ? RecoveryOutcome::kAccepted : RecoveryOutcome::kDiscarded,
      "by choice, " + std::to_string(report_->recovered_bytes) +
          " bytes were moved into the log, and " +
          (report_->knows_lost ? std::to_string(report_->lost_bytes)
                               : "an unknown number of") +
          " acknowledged bytes are not in it" +
          (report_->cut_bytes > 0
               ? "; " + std::to_string(report_->cut_bytes) +
                     " bytes of the log behind a hole were cut off"
               : "") +
          ". What it was refused for: " + judgement.reason +
          WaysBack(judgement));
}

std::string Recovery::WaysBack(const Judgement& judgement) const {
  if (report_->kept_path.empty()) {
    return "";
  }
  if (judgement.is_parted) {
    return ". What was in the place of its side file, and may be another "
           "log's, is kept as " +
           report_->kept_path;
  }
  return ". The side file is kept as " + report_->kept_path +
         (report_->kept_log_path.empty()
              ? "; give it its name back"
              : ", the log as it was as " + report_->kept_log_path +
                    "; give both their names back") +
         " to choose again, before the database is opened";
}

Status Recovery::Accept(const SideLook& look) {
  const Judgement& judgement = look.judgement;
  const bool has_more = judgement.acceptable > 0;
  PosixFile log;
  Status status = OpenToWrite(log_path_, &log);
  if (status.ok() && has_more) {
    status = KeepLog(log_path_, look, &report_->kept_log_path);
  }
  if (status.ok()) {
    status = WriteFrom(log_path_, look, has_more, judgement.end, log);
  }
  uint64_t log_end = 0;
  bool cuts_bytes = false;
  if (status.ok()) {
    status = FindAcceptedEnd(look, log, &log_end, &cuts_bytes);
  }
  if (status.ok() && cuts_bytes && !has_more) {
    status = KeepLog(log_path_, look, &report_->kept_log_path);
  }
  if (status.ok()) {
    status = CutDurably(log_path_, log, log_end);
  }
  if (status.ok()) {
    report_->cut_bytes =
        cuts_bytes ? static_cast<uint64_t>(look.side.log.st_size) - log_end : 0;
    report_->recovered_bytes = judgement.acceptable;
    report_->lost_bytes -=
        std::min(report_->lost_bytes, report_->recovered_bytes);
  }
  return status;
}

Status Recovery::FindAcceptedEnd(const SideLook& look, const PosixFile& log,
                                 uint64_t* log_end, bool* cuts_bytes) const {
  const uint64_t end = look.judgement.end;
  const bool has_more = look.judgement.acceptable > 0;
  *log_end = has_more ? end
                      : std::max<uint64_t>(
                            end, static_cast<uint64_t>(look.side.log.st_size));
  if (!look.has_records) {
    return Status::Ok();
  }
  RecordsEnd now;
  Status status = options_.format->FindEnd(log, log_path_, UINT64_MAX, &now);
  const bool has_hole = now.kind == EndKind::kTorn;
  // A hole in front of what is asked for is none of ours.
  const SideWords& words = look.side.words;
  const bool is_ours =
      has_more || now.offset >= std::min(words.written, words.filled);
  *cuts_bytes = has_hole && is_ours && now.data_end > std::max(end, now.offset);
  if (has_more || *cuts_bytes) {
    *log_end = std::max({end, now.offset, has_hole ? 0 : now.data_end});
  }
  return status;
}

Status Recovery::Report(RecoveryOutcome outcome, const std::string& message) {
  report_->outcome = outcome;
  report_->message = report_->path + ": " + message;
  return Status::Ok();
}

Status Recovery::ReportBusy(const Side& side) {
  report_->is_own = IsOwn(side);
  if (!side.has_header) {
    return Report(RecoveryOutcome::kBusy,
                  "some process has the log open for write; close it there");
  }
  const std::string pid = std::to_string(side.header.owner_pid);
  return Report(RecoveryOutcome::kBusy,
                IsOwnerAlive(side.header)
                    ? "process " + pid + " has the log open; close it there"
                    : "its owner, process " + pid +
                          ", is gone but something still holds the log: its "
                          "last writes are landing, a child has inherited "
                          "it, or others keep looking at its side file; try "
                          "again later");
}

}  // namespace

Status DropOwnSideFile(const std::string& log_path, bool* is_own) {
  SideLook look;
  *is_own = false;
  Status status = LookAtSide(log_path, &look.side);
  bool is_there = false;
  if (status.ok()) {
    status = OpenLogOf(log_path, look.side, &look.log, &is_there);
  }
  const Side& side = look.side;
  if (!status.ok() || !is_there || !side.has_log || !IsOwn(side) ||
      side.content != SideContent::kLive ||
      side.header.log_inode != side.log.st_ino) {
    return status;
  }
  // Else another copy of this library has it open.
  *is_own = look.log.TryLock(LOCK_EX) == 0;
  return *is_own ? RemoveSide(side) : status;
}

Status RecoverLog(const std::string& log_path, const RecoveryOptions& options,
                  RecoveryReport* report) {
  *report = RecoveryReport();
  Status status = Recovery(log_path, options, report).Run();
  if (!status.ok()) {
    report->message = status.ToString() + WordsOfKept(*report);
  }
  return status;
}

}  // namespace uringfs
