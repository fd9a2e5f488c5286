// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "side_files.h"

#include <sys/stat.h>
#include <unistd.h>
#include <uringfs/rocksdb_wal.h>

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

bool IsIdle(const std::string& path) {
  SideFileInfo info;
  return InspectLog(path, &RocksDbWal(), &info).ok() &&
         info.state == SideState::kIdle;
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
  return Sweep(DirectoryOf(path), RecoveryOptions().wait_ms);
}

rdb::IOStatus SideFiles::SweepOnce(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  {
    const MutexLock lock(&mutex_);
    if (swept_.count(directory) > 0) {
      return rdb::IOStatus::OK();
    }
  }
  return Sweep(directory, kSweepWaitMs);
}

rdb::IOStatus SideFiles::Sweep(const std::string& directory, uint32_t wait_ms) {
  rdb::IOStatus status = RecoverAll(directory, wait_ms);
  if (status.ok()) {
    const MutexLock lock(&mutex_);
    swept_.insert(directory);
  }
  return status;
}

rdb::IOStatus SideFiles::RecoverAll(const std::string& directory,
                                    uint32_t wait_ms) {
  using std::chrono::milliseconds;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::string> logs;
  rdb::IOStatus first = ToIOStatus(ListSideFiles(directory, &logs));
  for (const std::string& log : logs) {
    if (!IsWalName(log)) {
      continue;
    }
    // One wait for all of them.
    const auto waited = std::chrono::duration_cast<milliseconds>(
        std::chrono::steady_clock::now() - begin);
    const auto rest = milliseconds(wait_ms) - waited;
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
  // Idle ones beside an open log wait for the next log of that directory.
  if (LiveFiles::OfProcess().HoldsAnyBeside(path) && IsIdle(path)) {
    return rdb::IOStatus::OK();
  }
  return Recover(path, RecoveryOptions().wait_ms);
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
  options.format = &RocksDbWal();
  options.wait_ms = wait_ms;
  const Status status = RecoverLog(log_path, options, &report);
  Report(DirectoryOf(log_path), report);
  if (!status.ok()) {
    return ToIOStatus(status);
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
    const std::string log_path =
        directory + "/" + name.substr(0, name.find_last_of('.'));
    if (!IsSideFileName(name) || !IsWalName(log_path) ||
        LiveFiles::OfProcess().Holds(log_path)) {
      continue;
    }
    SideFileInfo info;
    const Status status = InspectLog(log_path, &RocksDbWal(), &info);
    if (status.ok() && info.state == SideState::kUnusable) {
      return Unapplied(info.reason);
    }
    // One that cannot be looked at may hold as much: RocksDB would pass over a
    // log it cannot open. (One that keeps changing has an owner.)
    if (!status.ok() && status.error_number() != EBUSY) {
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
  Status opened = LogView::Open(path, &RocksDbWal(), &view);
  if (!opened.ok() && ::access(path.c_str(), R_OK) != 0) {
    return false;
  }
  *status = ToIOStatus(opened.ok() ? view->Size(size) : opened);
  return true;
}

void SideFiles::SweepGone(const std::string& path) {
  if (!IsWalName(path) || LiveFiles::OfProcess().HoldsAnyBeside(path)) {
    return;
  }
  std::vector<std::string> logs;
  if (!ListSideFiles(DirectoryOf(path), &logs).ok()) {
    return;
  }
  RecoveryOptions options;
  options.format = &RocksDbWal();
  options.wait_ms = 0;
  for (const std::string& log : logs) {
    RecoveryReport report;
    if (IsWalName(log) && !IsThere(log)) {
      static_cast<void>(RecoverLog(log, options, &report));
    }
  }
}

}  // namespace uringfs
