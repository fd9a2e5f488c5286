// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "side_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "file_policy.h"
#include "io_status.h"
#include "live_file.h"

namespace uringfs {
namespace {

bool IsThere(const std::string& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0;
}

// False for all that are no WAL, at no cost.
bool HasSideFile(const std::string& path) {
  return IsWalName(path) && IsThere(SideFilePath(path));
}

bool IsEmpty(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && status.st_size == 0;
}

// A handle that was leaked, or one of another copy of this library. A process
// cannot wait for itself, and the newest writer wins.
bool IsOwnedHere(const SideFileInfo& info) {
  return info.state == SideState::kOwned && info.owner_is_alive &&
         info.owner_pid == static_cast<uint32_t>(::getpid());
}

}  // namespace

bool NeedsLogView(const std::string& path) {
  // Empty is asked first: a log has its side file before it grows.
  return IsWalName(path) && (IsEmpty(path) || HasSideFile(path)) &&
         !LiveFiles::OfProcess().Holds(path);
}

bool SideFiles::IsNew(const std::string& directory) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return swept_.insert(directory).second;
}

rdb::IOStatus SideFiles::RecoverDirectoryOf(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  static_cast<void>(IsNew(directory));
  return RecoverAll(directory, RecoveryOptions());
}

void SideFiles::SweepOnce(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  if (IsNew(directory)) {
    RecoveryOptions options;
    options.wait_ms = 0;
    RecoverAll(directory, options).PermitUncheckedError();
  }
}

rdb::IOStatus SideFiles::RecoverAll(const std::string& directory,
                                    const RecoveryOptions& options) {
  std::vector<SideFileInfo> infos;
  rdb::IOStatus first = ToIOStatus(InspectDirectory(directory, &infos));
  for (const SideFileInfo& info : infos) {
    rdb::IOStatus status = Recover(info, options);
    if (first.ok()) {
      first = std::move(status);
    }
  }
  return first;
}

rdb::IOStatus SideFiles::RecoverWal(const std::string& path) {
  if (!HasSideFile(path) || LiveFiles::OfProcess().Holds(path)) {
    return rdb::IOStatus::OK();
  }
  SideFileInfo info;
  const Status status = InspectLog(path, &info);
  return status.ok() ? Recover(info, RecoveryOptions()) : ToIOStatus(status);
}

rdb::IOStatus SideFiles::Recover(const SideFileInfo& info,
                                 const RecoveryOptions& options) {
  RecoveryReport report;
  if (IsOwnedHere(info)) {
    report.outcome = RecoveryOutcome::kBusy;
    report.message =
        info.path + ": this process has the log open; it is left alone";
    Report(DirectoryOf(info.path), report);
    return rdb::IOStatus::OK();
  }
  const Status status = RecoverLog(info.log_path, options, &report);
  Report(DirectoryOf(info.path), report);
  if (!status.ok()) {
    return ToIOStatus(status);
  }
  return report.outcome == RecoveryOutcome::kBusy
             ? rdb::IOStatus::Busy("uringfs: cannot recover", report.message)
             : rdb::IOStatus::OK();
}

void SideFiles::Report(const std::string& directory,
                       const RecoveryReport& report) {
  if (report.message.empty()) {
    return;
  }
  stats_->Recovered(report);
  const bool is_good = report.outcome == RecoveryOutcome::kRecovered ||
                       report.outcome == RecoveryOutcome::kRemoved;
  logs_->Write(
      directory,
      is_good ? rdb::InfoLogLevel::INFO_LEVEL : rdb::InfoLogLevel::WARN_LEVEL,
      std::string(ToString(report.outcome)) + ": " + report.message);
}

bool SideFiles::LogicalSize(const std::string& path, rdb::IOStatus* status,
                            uint64_t* size) const {
  if (!HasSideFile(path) || LiveFiles::OfProcess().Holds(path)) {
    return false;
  }
  std::unique_ptr<LogView> view;
  // One that cannot be opened is the base's to explain, or to size anyway.
  if (!LogView::Open(path, &view).ok()) {
    return false;
  }
  *status = ToIOStatus(view->Size(size));
  return true;
}

void SideFiles::RemoveSideFileOf(const std::string& path) {
  if (!HasSideFile(path)) {
    return;
  }
  SideFileInfo info;
  // Idle ones beside an open log wait for the next log of that directory.
  if (InspectLog(path, &info).ok() && info.state == SideState::kIdle &&
      LiveFiles::OfProcess().HoldsAnyBeside(path)) {
    return;
  }
  static_cast<void>(::unlink(SideFilePath(path).c_str()));
}

}  // namespace uringfs
