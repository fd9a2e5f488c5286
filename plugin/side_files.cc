// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "side_files.h"

#include <sys/stat.h>
#include <unistd.h>
#include <uringfs/rocksdb_wal.h>

#include <algorithm>
#include <chrono>
#include <utility>
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

// Or should have one. False for all that are no WAL, at no cost.
bool HasSideFile(const std::string& path) {
  return IsWalName(path) &&
         (IsThere(SideFilePath(path)) || LacksSideFile(path));
}

// IOError: RocksDB passes over what it takes for damage of a WAL.
rdb::IOStatus Unapplied(const std::string& message) {
  return rdb::IOStatus::IOError("uringfs", message);
}

}  // namespace

bool NeedsLogView(const std::string& path) {
  return IsWalName(path) && !LiveFiles::OfProcess().Holds(path);
}

rdb::IOStatus SideFiles::RecoverDirectoryOf(const std::string& path) {
  {
    // A database is being opened: its wal_dir, if it has one, may have been
    // left by another process since we looked.
    const MutexLock lock(&mutex_);
    swept_.clear();
  }
  // Where the database is not whole (a copy under way, a file that cannot be
  // read) nobody can tell whether it has gone on without a side file, and this
  // open will fail. If it does not (encrypted), its logs are recovered when it
  // makes the next one. A MANIFEST may be long: only a side file is worth that.
  const std::string directory = DirectoryOf(path);
  std::vector<std::string> logs;
  const bool may_have_any =
      !ListSideFiles(directory, &RocksDbWal(), &logs).ok() || !logs.empty();
  if (may_have_any && !TellsItsWals(directory)) {
    return rdb::IOStatus::OK();
  }
  return Sweep(directory);
}

rdb::IOStatus SideFiles::SweepOnce(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  {
    const MutexLock lock(&mutex_);
    if (swept_.count(directory) > 0) {
      return rdb::IOStatus::OK();
    }
  }
  return Sweep(directory);
}

rdb::IOStatus SideFiles::Sweep(const std::string& directory) {
  rdb::IOStatus status = RecoverAll(directory);
  if (status.ok()) {
    const MutexLock lock(&mutex_);
    swept_.insert(directory);
  }
  return status;
}

rdb::IOStatus SideFiles::RecoverAll(const std::string& directory) {
  using std::chrono::milliseconds;
  const milliseconds wait(RecoveryOptions().wait_ms);
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::string> logs;
  rdb::IOStatus first =
      ToIOStatus(ListSideFiles(directory, &RocksDbWal(), &logs));
  for (const std::string& log : logs) {
    if (!IsWalName(log)) {
      continue;
    }
    // One wait for all of them.
    const auto waited = std::chrono::duration_cast<milliseconds>(
        std::chrono::steady_clock::now() - begin);
    const auto rest = wait - waited;
    rdb::IOStatus status = Recover(
        log,
        static_cast<uint32_t>(std::max<milliseconds::rep>(rest.count(), 0)));
    if (first.ok()) {
      first = std::move(status);
    }
  }
  return first;
}

rdb::IOStatus SideFiles::RecoverWal(const std::string& path) {
  if (!HasSideFile(path)) {
    return rdb::IOStatus::OK();
  }
  return Recover(path, RecoveryOptions().wait_ms);
}

rdb::IOStatus SideFiles::PrepareDelete(const std::string& path) {
  if (!HasSideFile(path) || LiveFiles::OfProcess().Holds(path)) {
    return rdb::IOStatus::OK();
  }
  bool is_own = false;
  const Status status = DropOwnSideFile(path, &is_own);
  return !status.ok() ? ToIOStatus(status)
         : is_own     ? rdb::IOStatus::OK()
                      : RecoverWal(path);
}

rdb::IOStatus SideFiles::DropSideFile(const std::string& path) {
  // Recovery removes what nobody needs. What is there still then is in use.
  return RecoverWal(LogOfSideFile(path));
}

rdb::IOStatus SideFiles::ClearForWriter(const std::string& path) {
  rdb::IOStatus status = DropSideFile(path);
  return status.ok() && IsThere(path)
             ? rdb::IOStatus::InvalidArgument(
                   "uringfs: it holds bytes of a log that is open", path)
             : status;
}

rdb::IOStatus SideFiles::Recover(const std::string& log_path,
                                 uint32_t wait_ms) {
  if (LiveFiles::OfProcess().Holds(log_path)) {
    // It may be about to get its side file, or to leave it, and the lock that
    // recovery would wait for is our own.
    return rdb::IOStatus::OK();
  }
  RecoveryReport report;
  RecoveryOptions options;
  options.format = &wal_dirs_->FormatOf(log_path);
  options.wait_ms = wait_ms;
  const Status status = RecoverLog(log_path, options, &report);
  Report(DirectoryOf(log_path), report);
  if (!status.ok()) {
    return ToIOStatus(status,
                      "; nothing was lost: mend that and open the database "
                      "again, or see `uringfs inspect` for what " +
                          report.path + " holds");
  }
  switch (report.outcome) {
    case RecoveryOutcome::kUnusable:
      return Unapplied(report.message);
    case RecoveryOutcome::kBusy:
      // One that this process has open by other means is left alone: the
      // newest writer wins.
      return report.is_own ? rdb::IOStatus::OK()
                           : rdb::IOStatus::Busy("uringfs: cannot recover",
                                                 report.message);
    default:
      return rdb::IOStatus::OK();
  }
}

rdb::IOStatus SideFiles::CheckListed(
    const std::string& directory, const std::vector<std::string>& names) const {
  for (const std::string& name : names) {
    const bool is_side = IsSideFileOfWal(name);
    const std::string log_path =
        directory + "/" + (is_side ? LogOfSideFile(name) : name);
    if ((!is_side && !(IsWalName(name) && LacksSideFile(log_path))) ||
        LiveFiles::OfProcess().Holds(log_path)) {
      continue;
    }
    SideFileInfo info;
    const Status status =
        InspectLog(log_path, &wal_dirs_->FormatOf(log_path), &info);
    if (status.ok() && info.state == SideState::kUnusable) {
      return Unapplied(info.reason);
    }
    // One that cannot be looked at may hold as much: RocksDB would pass over a
    // log it cannot open.
    if (!status.ok()) {
      return ToIOStatus(status);
    }
  }
  return rdb::IOStatus::OK();
}

void SideFiles::Report(const std::string& directory,
                       const RecoveryReport& report) {
  if (report.outcome == RecoveryOutcome::kNothing) {
    return;
  }
  stats_->Recovered(report);
  const bool is_good = report.kept_path.empty() &&
                       (report.outcome == RecoveryOutcome::kRecovered ||
                        report.outcome == RecoveryOutcome::kRemoved);
  logs_->Write(
      directory,
      is_good ? rdb::InfoLogLevel::INFO_LEVEL : rdb::InfoLogLevel::WARN_LEVEL,
      std::string(ToString(report.outcome)) + ": " + report.message +
          (report.facts.empty() ? "" : " [" + report.facts + "]"));
}

bool SideFiles::LogicalSize(const std::string& path, rdb::IOStatus* status,
                            uint64_t* size) const {
  if (!HasSideFile(path) || !NeedsLogView(path)) {
    return false;
  }
  std::unique_ptr<LogView> view;
  // One that cannot be opened is the base's to explain, or to size anyway.
  Status opened = LogView::Open(path, &wal_dirs_->FormatOf(path), &view);
  if (!opened.ok() && ::access(path.c_str(), R_OK) != 0) {
    return false;
  }
  *status = ToIOStatus(opened.ok() ? view->Size(size) : opened);
  return true;
}

void SideFiles::SweepGone(const std::string& path) const {
  if (!IsWalName(path) || LiveFiles::OfProcess().HoldsAnyBeside(path)) {
    return;
  }
  std::vector<std::string> logs;
  if (!ListSideFiles(DirectoryOf(path), &RocksDbWal(), &logs).ok()) {
    return;
  }
  RecoveryOptions options;
  options.format = &wal_dirs_->FormatOf(path);
  options.wait_ms = 0;
  for (const std::string& log : logs) {
    RecoveryReport report;
    if (IsWalName(log) && !IsThere(log)) {
      static_cast<void>(RecoverLog(log, options, &report));
    }
  }
}

}  // namespace uringfs
