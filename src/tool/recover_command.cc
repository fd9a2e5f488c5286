// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "src/tool/commands.h"
#include "src/tool/db_lock.h"
#include "src/tool/describe.h"
#include "src/tool/json.h"
#include "src/tool/wal_dir.h"

#include "uringfs/internal/shell_word.h"
#include "uringfs/recovery.h"
#include "uringfs/rocksdb_wal.h"

namespace uringfs::tool {
namespace {

bool HasWals(const std::vector<std::string>& logs) {
  return std::any_of(logs.begin(), logs.end(), [](const std::string& log) {
    return RocksDbWal().Knows(log);
  });
}

bool HasManifest(const std::string& directory) {
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().filename().string().rfind("MANIFEST-", 0) == 0) {
      return true;
    }
  }
  return false;
}

// One run of the command: what was done, and what is to be told.
class Run {
 public:
  Run(const RecoverArgs& args, const std::vector<std::string>& directories)
      : args_(args), formats_(directories) {
    options_.wait_ms = args.wait_ms;
    options_.unusable = args.unusable;
  }

  // These return false if nothing may be done.
  bool AreDirectories(const std::vector<std::string>& directories);
  bool Lock(const std::vector<std::string>& directories);
  void RecoverAll(const std::string& directory);
  // Of a copy that is not whole, say: what tells which logs the database still
  // reads is not there.
  bool CanTell(const std::vector<std::string>& directories);
  // Of logs elsewhere.
  void Remind(const std::string& directory,
              const std::vector<std::string>& directories);
  void Print() const;
  ExitCode code() const { return code_; }

 private:
  void RecoverOne(const std::string& log);
  void PlanOne(const std::string& log);
  void Complain(ExitCode code, const std::string& message);

  const RecoverArgs args_;
  Formats formats_;
  RecoveryOptions options_;
  std::vector<DbLock> locks_;
  ExitCode code_ = kDone;
  JsonArray objects_;
  std::string text_;
};

void Run::Complain(ExitCode code, const std::string& message) {
  code_ = Worse(code_, code);
  std::cerr << "uringfs: " << message << "\n";
}

bool Run::AreDirectories(const std::vector<std::string>& directories) {
  for (const std::string& directory : directories) {
    std::error_code error;
    if (std::filesystem::exists(directory, error) &&
        !std::filesystem::is_directory(directory, error)) {
      Complain(kIoError, directory + ": not a directory; name the database's");
    }
  }
  return code_ == kDone;
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

void Run::RecoverOne(const std::string& log) {
  RecoveryReport report;
  const Status status = RecoverLog(log, options_, &report);
  if (status.ok() && report.outcome == RecoveryOutcome::kNothing &&
      report.message.empty()) {
    return;
  }
  std::string outcome = ToString(report.outcome);
  if (!status.ok()) {
    outcome = "failed";
    Complain(kIoError,
             report.message +
                 (report.kept_log_path.empty() ? "; nothing is lost"
                                               : "; the log was written to") +
                 ", mend the cause and try again");
  } else if (report.outcome == RecoveryOutcome::kUnusable) {
    Complain(kUnusable, report.message);
  } else if (report.outcome == RecoveryOutcome::kBusy) {
    Complain(kBusy, report.message);
  }
  JsonObject object;
  object.Add("path", report.path)
      .Add("outcome", outcome)
      .Add("message", report.message)
      .AddNumber("recovered_bytes", report.recovered_bytes)
      .AddNumber("cut_bytes", report.cut_bytes)
      .AddNumber("lost_bytes", report.lost_bytes)
      .AddBool("knows_lost", report.knows_lost)
      .Add("kept_path", report.kept_path)
      .Add("kept_log_path", report.kept_log_path);
  objects_.Add(object);
  text_ += outcome + ": " + report.message + "\n";
}

// The options as they were given.
std::string Words(const RecoverArgs& args) {
  std::string words = args.is_dry_run ? "--dry-run " : "";
  if (args.unusable != Unusable::kLeave) {
    words += args.unusable == Unusable::kAccept ? "--accept " : "--discard ";
  }
  return words;
}

void Run::PlanOne(const std::string& log) {
  SideFileInfo info;
  const Status status = InspectLog(log, options_.format, &info);
  if (!status.ok()) {
    Complain(kIoError, status.ToString());
    return;
  }
  const Unusable choice = options_.unusable;
  if (info.state == SideState::kUnusable && choice == Unusable::kLeave) {
    Complain(kUnusable, info.reason);
  }
  objects_.Add(ToJson(info, choice));
  text_ += info.path + ": recover " + Plan(info, choice) + "\n";
}

bool Run::CanTell(const std::vector<std::string>& directories) {
  const bool has_any = std::any_of(
      directories.begin(), directories.end(), [](const std::string& directory) {
        std::vector<std::string> logs;
        return !ListSideFiles(directory, &RocksDbWal(), &logs).ok() ||
               HasWals(logs);
      });
  if (!has_any || options_.unusable != Unusable::kLeave) {
    return true;
  }
  for (const std::string& directory : directories) {
    const Status status = CheckManifest(directory);
    if (!status.ok()) {
      Complain(kIoError,
               status.ToString() +
                   ": nobody can tell which logs the database still reads. "
                   "Nothing was changed. Put that file back, or choose "
                   "`uringfs recover --accept`, which goes by the logs alone");
      return false;
    }
  }
  return true;
}

void Run::RecoverAll(const std::string& directory) {
  std::vector<std::string> logs;
  const Status status = ListSideFiles(directory, &RocksDbWal(), &logs);
  if (!status.ok()) {
    Complain(kIoError, status.ToString());
  }
  options_.format = formats_.Of(directory);
  if (options_.format == nullptr) {
    options_.format = &RocksDbWal();
    if (HasWals(logs) && HasManifest(directory)) {
      Complain(kIoError,
               directory +
                   ": its file CURRENT is gone, and with it which MANIFEST "
                   "tells which logs the database still reads. Put it back: "
                   "one line, the name of the newest MANIFEST-NNNNNN. Nothing "
                   "was changed");
      return;
    }
    if (HasWals(logs)) {
      // Whether the database still reads them is not known.
      Complain(kNeedsRecovery,
               directory +
                   ": logs of a database that is not named, or of one of "
                   "several; name those two, and no other database: uringfs "
                   "recover " +
                   Words(args_) + "DATABASE " + ShellWord(directory) +
                   ". Nothing was changed");
      return;
    }
  }
  for (const std::string& log : logs) {
    args_.is_dry_run ? PlanOne(log) : RecoverOne(log);
  }
}

void Run::Remind(const std::string& directory,
                 const std::vector<std::string>& directories) {
  const std::string reminder =
      RemindOfWalDir(directory, directories, Words(args_));
  if (!reminder.empty()) {
    Complain(kNeedsRecovery, reminder);
  }
}

void Run::Print() const {
  if (args_.as_json) {
    std::cout << objects_.ToString();
  } else if (text_.empty() && code_ == kDone) {
    std::cout << "no side files: nothing is left to recover\n";
  } else {
    std::cout << text_;
  }
}

}  // namespace

ExitCode Recover(const std::vector<std::string>& directories,
                 const RecoverArgs& args) {
  Run run(args, directories);
  if (!run.AreDirectories(directories)) {
    return run.code();
  }
  // All of them first: the LOCK of a database guards its wal_dir too, which
  // has none of its own.
  if (run.CanTell(directories) && (args.is_dry_run || run.Lock(directories))) {
    for (const std::string& directory : directories) {
      run.RecoverAll(directory);
      run.Remind(directory, directories);
    }
  }
  run.Print();
  return run.code();
}

}  // namespace uringfs::tool
