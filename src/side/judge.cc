// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/judge.h"

#include <algorithm>
#include <utility>

namespace uringfs {
namespace {

Judgement Say(SideVerdict verdict, std::string reason) {
  Judgement judgement;
  judgement.verdict = verdict;
  judgement.reason = std::move(reason);
  return judgement;
}

// How far `end` is behind `begin`; 0 if it is not.
uint64_t BytesFrom(uint64_t begin, uint64_t end) {
  return end > begin ? end - begin : 0;
}

Judgement Whole(const SideFacts& facts, uint64_t end) {
  Judgement judgement = Say(SideVerdict::kWhole, "");
  judgement.end = end;
  judgement.at_stake = BytesFrom(facts.LogEnd(), std::min(end, facts.filled));
  return judgement;
}

Judgement Older(const SideFacts& facts, std::string reason) {
  Judgement judgement = Say(SideVerdict::kOlder, std::move(reason));
  // Of its own log it speaks. If it speaks of an earlier one, or of none, its
  // first page was lost with the same power.
  judgement.may_be_torn = facts.is_its_log || !facts.is_its_name;
  judgement.at_stake =
      facts.content == SideContent::kLive ? facts.AtStake() : 0;
  return judgement;
}

Judgement Foreign(std::string reason) {
  return Say(SideVerdict::kForeign, std::move(reason));
}

// How far log and ring go together.
uint64_t JoinedEnd(const SideFacts& facts) {
  if (!facts.can_be_joined) {
    return facts.LogEnd();
  }
  return facts.has_format ? std::max(facts.of_both.offset, facts.LogEnd())
                          : facts.filled;
}

Judgement Unusable(const SideFacts& facts, std::string reason) {
  Judgement judgement = Say(SideVerdict::kUnusable, std::move(reason));
  judgement.knows_stake = facts.content == SideContent::kLive;
  judgement.at_stake = facts.AtStake();
  judgement.end = JoinedEnd(facts);
  judgement.acceptable = BytesFrom(facts.LogEnd(), judgement.end);
  return judgement;
}

constexpr char kWentDown[] =
    "the machine was started, or the file system mounted, since the log was "
    "written, and what was not synced then is not all there";

// Since the owner wrote.
bool IsMountedAnew(const SideFacts& facts) {
  return facts.is_other_boot || facts.mount == Witness::kOther;
}

// If the file system had gone down in between, what it had not been told to
// keep may be lost, of the side file too. A copy of both files, in another
// place or on another machine, proves nothing of the kind.
bool MayHaveLost(const SideFacts& facts) {
  return facts.has_header && (facts.is_its_log || !facts.is_its_name) &&
         IsMountedAnew(facts);
}

// Whether the two are as the owner's death left them, so that nothing in them
// was lost.
bool IsAsLeft(const SideFacts& facts) {
  return facts.is_its_log && facts.is_its_name && !IsMountedAnew(facts);
}

Judgement JudgeGarbled(const SideFacts& facts) {
  return MayHaveLost(facts) ? Older(facts, kWentDown)
                            : Unusable(facts, facts.complaint);
}

// A side file serves one log after the other: the header is of another log,
// whose file was whole in its file system before this one's name was taken
// over.
Judgement JudgeOfOtherName(const SideFacts& facts) {
  // Not if both have another name now.
  if (MayHaveLost(facts) && !facts.is_its_log) {
    return Older(facts, kWentDown);
  }
  if (facts.has_other_names || facts.filled <= facts.written) {
    return Foreign("it is another log's");
  }
  return Unusable(facts,
                  "it was written for a log of another name; give both files "
                  "their names back");
}

Judgement JudgeWithoutLog(const SideFacts& facts) {
  // A log is deleted before its side file, and both while it is open.
  if (IsMountedAnew(facts) || facts.filled <= facts.written ||
      facts.has_other_names) {
    return Foreign("its log is gone");
  }
  return Unusable(facts,
                  "its log is gone: the database was opened without uringfs, "
                  "which deletes it, or somebody moved it; if it is to be had, "
                  "put it back beside it");
}

// The log has whole records up to `filled`, so the ring has nothing new.
Judgement JudgeLongLog(const SideFacts& facts) {
  // A copy of one that lost something too: what it has is longer than what is
  // told of it.
  if (MayHaveLost(facts) || (facts.is_other_boot && !facts.agree)) {
    Judgement judgement = Older(facts, kWentDown);
    judgement.at_stake =
        facts.agree ? 0 : BytesFrom(facts.written, facts.filled);
    return judgement;
  }
  if (facts.agree) {
    const EndKind kind = facts.of_log.kind;
    const bool is_exact = kind == EndKind::kClean ||
                          (kind == EndKind::kDamaged && !IsAsLeft(facts));
    return Whole(facts, is_exact ? facts.log_bytes : facts.of_log.offset);
  }
  if (facts.filled <= facts.written) {
    return Foreign("the log was replaced since, and it has nothing to add");
  }
  if (facts.is_its_log && facts.mount == Witness::kUnknown) {
    return Older(facts, "the log is newer");
  }
  Judgement judgement = Unusable(
      facts,
      "the log beside it was changed or replaced since, or the two are of "
      "different databases, or were copied while the database was open: it has "
      "other bytes where both have some");
  judgement.at_stake = facts.filled - facts.written;
  return judgement;
}

// Whether the ring's bytes, after a mount, are of this log and of this lap:
// they share some with the log, and go on from its numbers.
bool IsBoundToItsLog(const SideFacts& facts) {
  return MayHaveLost(facts) && facts.agree && facts.has_overlap &&
         facts.of_log.has_numbers && facts.of_both.has_numbers;
}

// Whether all that was acknowledged is there: whole records up to `filled`; or
// to within the last of them, since RocksDB may flush there. Of that one
// nothing can be checked, so the two have to be those that the owner had.
bool IsJoinedWhole(const SideFacts& facts) {
  const RecordsEnd& both = facts.of_both;
  if (!facts.can_be_joined || (!both.is_ordered && !IsAsLeft(facts))) {
    return false;
  }
  return both.kind == EndKind::kClean ||
         (both.kind == EndKind::kUnfinished &&
          (IsAsLeft(facts) || IsBoundToItsLog(facts)));
}

uint64_t EndOfJoined(const SideFacts& facts) {
  return facts.of_both.kind == EndKind::kClean || IsAsLeft(facts)
             ? facts.filled
             : facts.of_both.offset;
}

bool BelongTogether(const SideFacts& facts) {
  return facts.agree && (facts.is_its_log || facts.has_overlap);
}

std::string WhyNotJoined(const SideFacts& facts) {
  if (!facts.can_be_joined) {
    return "the log has " + std::to_string(facts.log_bytes) +
           " bytes, and had " +
           std::to_string(std::min(facts.written, facts.filled)) +
           " when this was written: it was cut, or replaced by an older one or "
           "that of another database; put the right one back";
  }
  if (facts.of_both.kind == EndKind::kClean && facts.of_both.is_ordered) {
    return "the log beside it is not the file it was written for, and they "
           "have no bytes in common that would prove that they belong "
           "together";
  }
  return "log and side file together are not whole records (" +
         (facts.of_both.reason.empty() ? "their numbers go back"
                                       : facts.of_both.reason) +
         "): one of them was changed, or they were copied while the database "
         "was open";
}

// The log's records end in front of `filled`.
Judgement JudgeShortLog(const SideFacts& facts) {
  if (IsJoinedWhole(facts) && BelongTogether(facts)) {
    if (facts.went_on_without) {
      return Unusable(facts,
                      "the database was opened without uringfs since its "
                      "process was killed, and has gone on without these "
                      "writes: they would be mixed with newer ones");
    }
    if (EndOfJoined(facts) > facts.LogEnd()) {
      return Whole(facts, EndOfJoined(facts));
    }
  }
  return MayHaveLost(facts) ? Older(facts, kWentDown)
                            : Unusable(facts, WhyNotJoined(facts));
}

std::string WhyNotPlain(const SideFacts& facts) {
  if (!facts.is_its_log) {
    return "the log beside it is not the file it was written for, and its "
           "format is not known, so nothing proves that they belong together: "
           "if both are copies, recover the original and copy it again";
  }
  return MayHaveLost(facts)
             ? "the machine was started, or the file system mounted, since the "
               "log was written; and the log's format is not known, so nothing "
               "proves that the side file is all there"
             : "the log has changed since";
}

// Bytes of a kind we know nothing of: there is no proof but that they are
// where the owner left them.
Judgement JudgePlainLog(const SideFacts& facts) {
  const bool fits = facts.agree && facts.can_be_joined;
  if (fits && IsAsLeft(facts)) {
    return Whole(facts, facts.filled);
  }
  const bool has_lost = MayHaveLost(facts);
  if (facts.AtStake() == 0) {
    return has_lost ? Older(facts, kWentDown)
                    : Foreign(
                          "the log was changed since, and it has nothing "
                          "to add");
  }
  return has_lost && !fits ? Older(facts, kWentDown)
                           : Unusable(facts, WhyNotPlain(facts));
}

Judgement JudgeLive(const SideFacts& facts) {
  if (!facts.is_its_name) {
    return JudgeOfOtherName(facts);
  }
  if (!facts.has_log) {
    return JudgeWithoutLog(facts);
  }
  if (!facts.distrust.empty() && facts.AtStake() > 0) {
    return Unusable(facts, facts.distrust);
  }
  if (!facts.has_format) {
    return JudgePlainLog(facts);
  }
  return facts.AtStake() == 0 ? JudgeLongLog(facts) : JudgeShortLog(facts);
}

// As a shell reads it back.
std::string ShellWord(const std::string& text) {
  const bool is_plain = text.find_first_not_of(
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "abcdefghijklmnopqrstuvwxyz"
                            "0123456789/._-+=:,@%") == std::string::npos;
  if (is_plain) {
    return text;
  }
  std::string word = "'";
  for (const char c : text) {
    word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return word + "'";
}

}  // namespace

uint64_t SideFacts::LogEnd() const {
  if (!has_format) {
    return std::min({log_bytes, written, filled});
  }
  // Padding behind the last record is no record.
  return of_log.kind == EndKind::kClean ? log_bytes : of_log.offset;
}

uint64_t SideFacts::AtStake() const {
  return BytesFrom(has_log ? LogEnd() : std::min(written, filled), filled);
}

const char* ToString(SideVerdict verdict) {
  switch (verdict) {
    case SideVerdict::kNone:
      return "none";
    case SideVerdict::kIdle:
      return "idle";
    case SideVerdict::kWhole:
      return "whole";
    case SideVerdict::kOlder:
      return "older";
    case SideVerdict::kForeign:
      return "foreign";
    case SideVerdict::kUnusable:
      return "unusable";
  }
  return "unknown";
}

Judgement Judge(const SideFacts& facts) {
  switch (facts.content) {
    case SideContent::kMissing:
      return Say(SideVerdict::kNone, "");
    case SideContent::kBlank:
      // Its maker died before there was anything in it; or the machine went
      // down before its first page was written. The log tells.
      if (facts.has_log && facts.has_size) {
        return Older(facts, "its first page was never written");
      }
      // Only its name tells whose it is.
      return facts.is_log_name
                 ? Say(SideVerdict::kIdle, "it belongs to no log")
                 : Foreign("it is empty, and no log is beside it");
    case SideContent::kIdle:
      if (facts.has_log && MayHaveLost(facts)) {
        return Older(facts, kWentDown);
      }
      return Say(SideVerdict::kIdle, "it belongs to no log");
    case SideContent::kTornHeader:
      return Older(facts, kWentDown);
    case SideContent::kGarbled:
      return JudgeGarbled(facts);
    case SideContent::kLive:
      break;
  }
  return JudgeLive(facts);
}

std::string UnusableMessage(const std::string& log_path,
                            const Judgement& judgement) {
  const std::string directory = ShellWord(DirectoryPrefixOf(log_path));
  const std::string bytes =
      judgement.knows_stake
          ? std::to_string(judgement.at_stake) +
                " bytes of acknowledged writes are missing in the log of this "
                "side file"
          : "this side file may hold acknowledged writes that its log lacks";
  return SidePathOf(log_path) + ": " + bytes +
         ", and it cannot be applied: " + judgement.reason +
         ". Nothing is opened without them, and nothing was changed. Mend "
         "that, or choose: `uringfs recover --accept " +
         directory + "` moves into the log what fits, `uringfs recover " +
         "--discard " + directory +
         "` does without; both keep a copy of the side file, and with "
         "--dry-run they only say what they would do";
}

}  // namespace uringfs
