// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/recovery/look.h"

#include "uringfs/recovery.h"

namespace uringfs {
namespace {

SideState StateOf(const SideLook& look) {
  if (look.is_owned) {
    return SideState::kOwned;
  }
  switch (look.judgement.verdict) {
    case SideVerdict::kNone:
      return SideState::kNone;
    case SideVerdict::kIdle:
      return SideState::kIdle;
    case SideVerdict::kWhole:
      return SideState::kWhole;
    case SideVerdict::kOlder:
      return SideState::kOlder;
    case SideVerdict::kForeign:
      return SideState::kForeign;
    case SideVerdict::kUnusable:
      break;
  }
  return SideState::kUnusable;
}

void Describe(const SideLook& look, SideFileInfo* info) {
  const Side& side = look.side;
  info->state = StateOf(look);
  info->reason = info->state == SideState::kUnusable
                     ? UnusableMessage(info->log_path, look.judgement)
                     : look.judgement.reason;
  info->facts = look.is_owned ? "" : ToText(look.facts);
  info->at_stake = look.judgement.at_stake;
  info->knows_stake = look.judgement.knows_stake;
  info->is_parted = look.judgement.is_parted;
  info->log_bytes = side.has_log ? static_cast<uint64_t>(side.log.st_size) : 0;
  if (!side.has_header) {
    return;
  }
  info->owner_pid = side.header.owner_pid;
  info->owner_is_alive = IsOwnerAlive(side.header);
  info->written = side.words.written;
  info->filled = side.words.filled;
  info->ring_bytes = SideRingBytes(side.header);
  info->acceptable = look.judgement.acceptable;
  info->knows_rest = look.judgement.knows_rest;
}

}  // namespace

Status InspectLog(const std::string& log_path, const LogFormat* format,
                  SideFileInfo* info) {
  *info = SideFileInfo();
  info->path = SidePathOf(log_path);
  info->log_path = log_path;
  SideLook look;
  Status status = LookOnce(log_path, format, &look);
  if (status.ok()) {
    Describe(look, info);
  }
  return status;
}

}  // namespace uringfs
