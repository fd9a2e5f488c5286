// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include <iostream>

#include "src/tool/commands.h"
#include "src/tool/describe.h"
#include "src/tool/wal_dir.h"

#include "uringfs/recovery.h"
#include "uringfs/rocksdb_wal.h"

namespace uringfs::tool {
namespace {

ExitCode CodeOf(const SideFileInfo& info) {
  switch (info.state) {
    case SideState::kWhole:
    case SideState::kOlder:
      return kNeedsRecovery;
    case SideState::kUnusable:
      return kUnusable;
    default:
      return kDone;
  }
}

}  // namespace

ExitCode Inspect(const std::vector<std::string>& directories, bool as_json) {
  Formats formats(directories);
  ExitCode code = kDone;
  bool has_failed = false;
  JsonArray objects;
  std::string text;
  const auto check = [&](const Status& status) {
    if (!status.ok()) {
      has_failed = true;
      std::cerr << "uringfs: " << status.ToString() << "\n";
    }
    return status.ok();
  };
  for (const std::string& directory : directories) {
    std::vector<std::string> logs;
    check(ListSideFiles(directory, &RocksDbWal(), &logs));
    const LogFormat* const known = formats.Of(directory);
    const LogFormat* const format = known != nullptr ? known : &RocksDbWal();
    for (const std::string& log : logs) {
      SideFileInfo info;
      if (check(InspectLog(log, format, &info)) &&
          info.state != SideState::kNone) {
        code = Worse(code, CodeOf(info));
        objects.Add(ToJson(info, Unusable::kLeave));
        text += ToText(info);
      }
    }
    const std::string reminder = RemindOfWalDir(directory, directories, "");
    if (!reminder.empty()) {
      code = Worse(code, kNeedsRecovery);
      std::cerr << "uringfs: " << reminder << "\n";
    }
  }
  if (text.empty() && code == kDone && !has_failed) {
    text = "no side files: nothing is left to recover\n";
  }
  std::cout << (as_json ? objects.ToString() : text);
  return has_failed ? kIoError : code;
}

}  // namespace uringfs::tool
