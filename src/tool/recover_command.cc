// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <iostream>

#include "src/tool/commands.h"
#include "src/tool/db_lock.h"
#include "src/tool/json.h"

#include "uringfs/recovery.h"

namespace uringfs::tool {
namespace {

// One run of the command: what was done, and what is to be told.
class Run {
 public:
  explicit Run(uint32_t wait_ms) { options_.wait_ms = wait_ms; }

  // False: nothing may be done.
  bool Lock(const std::vector<std::string>& directories);
  void RecoverAll(const std::string& directory);
  void Print(bool as_json) const;
  ExitCode code() const { return code_; }

 private:
  void RecoverOne(const SideFileInfo& info);
  void Complain(ExitCode code, const std::string& message);

  RecoveryOptions options_ = RecoveryOptions::OfRocksDb();
  std::vector<DbLock> locks_;
  ExitCode code_ = kDone;
  JsonArray objects_;
  std::string text_;
};

void Run::Complain(ExitCode code, const std::string& message) {
  code_ = std::max(code_, code);
  std::cerr << "uringfs: " << message << "\n";
}

bool Run::Lock(const std::vector<std::string>& directories) {
  for (const std::string& directory : directories) {
    bool is_taken = false;
    pid_t holder = 0;
    DbLock lock;
    const Status status = lock.Take(directory, &is_taken, &holder);
    if (!status.ok()) {
      Complain(kIoError, status.ToString());
    } else if (is_taken) {
      Complain(kBusy,
               directory + ": the database is open in " +
                   (holder > 0 ? "process " + std::to_string(holder)
                               : "another process") +
                   ", which holds its LOCK; close it there and try again. "
                   "Nothing was changed");
    }
    locks_.push_back(std::move(lock));
  }
  return code_ == kDone;
}

void Run::RecoverOne(const SideFileInfo& info) {
  RecoveryReport report;
  const Status status = RecoverLog(info.log_path, options_, &report);
  std::string outcome = ToString(report.outcome);
  if (!status.ok()) {
    outcome = "failed";
    Complain(kIoError, status.ToString() +
                           "; nothing is lost, mend the cause and try again");
  } else if (report.outcome == RecoveryOutcome::kRefused) {
    Complain(kRefused, report.message);
  } else if (report.outcome == RecoveryOutcome::kBusy) {
    Complain(kBusy, report.message);
  }
  JsonObject object;
  object.Add("path", info.path)
      .Add("outcome", outcome)
      .Add("message", report.message)
      .AddNumber("recovered_bytes", report.recovered_bytes)
      .AddNumber("cut_bytes", report.cut_bytes);
  objects_.Add(object);
  text_ += outcome + ": " + report.message + "\n";
}

void Run::RecoverAll(const std::string& directory) {
  std::vector<SideFileInfo> infos;
  const Status status = InspectDirectory(directory, &infos);
  if (!status.ok()) {
    Complain(kIoError, status.ToString());
  }
  for (const SideFileInfo& info : infos) {
    RecoverOne(info);
  }
}

void Run::Print(bool as_json) const {
  if (as_json) {
    std::cout << objects_.ToString();
  } else if (text_.empty() && code_ == kDone) {
    std::cout << "no side files: nothing is left to recover\n";
  } else {
    std::cout << text_;
  }
}

}  // namespace

ExitCode Recover(const std::vector<std::string>& directories, bool as_json,
                 uint32_t wait_ms) {
  Run run(wait_ms);
  // All of them first: the LOCK of a database guards its wal_dir too, which
  // has none of its own.
  if (run.Lock(directories)) {
    for (const std::string& directory : directories) {
      run.RecoverAll(directory);
    }
  }
  run.Print(as_json);
  return run.code();
}

}  // namespace uringfs::tool
