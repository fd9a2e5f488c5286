// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "src/tool/commands.h"
#include "src/tool/json.h"

#include "uringfs/recovery.h"

namespace uringfs::tool {
namespace {

bool HasOwner(const SideFileInfo& info) {
  return info.state == SideState::kOwned || info.state == SideState::kDead;
}

JsonObject ToJson(const SideFileInfo& info) {
  JsonObject object;
  object.Add("path", info.path)
      .Add("log_path", info.log_path)
      .Add("state", ToString(info.state))
      .Add("reason", info.reason)
      .AddNumber("owner_pid", info.owner_pid)
      .AddBool("owner_is_alive", info.owner_is_alive)
      .AddNumber("written", info.written)
      .AddNumber("filled", info.filled)
      .AddNumber("log_bytes", info.log_bytes)
      .AddNumber("ring_bytes", info.ring_bytes);
  return object;
}

std::string ToText(const SideFileInfo& info) {
  std::string text =
      info.path + "\n  state       " + ToString(info.state) + "\n";
  if (!info.reason.empty()) {
    text += "  reason      " + info.reason + "\n";
  }
  if (HasOwner(info)) {
    text += "  owner       process " + std::to_string(info.owner_pid) +
            (info.owner_is_alive ? ", alive" : ", gone") + "\n";
    text += "  written     " + std::to_string(info.written) + "\n";
    text += "  filled      " + std::to_string(info.filled) + "\n";
    text += "  ring bytes  " + std::to_string(info.ring_bytes) + "\n";
  }
  return text + "  log bytes   " + std::to_string(info.log_bytes) + "\n";
}

ExitCode CodeOf(const SideFileInfo& info) {
  switch (info.state) {
    case SideState::kDead:
      return kNeedsRecovery;
    case SideState::kRefused:
      return kRefused;
    default:
      return kDone;
  }
}

}  // namespace

ExitCode Inspect(const std::vector<std::string>& directories, bool as_json) {
  ExitCode code = kDone;
  bool has_failed = false;
  JsonArray objects;
  std::string text;
  for (const std::string& directory : directories) {
    std::vector<SideFileInfo> infos;
    const Status status = InspectDirectory(directory, &infos);
    if (!status.ok()) {
      has_failed = true;
      std::cerr << "uringfs: " << status.ToString() << "\n";
    }
    for (const SideFileInfo& info : infos) {
      code = std::max(code, CodeOf(info));
      objects.Add(ToJson(info));
      text += ToText(info);
    }
  }
  if (text.empty() && !has_failed) {
    text = "no side files: nothing is left to recover\n";
  }
  std::cout << (as_json ? objects.ToString() : text);
  return has_failed ? kIoError : code;
}

}  // namespace uringfs::tool
