// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/judge.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "uringfs/internal/shell_word.h"

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
  if (!facts.can_be_joined || facts.log_has_all) {
    return facts.LogEnd();
  }
  if (facts.has_format) {
    // A ring of another time may fit by chance, its records do.
    const uint64_t joined =
        facts.sum == Witness::kSame
            ? facts.of_both.offset
            : std::min(facts.of_both.offset, facts.of_both.in_order);
    return std::max(joined, facts.LogEnd());
  }
  return facts.sum == Witness::kOther || facts.goes_on ? facts.LogEnd()
                                                       : facts.filled;
}

Judgement Unusable(const SideFacts& facts, std::string reason) {
  Judgement judgement = Say(SideVerdict::kUnusable, std::move(reason));
  judgement.knows_stake = facts.content == SideContent::kLive;
  judgement.at_stake = facts.AtStake();
  judgement.knows_rest =
      judgement.knows_stake && facts.sum == Witness::kSame && !facts.goes_on;
  // Where RocksDB would not read them nothing is gained.
  judgement.end = facts.went_on_without ? facts.LogEnd() : JoinedEnd(facts);
  judgement.acceptable = BytesFrom(facts.LogEnd(), judgement.end);
  return judgement;
}

// The same where nobody can tell how much is missing.
Judgement UnusableForUnknown(const SideFacts& facts, std::string reason) {
  Judgement judgement = Unusable(facts, std::move(reason));
  judgement.knows_stake = false;
  judgement.knows_rest = false;
  return judgement;
}

constexpr char kWentDown[] =
    "the machine was started, or the file system mounted, since the log was "
    "written, and what was not synced then is not all there";
constexpr char kNothingMissing[] =
    "the machine was started, or the file system mounted, since the log was "
    "written, which has all that the side file speaks of";

// Since the owner wrote.
bool IsMountedAnew(const SideFacts& facts) {
  return facts.is_other_boot || facts.mount == Witness::kOther;
}

// If the file system had gone down in between, what it had not been told to
// keep may be lost, of the side file too. A copy of both files, in another
// place or on another machine, proves nothing of the kind.
bool MayHaveLost(const SideFacts& facts) {
  return facts.has_header && !facts.is_copy &&
         (facts.is_its_log || !facts.is_its_name) && IsMountedAnew(facts);
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

// The header is of another log, whose file was whole in its file system if this
// is where that one's side file went (as in earlier builds). Not if both have
// another name now.
Judgement JudgeOfOtherName(const SideFacts& facts) {
  const bool is_renamed = facts.is_its_log && facts.sum == Witness::kSame;
  if (MayHaveLost(facts) && !is_renamed) {
    return Older(facts, kWentDown);
  }
  if (facts.has_other_names || facts.filled <= facts.written) {
    return Foreign("it is another log's");
  }
  return Unusable(facts,
                  "it was written for a log of another name; give both files "
                  "their names back");
}

// A log is deleted before its side file, both while it is open, and not before
// the database has done with it.
Judgement JudgeWithoutLog(const SideFacts& facts) {
  if (!facts.is_wanted &&
      (IsMountedAnew(facts) || facts.filled <= facts.written)) {
    Judgement judgement = Foreign("its log is gone");
    judgement.at_stake = facts.AtStake();
    return judgement;
  }
  Judgement judgement = Unusable(
      facts,
      "its log, of " + std::to_string(facts.filled) + " bytes, is gone: " +
          (facts.is_wanted
               ? "the database may still need it; put it back (unless RepairDB "
                 "has moved it to lost/). If an older backup was restored here "
                 "it is not that one's"
               : "somebody has moved it, in which case put it back; or the "
                 "database was opened or destroyed without uringfs, which "
                 "deletes it; or it was recovered and deleted since, and this "
                 "is an older side file, of which nothing is missing"));
  // Else nothing of it is in the ring.
  judgement.knows_stake = judgement.at_stake > 0;
  return judgement;
}

// The stream of no other log adds up to it.
bool IsTied(const SideFacts& facts) {
  return facts.sum == Witness::kSame && facts.sum_covers_log;
}

bool IsSound(const RecordsEnd& end) {
  return end.kind == EndKind::kClean || end.kind == EndKind::kUnfinished;
}

// Whether log and ring are what the owner had promised, and belong together.
bool IsProven(const SideFacts& facts) {
  if (facts.sum == Witness::kUnknown) {
    // The owner may have none: see SideFile::PublishFilled.
    return IsAsLeft(facts) && (!facts.has_format || IsSound(facts.of_both));
  }
  return facts.sum == Witness::kSame &&
         (facts.is_its_log || facts.sum_covers_log);
}

// Of what no sum is of the records tell.
bool IsSoundInFront(const SideFacts& facts) {
  return !facts.has_format || IsSound(facts.of_both) ||
         facts.of_both.stopped_at >= facts.sum_begin;
}

// What has no records is exact only if it is cut, and only if nothing newer is
// behind what was promised. Bytes of the ring there are late writes if the
// owner wrote them after its last words; where mounts cannot be told apart,
// newer words may have been lost.
bool IsToBeCut(const SideFacts& facts) {
  const bool are_last_words = IsAsLeft(facts) && facts.mount == Witness::kSame;
  return !facts.has_format &&
         (are_last_words ? !facts.has_other_bytes : !facts.goes_on);
}

uint64_t EndOfLongLog(const SideFacts& facts) {
  if (!facts.has_format) {
    return IsToBeCut(facts) ? facts.filled : facts.log_bytes;
  }
  if (!facts.goes_on) {
    // What follows is zeros: of a record, if one is whole with them.
    return std::max(facts.of_log.offset, facts.filled);
  }
  const EndKind kind = facts.of_log.kind;
  const bool is_certain = IsAsLeft(facts) && facts.mount == Witness::kSame;
  const bool is_exact =
      kind == EndKind::kClean || (kind == EndKind::kDamaged && !is_certain);
  return is_exact ? facts.log_bytes
                  : std::max(facts.of_log.offset, facts.filled);
}

// The side file's last words are older than the log, and it is not a file
// system that lost newer ones: an older side file was put in this place, or the
// two were copied at different times. What was promised in between is not
// known.
bool IsOutdated(const SideFacts& facts) {
  return facts.goes_on && facts.has_other_bytes && !MayHaveLost(facts);
}

// The log has by itself all that the side file speaks of.
Judgement JudgeLongLog(const SideFacts& facts) {
  // By itself: the ring may be of any time.
  const bool is_proven =
      IsProven(facts) && (facts.log_has_all || facts.sum == Witness::kUnknown);
  if (is_proven && IsOutdated(facts)) {
    return UnusableForUnknown(
        facts,
        "the log goes on, for " +
            std::to_string(BytesFrom(facts.filled, facts.log_bytes)) +
            " bytes, behind all that it knows of: it is an older one that was "
            "put in this place, or the two were copied at different times (if "
            "the database was closed before the log was copied, the log is "
            "whole)");
  }
  if (is_proven && (!MayHaveLost(facts) || IsToBeCut(facts))) {
    return Whole(facts, EndOfLongLog(facts));
  }
  if (MayHaveLost(facts)) {
    Judgement judgement = Older(facts, is_proven ? kNothingMissing : kWentDown);
    judgement.at_stake = is_proven ? 0 : BytesFrom(facts.written, facts.filled);
    return judgement;
  }
  if (facts.filled <= facts.written && facts.has_format) {
    return Foreign("the log was replaced since, and it has nothing to add");
  }
  if (facts.filled <= facts.written) {
    // How long the file is proves nothing: its end may be zeros.
    return UnusableForUnknown(
        facts,
        "the log beside it, of which nobody can tell where its records end (it "
        "is encrypted?), is not what was promised in its first " +
            std::to_string(facts.filled) +
            " bytes: it was changed or replaced since, or copied earlier than "
            "the side file");
  }
  if (facts.is_its_log && facts.mount == Witness::kUnknown &&
      facts.sum == Witness::kUnknown) {
    Judgement judgement = Older(facts, "the log is newer");
    judgement.at_stake = facts.filled - facts.written;
    return judgement;
  }
  Judgement judgement = Unusable(
      facts,
      "the log beside it was changed or replaced since, or the two are of "
      "different databases, or were copied while the database was open: it has "
      "other bytes than were promised");
  judgement.at_stake = facts.filled - facts.written;
  return judgement;
}

// Whether the joined stream may end at `filled`. A log that lacks something in
// front of that was never synced behind it, so what is there is a late write of
// the owner's, of bytes that the ring has; else somebody has changed it. A copy
// may have been made later than that of the side file.
bool MayEndAtFilled(const SideFacts& facts) {
  return IsAsLeft(facts) || MayHaveLost(facts) ? !facts.has_other_bytes
                                               : !facts.goes_on;
}

std::string WhyNotJoined(const SideFacts& facts) {
  if (!facts.can_be_joined) {
    return "the log has " + std::to_string(facts.log_bytes) +
           " bytes, and had " +
           std::to_string(std::min(facts.written, facts.filled)) +
           " when this was written: it was cut, or replaced by an older one or "
           "that of another database; put the right one back";
  }
  if (facts.sum == Witness::kSame && IsSoundInFront(facts)) {
    return !MayEndAtFilled(facts)
               ? "the log goes on otherwise than was promised: it was changed, "
                 "or copied later than the side file"
               : "the log beside it is not the file it was written for, and "
                 "they have no bytes in common that would prove that they "
                 "belong together";
  }
  return "log and side file together are not what was promised" +
         (facts.has_format && !IsSound(facts.of_both)
              ? " (" + facts.of_both.reason + ")"
              : std::string()) +
         ": one of them was changed, or they were copied while the database "
         "was open";
}

// The log lacks something below `filled`.
Judgement JudgeShortLog(const SideFacts& facts) {
  if (facts.can_be_joined && IsProven(facts) && IsSoundInFront(facts) &&
      MayEndAtFilled(facts)) {
    return facts.went_on_without
               ? Unusable(facts,
                          "the database was opened without uringfs since its "
                          "process was killed, and has gone on without these "
                          "writes: RocksDB would pass over them, or mix them "
                          "with newer ones")
               : Whole(facts, facts.filled);
  }
  return MayHaveLost(facts) ? Older(facts, kWentDown)
                            : Unusable(facts, WhyNotJoined(facts));
}

Judgement JudgeLive(const SideFacts& facts) {
  if (!facts.is_its_name && !IsTied(facts)) {
    return JudgeOfOtherName(facts);
  }
  if (!facts.has_log) {
    return JudgeWithoutLog(facts);
  }
  if (!facts.distrust.empty() && facts.AtStake() > 0) {
    return Unusable(facts, facts.distrust);
  }
  return facts.AtStake() == 0 ? JudgeLongLog(facts) : JudgeShortLog(facts);
}

// Its owner had closed the log, whole by itself, and what is beside it now is
// less.
bool IsLessThanClosed(const SideFacts& facts) {
  if (!facts.has_log || facts.log_has_all) {
    return false;
  }
  // Without a sum records tell, but not how long the last one is to be.
  const bool looks_less = facts.sum == Witness::kUnknown && facts.has_format &&
                          !IsSound(facts.of_log) && facts.AtStake() > 0;
  return facts.log_bytes < facts.filled || facts.sum == Witness::kOther ||
         looks_less;
}

Judgement JudgeIdle(const SideFacts& facts) {
  if (facts.is_wanted && facts.filled > 0) {
    return JudgeWithoutLog(facts);
  }
  if (facts.has_log && MayHaveLost(facts)) {
    return Older(facts, kWentDown);
  }
  if (!IsLessThanClosed(facts)) {
    return Say(SideVerdict::kIdle, "it belongs to no log");
  }
  Judgement judgement = UnusableForUnknown(
      facts,
      "the log beside it has not the " + std::to_string(facts.filled) +
          " bytes that it was closed with: it was copied earlier than the side "
          "file, while the database was open, or it was cut or replaced since");
  judgement.knows_stake = facts.AtStake() > 0;
  return judgement;
}

// Of a log that was parted from its side file, for which `reason` is one.
Judgement Parted(std::string reason) {
  Judgement judgement = Say(SideVerdict::kUnusable, std::move(reason));
  judgement.knows_stake = false;
  judgement.is_parted = true;
  return judgement;
}

Judgement LeftBehind(const SideFacts& facts, const std::string& what_is_there) {
  return Parted(
      what_is_there + ", though the log, of " +
      std::to_string(facts.log_bytes) +
      " bytes, was left with one of its own: whoever moved or copied the "
      "log (`mv *.log`) has left that behind, or removed it; put it there. "
      "(Nothing is missing if the log was written over as a whole since, "
      "or copied, attributes and all, while the database was open and with "
      "what GetSortedWalFiles named)");
}

// The log was left with another one, whatever this one says; or this is a copy
// of its own from before that was live.
bool IsOfAnother(const SideFacts& facts) {
  // A file system that went down leaves that too.
  const bool is_early = facts.content == SideContent::kIdle &&
                        !facts.has_words &&
                        (facts.is_copy || facts.mount == Witness::kSame);
  return facts.is_marked && facts.has_header && (!facts.is_named || is_early);
}

// In the same mount only somebody who writes to it takes the first page away;
// of a copy, whoever breaks off the copying.
bool IsEffaced(const SideFacts& facts) {
  const bool is_headless =
      facts.content == SideContent::kTornHeader ||
      (facts.content == SideContent::kBlank && facts.has_size);
  return facts.is_marked && is_headless &&
         (facts.is_copy || facts.marked_mount == Witness::kSame);
}

Judgement Effaced(const SideFacts& facts) {
  return Parted(
      "its first page is gone, though the log, of " +
      std::to_string(facts.log_bytes) +
      " bytes, was left with a whole one: it was written over, its copying was "
      "broken off, or it was copied from a file system that had gone down; put "
      "a whole copy of it there");
}

// By what is in the side file.
Judgement JudgeContent(const SideFacts& facts) {
  switch (facts.content) {
    case SideContent::kMissing:
      return Say(SideVerdict::kNone, "");
    case SideContent::kLost:
      return LeftBehind(facts, "it is not there, or empty");
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
      return JudgeIdle(facts);
    case SideContent::kTornHeader:
      return Older(facts, kWentDown);
    case SideContent::kGarbled:
      return JudgeGarbled(facts);
    case SideContent::kLive:
      break;
  }
  return JudgeLive(facts);
}

// As it is from wherever the message is read.
std::string AbsolutePath(const std::string& path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.string();
}

}  // namespace

uint64_t SideFacts::LogEnd() const {
  if (!has_format) {
    return log_has_all ? filled : std::min({log_bytes, written, filled});
  }
  // Padding behind the last record is no record.
  const uint64_t end =
      of_log.kind == EndKind::kClean ? log_bytes : of_log.offset;
  return log_has_all ? std::max(end, filled) : end;
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
  if (IsOfAnother(facts)) {
    return LeftBehind(facts,
                      "another one, or an earlier copy, is in its place");
  }
  return IsEffaced(facts) ? Effaced(facts) : JudgeContent(facts);
}

std::string UnusableMessage(const std::string& log_path,
                            const Judgement& judgement) {
  const std::string path = AbsolutePath(log_path);
  const std::string directory = ShellWord(DirectoryPrefixOf(path));
  const std::string bytes =
      judgement.knows_stake
          ? std::to_string(judgement.at_stake) +
                " bytes of acknowledged writes are missing in the log of this "
                "side file"
          : "acknowledged writes may be missing in the log of this side file";
  const std::string what_they_do =
      judgement.is_parted ? "` both take the log as it is"
                          : "` does without; both keep a copy of the side file";
  return SidePathOf(path) + ": " + bytes +
         (judgement.is_parted ? ": " : ", and it cannot be applied: ") +
         judgement.reason +
         ". Nothing is opened without them, and nothing was changed. Mend "
         "that, or choose: `uringfs recover --accept " +
         directory +
         (judgement.is_parted ? "` and `"
                              : "` moves into the log what fits, `") +
         "uringfs recover --discard " + directory + what_they_do +
         " (name the database, too, if this is its wal_dir); with --dry-run "
         "they only say what they would do";
}

}  // namespace uringfs
