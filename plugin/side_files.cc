// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "side_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "file_policy.h"
#include "io_status.h"
#include "live_file.h"

namespace uringfs {
namespace {

// Long enough for the last writes of a killed process.
constexpr uint32_t kSweepWaitMs = 1000;

bool IsThere(const std::string& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0;
}

// False for all that are no WAL, at no cost.
bool HasSideFile(const std::string& path) {
  return IsWalName(path) && IsThere(SideFilePath(path));
}

// A handle that was leaked, or one of another copy of this library. A process
// cannot wait for itself, and the newest writer wins.
bool IsOwnedHere(const SideFileInfo& info) {
  return info.state == SideState::kOwned && info.owner_is_alive &&
         info.owner_pid == static_cast<uint32_t>(::getpid());
}

}  // namespace

bool NeedsLogView(const std::string& path) {
  if (!IsWalName(path) || LiveFiles::OfProcess().Holds(path)) {
    return false;
  }
  SideFileInfo info;
  return !InspectLog(path, &info).ok() || !info.is_superseded;
}

rdb::IOStatus SideFiles::RecoverDirectoryOf(const std::string& path) {
  {
    // A database is being opened: its wal_dir, if it has one, may have been
    // left by another process since we looked.
    const std::lock_guard<std::mutex> lock(mutex_);
    swept_.clear();
  }
  return Sweep(DirectoryOf(path), RecoveryOptions().wait_ms);
}

rdb::IOStatus SideFiles::SweepOnce(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (swept_.count(directory) > 0) {
      return rdb::IOStatus::OK();
    }
  }
  return Sweep(directory, kSweepWaitMs);
}

rdb::IOStatus SideFiles::Sweep(const std::string& directory, uint32_t wait_ms) {
  rdb::IOStatus status = RecoverAll(directory, wait_ms);
  if (status.ok()) {
    const std::lock_guard<std::mutex> lock(mutex_);
    swept_.insert(directory);
  }
  return status;
}

rdb::IOStatus SideFiles::RecoverAll(const std::string& directory,
                                    uint32_t wait_ms) {
  using std::chrono::milliseconds;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<SideFileInfo> infos;
  rdb::IOStatus first = ToIOStatus(InspectDirectory(directory, &infos));
  for (const SideFileInfo& info : infos) {
    if (!IsWalName(info.log_path)) {
      continue;
    }
    // One wait for all of them.
    const auto waited = std::chrono::duration_cast<milliseconds>(
        std::chrono::steady_clock::now() - begin);
    const auto rest = milliseconds(wait_ms) - waited;
    rdb::IOStatus status = Recover(
        info,
        static_cast<uint32_t>(std::max<milliseconds::rep>(rest.count(), 0)));
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
  return status.ok() ? Recover(info, RecoveryOptions().wait_ms)
                     : ToIOStatus(status);
}

rdb::IOStatus SideFiles::Recover(const SideFileInfo& info, uint32_t wait_ms) {
  RecoveryReport report;
  if (IsOwnedHere(info)) {
    report.outcome = RecoveryOutcome::kBusy;
    report.message =
        info.path + ": this process has the log open; it is left alone";
    Report(DirectoryOf(info.path), report);
    return rdb::IOStatus::OK();
  }
  if (LiveFiles::OfProcess().Holds(info.log_path)) {
    // It is about to get its side file, or to leave it: then it does not look
    // like ours, and the lock that recovery would wait for is our own.
    return rdb::IOStatus::OK();
  }
  RecoveryOptions options = RecoveryOptions::OfRocksDb();
  options.wait_ms = wait_ms;
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
  if (!HasSideFile(path) || !NeedsLogView(path)) {
    return false;
  }
  std::unique_ptr<LogView> view;
  // One that cannot be opened is the base's to explain, or to size anyway.
  if (!LogView::Open(path, &view, kUsualMaxTornBytes).ok()) {
    return false;
  }
  *status = ToIOStatus(view->Size(size));
  return true;
}

void SideFiles::SweepGone(const std::string& path) {
  if (!IsWalName(path) || LiveFiles::OfProcess().HoldsAnyBeside(path)) {
    return;
  }
  std::vector<SideFileInfo> infos;
  if (!InspectDirectory(DirectoryOf(path), &infos).ok()) {
    return;
  }
  for (const SideFileInfo& info : infos) {
    const bool is_worthless =
        info.state == SideState::kIdle || info.state == SideState::kStale;
    if (is_worthless && IsWalName(info.log_path) && !IsThere(info.log_path)) {
      static_cast<void>(::unlink(info.path.c_str()));
    }
  }
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
