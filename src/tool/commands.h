// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The commands of the tool. Answers go to stdout, complaints to stderr.

#ifndef URINGFS_TOOL_COMMANDS_H_
#define URINGFS_TOOL_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "uringfs/recovery.h"

namespace uringfs::tool {

// What the process exits with.
enum ExitCode : int {
  kDone = 0,           // nothing is left to do
  kUsage = 1,          // the command line makes no sense; nothing was done
  kUnusable = 2,       // a side file cannot be applied and was left alone
  kBusy = 3,           // recover: somebody has the database or a log open
  kIoError = 4,        // a file or directory cannot be read or written
  kNeedsRecovery = 5,  // owners are dead, `recover` has work to do
};

// Which of two is told: the largest, but kNeedsRecovery, which any error hides.
constexpr ExitCode Worse(ExitCode a, ExitCode b) {
  const auto weight = [](ExitCode code) {
    return code == kNeedsRecovery ? static_cast<int>(kUsage)
                                  : static_cast<int>(code);
  };
  return weight(a) < weight(b) ? b : a;
}

struct RecoverArgs {
  bool as_json = false;
  uint32_t wait_ms = 0;
  bool is_dry_run = false;
  Unusable unusable = Unusable::kLeave;
};

ExitCode Inspect(const std::vector<std::string>& directories, bool as_json);

// `names`: numbers of processes, or programs and shared objects. Looks, and
// changes nothing. Exits with kDone, or kIoError if one cannot be looked at.
ExitCode Doctor(const std::vector<std::string>& names, bool as_json);

ExitCode Recover(const std::vector<std::string>& directories,
                 const RecoverArgs& args);

}  // namespace uringfs::tool

#endif  // URINGFS_TOOL_COMMANDS_H_
