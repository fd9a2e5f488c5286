// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "src/log/posix_file.h"
#include "src/log/side_reader.h"

#include "uringfs/recovery.h"

namespace uringfs {
namespace {

constexpr int kMaxLooks = 8;

// Whether somebody holds the log's lock. Takes it for a moment itself, shared.
// Returns 0, EWOULDBLOCK, or the errno of looking; ENOENT if it is another
// file by now.
int ProbeLock(const std::string& log_path, const Side& side, PosixFile* log) {
  int error = log->Open(log_path, O_RDONLY | O_NOFOLLOW);
  struct stat stat = {};
  if (error == 0) {
    error = log->Stat(&stat);
  }
  if (error != 0 || !IsSameFile(stat, side.log)) {
    return error != 0 ? error : ENOENT;
  }
  error = log->TryLock(LOCK_SH);
  if (error == 0) {
    (void)log->TryLock(LOCK_UN);
  }
  return error;
}

SideState StateOf(SideVerdict verdict) {
  switch (verdict) {
    case SideVerdict::kNone:
      return SideState::kNone;
    case SideVerdict::kIdle:
      return SideState::kIdle;
    case SideVerdict::kLive:
      return SideState::kDead;
    case SideVerdict::kStale:
      return SideState::kStale;
    case SideVerdict::kRefused:
      break;
  }
  return SideState::kRefused;
}

// False: things changed while they were looked at.
bool InspectOnce(const std::string& log_path, Side* side, Status* status,
                 SideState* state) {
  *status = LookAtSideCalmly(log_path, side);
  *state = StateOf(side->verdict);
  if (!status->ok() || side->verdict != SideVerdict::kLive) {
    return true;
  }
  PosixFile log;
  const int error = ProbeLock(log_path, *side, &log);
  // Asked for between two looks that saw the same life of the side file, so
  // the answer is about that life.
  SideWords words;
  if (error == ENOENT || !ReadSideWords(*side, &words)) {
    return false;
  }
  if (error == EWOULDBLOCK) {
    *state = SideState::kOwned;
    return true;
  }
  *status = error == 0
                ? CompareLog(log, side)
                : Status::FromErrno(error, "look at the lock of", log_path);
  *state = StateOf(side->verdict);
  // A recovery beside us cuts the log.
  return *state != SideState::kRefused || ReadSideWords(*side, &words);
}

void Describe(SideState state, const Side& side, SideFileInfo* info) {
  info->state = state;
  if (state == SideState::kStale || state == SideState::kRefused) {
    info->reason = side.reason;
  }
  info->log_bytes = side.has_log ? static_cast<uint64_t>(side.log.st_size) : 0;
  if (state != SideState::kOwned && state != SideState::kDead) {
    return;
  }
  info->owner_pid = side.header.owner_pid;
  info->owner_is_alive = IsOwnerAlive(side.header);
  info->written = side.words.written;
  info->filled = side.words.filled;
  info->ring_bytes = SideRingBytes(side.header);
  info->is_superseded = IsSuperseded(info->log_path, side);
}

}  // namespace

Status InspectLog(const std::string& log_path, SideFileInfo* info) {
  *info = SideFileInfo();
  info->path = SidePathOf(log_path);
  info->log_path = log_path;
  Side side;
  Status status;
  SideState state = SideState::kRefused;
  bool is_settled = false;
  for (int looks = 0; looks < kMaxLooks && !is_settled; ++looks) {
    is_settled = InspectOnce(log_path, &side, &status, &state);
  }
  if (!is_settled) {
    side.reason = "it keeps changing while it is looked at; try again";
  }
  // One that cannot be looked at must not keep anybody from seeing the others.
  if (!status.ok()) {
    side.reason = status.ToString();
  }
  Describe(is_settled && status.ok() ? state : SideState::kRefused, side, info);
  return Status::Ok();
}

}  // namespace uringfs
