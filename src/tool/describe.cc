// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/tool/describe.h"

namespace uringfs::tool {
namespace {

std::string Bytes(uint64_t count) {
  return std::to_string(count) + (count == 1 ? " byte" : " bytes");
}

// Accept and discard are the same then.
std::string PlanOfParted(Unusable unusable) {
  const std::string plan =
      "takes the log as it is, does without whatever its own side file held, "
      "and keeps aside what is in that one's place, if anything";
  return unusable == Unusable::kLeave
             ? "leaves everything alone, and exits with 2; with --accept or "
               "--discard " +
                   plan
             : plan;
}

std::string PlanOfUnusable(const SideFileInfo& info, Unusable unusable) {
  const std::string lost =
      info.knows_stake ? Bytes(info.at_stake) + " of acknowledged writes"
                       : "whatever it holds, which cannot be told";
  const std::string rest = info.knows_rest
                               ? Bytes(info.at_stake - info.acceptable)
                               : "an unknown number";
  // Else the log is not touched.
  const bool has_both = info.ring_bytes > 0 && info.log_bytes > 0;
  const std::string accept =
      "moves " + Bytes(info.acceptable) + " into the log" +
      (has_both ? ", cuts off what is behind a hole then (of a log that it "
                  "changes it keeps a copy),"
                : "") +
      " and does without " + rest;
  const std::string discard =
      "leaves the log as it is and does without " + lost;
  const std::string rename = " the side file and deletes nothing";
  switch (unusable) {
    case Unusable::kAccept:
      return accept + ", renames" + rename;
    case Unusable::kDiscard:
      return discard + ", renames" + rename;
    case Unusable::kLeave:
      break;
  }
  return "leaves everything alone, and exits with 2; with --accept " + accept +
         "; with --discard " + discard + "; either renames" + rename;
}

}  // namespace

std::string Plan(const SideFileInfo& info, Unusable unusable) {
  switch (info.state) {
    case SideState::kNone:
      return "has nothing to do";
    case SideState::kOwned:
      return "waits for the log's owner, and exits with 3 if it does not go";
    case SideState::kIdle:
      return "removes it: it holds nothing";
    case SideState::kWhole:
      return "moves " + Bytes(info.at_stake) +
             " into the log, makes that durable and removes the side file";
    case SideState::kOlder:
      return "cuts what is torn off the log's end, and " +
             (info.at_stake > 0 ? "does without " + Bytes(info.at_stake) +
                                      ", of which the side file is kept aside"
                                : std::string("removes the side file"));
    case SideState::kForeign:
      return info.at_stake > 0 ? "keeps it aside: its log is gone"
                               : "removes it: nothing of it is needed";
    case SideState::kUnusable:
      break;
  }
  return info.is_parted ? PlanOfParted(unusable)
                        : PlanOfUnusable(info, unusable);
}

JsonObject ToJson(const SideFileInfo& info, Unusable unusable) {
  JsonObject object;
  object.Add("path", info.path)
      .Add("log_path", info.log_path)
      .Add("state", ToString(info.state))
      .Add("reason", info.reason)
      .Add("facts", info.facts)
      .Add("recover", Plan(info, unusable))
      .AddNumber("bytes_at_stake", info.at_stake)
      .AddBool("knows_stake", info.knows_stake)
      .AddNumber("acceptable_bytes", info.acceptable)
      .AddBool("knows_rest", info.knows_rest)
      .AddBool("is_parted", info.is_parted)
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
      info.path + "\n  verdict     " + ToString(info.state) + "\n";
  if (!info.reason.empty()) {
    text += "  reason      " + info.reason + "\n";
  }
  if (!info.facts.empty()) {
    text += "  facts       " + info.facts + "\n";
  }
  text += "  at stake    " +
          (info.knows_stake ? Bytes(info.at_stake) + " that the log lacks"
                            : std::string("cannot be told")) +
          "\n";
  if (info.ring_bytes > 0) {
    text += "  owner       process " + std::to_string(info.owner_pid) +
            (info.owner_is_alive ? ", alive" : ", gone") + "\n";
    text += "  written     " + std::to_string(info.written) + "\n";
    text += "  filled      " + std::to_string(info.filled) + "\n";
    text += "  ring bytes  " + std::to_string(info.ring_bytes) + "\n";
  }
  text += "  log bytes   " + std::to_string(info.log_bytes) + "\n";
  return text + "  recover     " + Plan(info, Unusable::kLeave) + "\n";
}

}  // namespace uringfs::tool
