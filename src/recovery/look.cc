// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/recovery/look.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "src/side/side_lock.h"

namespace uringfs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxLooks = 64;
// From there on somebody else is given time between two of them.
constexpr int kQuickLooks = 8;
// A recovery reads the log once, and writes a ring.
constexpr std::chrono::seconds kMaxRecovery(10);

bool IsLive(const Side& side) { return side.content == SideContent::kLive; }

enum class LookEnd : uint8_t {
  kSettled,
  kChanged,     // while it was looked at
  kRecovering,  // somebody is just deciding what it is worth
};

// Whether the side file is still what was seen. The owner of an idle one may
// cut the log, or remove both.
bool IsOfSameLife(const std::string& log_path, const SideLook& look) {
  const Side& side = look.side;
  SideWords words;
  if (IsLive(side)) {
    return ReadSideWords(side, &words);
  }
  if (side.content != SideContent::kIdle ||
      look.judgement.verdict != SideVerdict::kUnusable) {
    return true;
  }
  Side now;
  return LookAtSide(log_path, &now).ok() && now.content == SideContent::kIdle &&
         IsSameFile(now.stat, side.stat) &&
         now.header.generation == side.header.generation && now.has_log &&
         IsSameFile(now.log, side.log);
}

// Whether what is seen of a log that somebody has is that owner's. What is of
// another boot is either left over from there, or he is in a container that has
// a boot id of its own: then it adds up, unless he is just writing.
Status IsOfItsOwner(const std::string& log_path, const LogFormat* format,
                    const SideLook& look, bool* answer) {
  *answer = look.side.content != SideContent::kGarbled;
  if (!IsLive(look.side) || !IsOfOtherBoot(look.side.header)) {
    return Status::Ok();
  }
  SideFacts facts;
  Status status = GatherFacts(log_path, look.side, look.log, format, &facts);
  *answer = status.ok() && facts.is_its_log && facts.sum == Witness::kSame;
  return status;
}

// REQUIRES: the side file's lock is held, so that whoever has the log is no
// recovery.
Status JudgeUnlessOwned(const std::string& log_path, const LogFormat* format,
                        SideLook* look, bool* is_settled) {
  const bool has_lock = look->side.has_log && S_ISREG(look->side.log.st_mode) &&
                        look->side.content != SideContent::kMissing &&
                        look->side.content != SideContent::kLost;
  Status status;
  *is_settled = true;
  const int error = has_lock ? look->log.TryLock(LOCK_SH) : 0;
  if (error != 0 && error != EWOULDBLOCK) {
    return Status::FromErrno(error, "look at the lock of", log_path);
  }
  look->is_owned = error == EWOULDBLOCK;
  if (has_lock && !look->is_owned) {
    status = LookUnderLock(log_path, &look->side, is_settled);
  }
  if (status.ok() && *is_settled && !look->is_owned) {
    status = JudgeLook(log_path, format, look);
  }
  if (has_lock && !look->is_owned) {
    (void)look->log.TryLock(LOCK_UN);
  }
  // Asked for between two looks that saw the same life of the side file, so
  // the answer is about that life. A recovery beside us cuts the log.
  *is_settled = *is_settled && (!has_lock || IsOfSameLife(log_path, *look));
  if (status.ok() && *is_settled && look->is_owned) {
    status = IsOfItsOwner(log_path, format, *look, is_settled);
  }
  return status;
}

Status TryToLook(const std::string& log_path, const LogFormat* format,
                 SideLook* look, LookEnd* end) {
  *look = SideLook();
  bool is_settled = true;
  Status status = LookAtSideCalmly(log_path, &look->side);
  if (status.ok() && look->side.content != SideContent::kMissing) {
    status = OpenLogOf(log_path, look->side, &look->log, &is_settled);
  }
  SideLock lock;
  if (status.ok() && is_settled) {
    status = lock.TryShared(look->side);
    *end = lock.is_held() ? LookEnd::kSettled : LookEnd::kRecovering;
    if (!status.ok() || !lock.is_held()) {
      return status;
    }
    status = JudgeUnlessOwned(log_path, format, look, &is_settled);
    is_settled = is_settled && lock.IsOf(look->side);
  }
  *end = is_settled ? LookEnd::kSettled : LookEnd::kChanged;
  return status;
}

}  // namespace

Status OpenLogOf(const std::string& log_path, const Side& side, PosixFile* log,
                 bool* is_there) {
  *is_there = true;
  if (!side.has_log || !S_ISREG(side.log.st_mode)) {
    return Status::Ok();
  }
  struct stat stat = {};
  int error = log->Open(log_path, O_RDONLY | O_NOFOLLOW);
  if (error == 0) {
    error = log->Stat(&stat);
  }
  *is_there = error == 0 && IsSameFile(stat, side.log);
  return error == 0 || error == ENOENT || error == ELOOP
             ? Status::Ok()
             : Status::FromErrno(error, "open", log_path);
}

Status LookUnderLock(const std::string& log_path, Side* side, bool* is_same) {
  const struct stat locked = side->log;
  const bool had_log = side->has_log;
  Status status = LookAtSideCalmly(log_path, side);
  *is_same = !status.ok() || (side->has_log == had_log &&
                              (!had_log || IsSameFile(locked, side->log)));
  return status;
}

Status JudgeLook(const std::string& log_path, const LogFormat* format,
                 SideLook* look) {
  Status status =
      GatherFacts(log_path, look->side, look->log, format, &look->facts);
  if (!status.ok()) {
    return status;
  }
  look->judgement = Judge(look->facts);
  look->of_log = look->facts.of_log;
  look->has_records = look->facts.has_format;
  const bool needs_end = look->judgement.verdict == SideVerdict::kOlder &&
                         !IsLive(look->side) && look->side.has_log &&
                         format != nullptr && format->Knows(log_path) &&
                         S_ISREG(look->side.log.st_mode);
  if (needs_end) {
    // Of a side file whose words say nothing.
    status = format->FindEnd(look->log, log_path, UINT64_MAX, &look->of_log);
    look->has_records = look->of_log.kind != EndKind::kAlien;
  }
  return status;
}

bool SideLook::FindTear(const std::string& log_path, const LogFormat* format,
                        std::string* why_not) const {
  if (judgement.verdict != SideVerdict::kOlder || !side.has_log) {
    return false;
  }
  *why_not = of_log.reason;
  const bool is_odd = has_records && (of_log.kind == EndKind::kTorn ||
                                      of_log.kind == EndKind::kUnfinished);
  if (!is_odd || of_log.offset == static_cast<uint64_t>(side.log.st_size)) {
    return false;
  }
  if (!judgement.may_be_torn) {
    *why_not += ", and it is not the file that the side file was written for";
    return false;
  }
  std::string why;
  const bool is_tear = format->IsTear(log_path, of_log, &why);
  *why_not += is_tear ? "" : ", and " + why;
  return is_tear;
}

Status LookOnce(const std::string& log_path, const LogFormat* format,
                SideLook* look) {
  const auto deadline = Clock::now() + kMaxRecovery;
  LookEnd end = LookEnd::kChanged;
  for (int looks = 0; looks < kMaxLooks;) {
    Status status = TryToLook(log_path, format, look, &end);
    if (!status.ok() || end == LookEnd::kSettled) {
      return status;
    }
    if (end == LookEnd::kChanged && ++looks < kQuickLooks) {
      continue;
    }
    if (end == LookEnd::kChanged || Clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } else {
      return Status::FromErrno(
          EAGAIN, "look at a side file that another process recovers",
          SidePathOf(log_path));
    }
  }
  if (look->is_owned && look->side.content == SideContent::kGarbled) {
    return Status::IoError(SidePathOf(log_path) +
                           ": its log is open, and what its owner has flushed "
                           "cannot be read: " +
                           look->side.complaint);
  }
  return Status::FromErrno(
      EBUSY, "look at a side file that keeps changing (try again)",
      SidePathOf(log_path));
}

}  // namespace uringfs
