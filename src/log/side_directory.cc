// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Names of side files, and what is done to all of a directory.

#include <fcntl.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <system_error>
#include <utility>

#include "src/base/file_identity.h"
#include "src/log/posix_file.h"
#include "src/log/side_format.h"
#include "src/log/side_reader.h"

#include "uringfs/recovery.h"

namespace uringfs {
namespace {

// Calls `see` with the path and the name of each file, until it returns true.
template <class See>
std::error_code SeeFiles(const std::filesystem::path& directory,
                         const See& see) {
  std::error_code error;
  std::filesystem::directory_iterator it(directory, error);
  for (const std::filesystem::directory_iterator end; !error && it != end;
       it.increment(error)) {
    if (see(it->path().string(), it->path().filename().string())) {
      break;
    }
  }
  return error;
}

// Paths of the logs that have a side file in a directory, in order.
Status ListLogs(const std::string& directory, std::vector<std::string>* logs) {
  const std::string prefix = !directory.empty() && directory.back() == '/'
                                 ? directory
                                 : directory + "/";
  const std::error_code error =
      SeeFiles(directory, [&](const std::string&, const std::string& name) {
        if (IsSideFileName(name)) {
          const size_t stem = name.size() - (sizeof(kSideSuffix) - 1);
          logs->push_back(prefix + name.substr(0, stem));
        }
        return false;
      });
  std::sort(logs->begin(), logs->end());
  return error ? Status::FromErrno(error.value(), "list", directory)
               : Status::Ok();
}

uint64_t NumberOf(const std::string& name) {
  const std::string suffix = ".log";
  if (name.size() <= suffix.size() || name.size() > suffix.size() + 18 ||
      name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0) {
    return 0;
  }
  uint64_t number = 0;
  for (size_t i = 0; i < name.size() - suffix.size(); ++i) {
    if (name[i] < '0' || name[i] > '9') {
      return 0;
    }
    number = number * 10 + static_cast<uint64_t>(name[i] - '0');
  }
  return number;
}

// Whether a file in a log's directory passes a test of its path and name.
template <class Test>
bool AnyBeside(const std::string& log_path, const Test& test) {
  bool found = false;
  SeeFiles(DirectoryOf(log_path),
           [&](const std::string& path, const std::string& name) {
             found = test(path, name);
             return found;
           });
  return found;
}

uint64_t NanosOf(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1000000000 +
         static_cast<uint64_t>(time.tv_nsec);
}

uint64_t BirthAt(const std::string& path) {
  return BirthOf(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
}

// In nanoseconds of the wall clock, as it goes now.
uint64_t BootTime() {
  timespec now = {};
  timespec since = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  ::clock_gettime(CLOCK_BOOTTIME, &since);
  return NanosOf(now) - NanosOf(since);
}

}  // namespace

uint64_t LogNumberOf(const std::string& log_path) {
  return NumberOf(std::filesystem::path(log_path).filename().string());
}

bool IsSuperseded(const std::string& log_path, const Side& side) {
  const uint64_t number = LogNumberOf(log_path);
  return number > 0 && side.words.filled > side.words.written &&
         AnyBeside(log_path, [&](const std::string&, const std::string& name) {
           return NumberOf(name) > number;
         });
}

bool IsContinued(const std::string& log_path) {
  struct stat log = {};
  if (::lstat(log_path.c_str(), &log) != 0) {
    return false;
  }
  const uint64_t number = LogNumberOf(log_path);
  const uint64_t boot = BootTime();
  const uint64_t last_write = NanosOf(log.st_mtim);
  // Opening a database for write makes a new MANIFEST in any case.
  return AnyBeside(log_path,
                   [&](const std::string& path, const std::string& name) {
                     const bool is_manifest = name.rfind("MANIFEST-", 0) == 0;
                     const bool is_successor = NumberOf(name) > number;
                     return (is_manifest && BirthAt(path) > last_write) ||
                            (is_successor && BirthAt(path) > boot);
                   });
}

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

const char* ToString(SideState state) {
  switch (state) {
    case SideState::kNone:
      return "none";
    case SideState::kOwned:
      return "owned";
    case SideState::kDead:
      return "dead";
    case SideState::kIdle:
      return "idle";
    case SideState::kStale:
      return "stale";
    case SideState::kRefused:
      return "refused";
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
    case RecoveryOutcome::kRefused:
      return "refused";
    case RecoveryOutcome::kBusy:
      return "busy";
  }
  return "unknown";
}

Status InspectDirectory(const std::string& directory,
                        std::vector<SideFileInfo>* infos) {
  infos->clear();
  std::vector<std::string> logs;
  Status status = ListLogs(directory, &logs);
  for (const std::string& log : logs) {
    SideFileInfo info;
    Status inspected = InspectLog(log, &info);
    if (status.ok()) {
      status = std::move(inspected);
    }
    if (info.state != SideState::kNone) {
      infos->push_back(std::move(info));
    }
  }
  return status;
}

Status RecoverDirectory(const std::string& directory,
                        const RecoveryOptions& options,
                        std::vector<RecoveryReport>* reports) {
  reports->clear();
  std::vector<std::string> logs;
  Status first = ListLogs(directory, &logs);
  for (const std::string& log : logs) {
    RecoveryReport report;
    Status status = RecoverLog(log, options, &report);
    if (!status.ok() || report.outcome != RecoveryOutcome::kNothing) {
      reports->push_back(std::move(report));
    }
    if (first.ok()) {
      first = std::move(status);
    }
  }
  return first;
}

}  // namespace uringfs
