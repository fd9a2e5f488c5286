// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// How a side file goes. One that may hold bytes which are nowhere else is never
// removed here, but set aside.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "src/side/log_mark.h"
#include "src/side/side_reader.h"

namespace uringfs {
namespace {

constexpr int kMaxKept = 1000;

bool IsInPlace(const Side& side) {
  struct stat there = {};
  return ::lstat(side.path.c_str(), &there) == 0 &&
         IsSameFile(there, side.stat);
}

Status Unmark(const Side& side) {
  const std::string log_path = LogPathOf(side.path);
  const int error = UnmarkLog(log_path);
  return error == 0 ? Status::Ok()
                    : Status::FromErrno(error, "take the mark off", log_path);
}

// Whether the log cannot do without it, as far as its own words tell.
bool MayBeWanted(const Side& side) {
  switch (side.content) {
    case SideContent::kMissing:
    case SideContent::kLost:
    case SideContent::kBlank:
    case SideContent::kIdle:
    case SideContent::kTornHeader:
      return false;
    case SideContent::kLive:
      return side.words.filled > side.words.written;
    case SideContent::kGarbled:
      break;
  }
  return true;
}

Status RenameAside(const Side& side, std::string* kept) {
  const int error = TakeKeptName(
      side.path,
      [&](const std::string& name) { return RenameToNew(side.path, name); },
      kept);
  if (error != 0) {
    kept->clear();
  }
  return error == 0 || error == ENOENT
             ? Status::Ok()
             : Status::FromErrno(error, "set aside the side file", side.path);
}

// There may be an empty file.
Status ForgetLost(const Side& side) {
  const Status status = Unmark(side);
  return status.ok() ? RemoveSide(side) : status;
}

}  // namespace

int RenameToNew(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(),
                  RENAME_NOREPLACE) == 0) {
    return 0;
  }
  if (errno != EINVAL && errno != ENOSYS && errno != EPERM) {
    return errno;
  }
  // File systems that cannot promise it are asked first.
  struct stat there = {};
  if (::lstat(to.c_str(), &there) == 0) {
    return EEXIST;
  }
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

int TakeKeptName(const std::string& path,
                 const std::function<int(const std::string&)>& take,
                 std::string* kept) {
  int error = EEXIST;
  for (int i = 1; i <= kMaxKept && error == EEXIST; ++i) {
    *kept = path + ".kept" + std::to_string(i);
    error = take(*kept);
  }
  return error;
}

Status RemoveSide(const Side& side) {
  if (!IsInPlace(side)) {
    return Status::Ok();
  }
  // In front of the side file: see log_mark.h.
  Status status = Unmark(side);
  if (!status.ok()) {
    // Somebody else's log; or a full disk (xfs), where a delete must not fail.
    // What is not needed may stay beside it.
    return side.content != SideContent::kLive ? Status::Ok() : status;
  }
  return ::unlink(side.path.c_str()) == 0 || errno == ENOENT
             ? Status::Ok()
             : Status::FromErrno(errno, "remove the side file", side.path);
}

Status SetSideAside(const Side& side, std::string* kept) {
  if (!IsInPlace(side)) {
    return Status::Ok();
  }
  const Status status = Unmark(side);
  return status.ok() ? RenameAside(side, kept) : status;
}

Status SetChosenAside(const Side& side, std::string* kept) {
  if (side.content == SideContent::kLost) {
    return ForgetLost(side);
  }
  Status status = IsInPlace(side) ? RenameAside(side, kept) : Status::Ok();
  if (!status.ok()) {
    return status;
  }
  status = Unmark(side);
  if (!status.ok() && !kept->empty() && RenameToNew(*kept, side.path) == 0) {
    kept->clear();  // so that nothing was changed
  }
  return status;
}

Status ClearSideOf(const std::string& log_path) {
  Side side;
  Status status = LookAtSide(log_path, &side);
  if (!status.ok() || side.content == SideContent::kMissing) {
    return status;
  }
  if (side.content == SideContent::kLost) {
    return ForgetLost(side);
  }
  if (S_ISDIR(side.stat.st_mode)) {
    return Status::FromErrno(EISDIR, "clear the place of the side file",
                             side.path);
  }
  std::string kept;
  return MayBeWanted(side) ? SetSideAside(side, &kept) : RemoveSide(side);
}

}  // namespace uringfs
