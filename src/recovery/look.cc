// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/recovery/look.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

namespace uringfs {
namespace {

constexpr int kMaxLooks = 8;

bool IsLive(const Side& side) { return side.content == SideContent::kLive; }

// False: things changed while they were looked at.
Status TryToLook(const std::string& log_path, const LogFormat* format,
                 SideLook* look, bool* is_settled) {
  *look = SideLook();
  *is_settled = true;
  Status status = LookAtSideCalmly(log_path, &look->side);
  if (status.ok() && look->side.content != SideContent::kMissing) {
    status = OpenLogOf(log_path, look->side, &look->log, is_settled);
  }
  if (!status.ok() || !*is_settled) {
    return status;
  }
  const bool has_lock = look->side.has_log && S_ISREG(look->side.log.st_mode) &&
                        look->side.content != SideContent::kMissing;
  const int error = has_lock ? look->log.TryLock(LOCK_SH) : 0;
  if (error != 0 && error != EWOULDBLOCK) {
    return Status::FromErrno(error, "look at the lock of", log_path);
  }
  look->is_owned = error == EWOULDBLOCK;
  if (has_lock && !look->is_owned) {
    // What was seen in front of the lock may be older than the owner's death.
    const struct stat locked = look->side.log;
    status = LookAtSideCalmly(log_path, &look->side);
    *is_settled = look->side.has_log && IsSameFile(locked, look->side.log);
  }
  if (status.ok() && *is_settled && !look->is_owned) {
    status = JudgeLook(log_path, format, look);
  }
  if (has_lock && !look->is_owned) {
    (void)look->log.TryLock(LOCK_UN);
  }
  // Asked for between two looks that saw the same life of the side file, so
  // the answer is about that life. A recovery beside us cuts the log.
  SideWords words;
  *is_settled = *is_settled && (!has_lock || !IsLive(look->side) ||
                                ReadSideWords(look->side, &words));
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

Status JudgeLook(const std::string& log_path, const LogFormat* format,
                 SideLook* look) {
  SideFacts facts;
  Status status = GatherFacts(log_path, look->side, look->log, format, &facts);
  if (!status.ok()) {
    return status;
  }
  look->judgement = Judge(facts);
  look->of_log = facts.of_log;
  look->has_records = facts.has_format;
  const bool needs_end = look->judgement.verdict == SideVerdict::kOlder &&
                         !IsLive(look->side) && look->side.has_log &&
                         format != nullptr && format->Knows(log_path) &&
                         S_ISREG(look->side.log.st_mode);
  if (needs_end) {
    // Of a side file whose words say nothing.
    status = format->FindEnd(look->log, log_path, &look->of_log);
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
  for (int looks = 0; looks < kMaxLooks; ++looks) {
    bool is_settled = false;
    Status status = TryToLook(log_path, format, look, &is_settled);
    if (is_settled) {
      return status;
    }
  }
  return Status::FromErrno(
      EBUSY, "look at a side file that keeps changing (try again)",
      SidePathOf(log_path));
}

}  // namespace uringfs
