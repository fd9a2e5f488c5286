// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Names of side files, and words for what is found.

#include <sys/stat.h>

#include <cerrno>

#include "src/base/list_directory.h"
#include "src/side/log_mark.h"
#include "src/side/side_reader.h"

#include "uringfs/recovery.h"

namespace uringfs {

std::string SideFilePath(const std::string& log_path) {
  return SidePathOf(log_path);
}

bool IsSideFileName(const std::string& name) {
  const std::string suffix = kSideSuffix;
  if (name.size() <= suffix.size()) {
    return false;
  }
  const size_t stem = name.size() - suffix.size();
  return name[stem - 1] != '/' &&
         name.compare(stem, suffix.size(), suffix) == 0;
}

Status ClearSideFile(const std::string& log_path) {
  return ClearSideOf(log_path);
}

bool LacksSideFile(const std::string& log_path) {
  struct stat there = {};
  bool is_marked = false;
  LogMark mark;
  return ::lstat(SidePathOf(log_path).c_str(), &there) != 0 &&
         errno == ENOENT &&
         (FindMark(log_path, &is_marked, &mark) != 0 || is_marked);
}

void TakeSideFileAlong(const std::string& from, const std::string& log_path) {
  Side side;
  if (MayHaveMark(log_path) && LookAtSide(from, &side).ok() &&
      side.content == SideContent::kIdle) {
    (void)RenameToNew(side.path, SidePathOf(log_path));
  }
}

Status ListSideFiles(const std::string& directory, const LogFormat* format,
                     std::vector<std::string>* log_paths) {
  log_paths->clear();
  const std::string prefix = !directory.empty() && directory.back() == '/'
                                 ? directory
                                 : directory + "/";
  std::vector<std::string> names;
  const int error = ListDirectory(directory, &names);
  for (const std::string& name : names) {
    if (IsSideFileName(name)) {
      log_paths->push_back(prefix + LogPathOf(name));
    } else if (format != nullptr && format->Knows(prefix + name) &&
               LacksSideFile(prefix + name)) {
      log_paths->push_back(prefix + name);
    }
  }
  return error == 0 ? Status::Ok()
                    : Status::FromErrno(error, "list", directory);
}

const char* ToString(SideState state) {
  switch (state) {
    case SideState::kNone:
      return "none";
    case SideState::kOwned:
      return "owned";
    case SideState::kIdle:
      return "idle";
    case SideState::kWhole:
      return "whole";
    case SideState::kOlder:
      return "older";
    case SideState::kForeign:
      return "foreign";
    case SideState::kUnusable:
      return "unusable";
  }
  return "unknown";
}

const char* ToString(RecoveryOutcome outcome) {
  switch (outcome) {
    case RecoveryOutcome::kNothing:
      return "nothing";
    case RecoveryOutcome::kRecovered:
      return "recovered";
    case RecoveryOutcome::kRemoved:
      return "removed";
    case RecoveryOutcome::kCut:
      return "cut";
    case RecoveryOutcome::kUnusable:
      return "unusable";
    case RecoveryOutcome::kAccepted:
      return "accepted";
    case RecoveryOutcome::kDiscarded:
      return "discarded";
    case RecoveryOutcome::kBusy:
      return "busy";
  }
  return "unknown";
}

}  // namespace uringfs
