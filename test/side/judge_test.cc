// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The judge, asked about every combination of facts. (What facts files have:
// test/recovery.)

#include "src/side/judge.h"

#include <initializer_list>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs {
namespace {

constexpr uint64_t kWritten = 1000;
constexpr uint64_t kFilled = 2000;
constexpr uint64_t kSumBegin = 500;

constexpr Witness kWitnesses[] = {Witness::kSame, Witness::kOther,
                                  Witness::kUnknown};

SideFacts FactsOf(unsigned bits) {
  SideFacts facts;
  facts.content = SideContent::kLive;
  facts.has_header = true;
  facts.filled = kFilled;
  facts.sum_begin = kSumBegin;
  facts.has_log = (bits & 1) != 0;
  facts.has_other_names = (bits & 2) != 0;
  facts.is_its_log = (bits & 4) != 0 && facts.has_log;
  facts.is_its_name = (bits & 8) != 0;
  facts.is_other_boot = (bits & 16) != 0;
  facts.log_has_all = (bits & 32) != 0;
  facts.sum_covers_log = (bits & 64) != 0;
  facts.can_be_joined = (bits & 128) != 0;
  facts.has_format = (bits & 256) != 0;
  facts.went_on_without = (bits & 512) != 0;
  facts.distrust = (bits & 1024) != 0 ? "not to be trusted" : "";
  facts.goes_on = (bits & 2048) != 0;
  facts.has_other_bytes = (bits & 4096) != 0;
  facts.is_wanted = (bits & 8192) != 0 && !facts.has_log;
  facts.is_marked = (bits & 16384) != 0 && facts.has_log;
  facts.is_named = facts.is_marked && facts.is_its_log;
  facts.log_bytes = facts.can_be_joined ? 3000 : 950;
  return facts;
}

// Calls `check` with all combinations of what the records may be.
template <class Check>
void ForAllRecords(SideFacts facts, const Check& check) {
  for (const uint64_t log_end : {uint64_t{900}, kFilled, kFilled + 300}) {
    for (const EndKind kind : {EndKind::kClean, EndKind::kUnfinished,
                               EndKind::kTorn, EndKind::kDamaged}) {
      for (const uint64_t stopped_at : {kSumBegin - 1, kSumBegin + 1}) {
        facts.of_log.offset = log_end;
        facts.of_log.kind = kind;
        facts.of_both.kind = kind;
        facts.of_both.stopped_at = stopped_at;
        facts.of_both.offset = kind == EndKind::kClean ? kFilled : stopped_at;
        if (log_end <= facts.log_bytes) {
          check(facts);
        }
      }
    }
  }
}

// The same with all that may be known of a live one.
template <class Check>
void ForAllFacts(const Check& check) {
  for (unsigned bits = 0; bits < 1u << 15; ++bits) {
    SideFacts facts = FactsOf(bits);
    for (const Witness mount : kWitnesses) {
      for (const Witness sum : kWitnesses) {
        for (const uint64_t written : {kWritten, kFilled + 500}) {
          facts.mount = mount;
          facts.sum = sum;
          facts.written = written;
          if (!facts.log_has_all ||
              (sum == Witness::kSame && facts.can_be_joined)) {
            ForAllRecords(facts, check);
          }
        }
      }
    }
  }
}

bool WasMountedAnew(const SideFacts& facts) {
  return facts.is_other_boot || facts.mount == Witness::kOther;
}

// A copy proves nothing of the kind.
bool MayHaveLost(const SideFacts& facts) {
  return WasMountedAnew(facts) && (facts.is_its_log || !facts.is_its_name);
}

bool IsAsLeft(const SideFacts& facts) {
  return facts.is_its_log && facts.is_its_name && !WasMountedAnew(facts);
}

bool IsProven(const SideFacts& facts) {
  return facts.can_be_joined && facts.sum == Witness::kSame &&
         (facts.is_its_log || facts.sum_covers_log);
}

// In front of what the sum is of.
bool IsDamagedInFront(const SideFacts& facts) {
  return facts.has_format && facts.of_both.kind != EndKind::kClean &&
         facts.of_both.kind != EndKind::kUnfinished &&
         facts.of_both.stopped_at < facts.sum_begin;
}

// Of a log that lacks something.
bool MayCut(const SideFacts& facts) {
  return IsAsLeft(facts) || MayHaveLost(facts) ? !facts.has_other_bytes
                                               : !facts.goes_on;
}

// Of one that does not.
bool MayCutWhole(const SideFacts& facts) {
  return IsAsLeft(facts) && facts.mount == Witness::kSame
             ? !facts.has_other_bytes
             : !facts.goes_on;
}

// What the ring has must reach the log.
bool HasToBeWhole(const SideFacts& facts) {
  const bool is_tied = facts.is_its_name || facts.sum_covers_log;
  return facts.has_log && is_tied && IsProven(facts) &&
         facts.distrust.empty() && !facts.went_on_without &&
         !IsDamagedInFront(facts) && MayCut(facts);
}

void CheckWhole(const SideFacts& facts, const Judgement& judgement) {
  EXPECT_GE(judgement.end, facts.filled);
  // Zeros behind what was promised are nothing, but in a whole record.
  EXPECT_GE(judgement.end, facts.goes_on || !facts.has_format
                               ? facts.LogEnd()
                               : std::max(facts.of_log.offset, facts.filled));
  EXPECT_TRUE(facts.has_log);
  EXPECT_TRUE(facts.is_its_name ||
              (facts.sum == Witness::kSame && facts.sum_covers_log));
  // Of what is no record nobody knows where it ends.
  EXPECT_TRUE(facts.has_format || facts.AtStake() > 0 || MayCutWhole(facts) ||
              judgement.end >= facts.log_bytes);
  if (facts.AtStake() > 0) {
    EXPECT_TRUE(HasToBeWhole(facts) ||
                (IsAsLeft(facts) && facts.sum == Witness::kUnknown));
    EXPECT_FALSE(facts.went_on_without || !facts.distrust.empty());
    EXPECT_TRUE(facts.can_be_joined);
    EXPECT_TRUE(MayCut(facts));
  }
}

// The rule behind all: less than was acknowledged only where the file system
// itself may have lost it.
void CheckVerdict(const SideFacts& facts, const Judgement& judgement) {
  const bool needs_ring = facts.AtStake() > 0;
  switch (judgement.verdict) {
    case SideVerdict::kWhole:
      CheckWhole(facts, judgement);
      break;
    case SideVerdict::kOlder:
      EXPECT_TRUE(MayHaveLost(facts) || (!needs_ring && facts.is_its_log &&
                                         facts.mount == Witness::kUnknown &&
                                         facts.sum == Witness::kUnknown));
      EXPECT_FALSE(needs_ring && HasToBeWhole(facts));
      EXPECT_EQ(judgement.may_be_torn, facts.is_its_log || !facts.is_its_name);
      EXPECT_FALSE(facts.is_marked && !facts.is_named);
      break;
    case SideVerdict::kForeign:
      EXPECT_TRUE(facts.filled <= facts.written || facts.has_other_names ||
                  !needs_ring || (!facts.has_log && WasMountedAnew(facts)));
      EXPECT_FALSE(facts.is_wanted && facts.is_its_name);
      // A file that is long enough is no log that is.
      EXPECT_TRUE(facts.has_format || !facts.has_log || !facts.is_its_name);
      EXPECT_FALSE(facts.is_marked && !facts.is_named);
      break;
    case SideVerdict::kUnusable:
      EXPECT_EQ(judgement.is_parted, facts.is_marked && !facts.is_named);
      if (judgement.is_parted) {
        break;
      }
      EXPECT_FALSE((needs_ring || facts.log_has_all) && HasToBeWhole(facts));
      EXPECT_FALSE(judgement.reason.empty());
      EXPECT_TRUE(judgement.knows_stake || !facts.has_log ||
                  (facts.goes_on && facts.has_other_bytes) ||
                  !facts.has_format);
      break;
    default:
      ADD_FAILURE() << "a live file is none of that";
  }
}

TEST(JudgeTest, NothingAcknowledgedIsGivenUpForNoReason) {
  int unusable = 0;
  int whole = 0;
  ForAllFacts([&](const SideFacts& facts) {
    if (::testing::Test::HasFailure()) {
      return;
    }
    const Judgement judgement = Judge(facts);
    whole += judgement.verdict == SideVerdict::kWhole ? 1 : 0;
    unusable += judgement.verdict == SideVerdict::kUnusable ? 1 : 0;
    CheckVerdict(facts, judgement);
    if (::testing::Test::HasFailure()) {
      ADD_FAILURE() << ToString(judgement.verdict) << ": " << ToText(facts);
    }
  });
  EXPECT_GT(unusable, 0);
  EXPECT_GT(whole, 0);
}

SideFacts AsLeft() {
  SideFacts facts;
  facts.content = SideContent::kLive;
  facts.has_header = true;
  facts.has_log = true;
  facts.is_its_log = true;
  facts.is_its_name = true;
  facts.mount = Witness::kSame;
  facts.written = kWritten;
  facts.filled = kFilled;
  facts.log_bytes = kWritten;
  facts.sum = Witness::kSame;
  facts.sum_covers_log = true;
  facts.sum_begin = kSumBegin;
  facts.can_be_joined = true;
  facts.has_format = true;
  facts.of_log.offset = 950;
  facts.of_log.kind = EndKind::kUnfinished;
  facts.of_both.offset = kFilled;
  return facts;
}

TEST(JudgeTest, AKill) {
  const SideFacts facts = AsLeft();
  const Judgement judgement = Judge(facts);
  EXPECT_EQ(judgement.verdict, SideVerdict::kWhole);
  EXPECT_EQ(judgement.end, kFilled);
  EXPECT_EQ(judgement.at_stake, kFilled - 950);
}

TEST(JudgeTest, ACopyNeedsProof) {
  SideFacts facts = AsLeft();
  facts.is_its_log = false;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kWhole);
  facts.of_both.kind = EndKind::kUnfinished;
  facts.of_both.offset = kFilled - 100;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kWhole);
  // A log that has another side file's stream by itself is none of it.
  facts.sum_covers_log = false;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kUnusable);
  for (const Witness sum : {Witness::kOther, Witness::kUnknown}) {
    facts.sum_covers_log = true;
    facts.sum = sum;
    EXPECT_EQ(Judge(facts).verdict, SideVerdict::kUnusable);
  }
}

TEST(JudgeTest, AMountNeedsProof) {
  for (const bool has_format : {true, false}) {
    SideFacts facts = AsLeft();
    facts.mount = Witness::kOther;
    facts.has_format = has_format;
    EXPECT_EQ(Judge(facts).verdict, SideVerdict::kWhole);
    facts.goes_on = true;  // with bytes of the ring
    EXPECT_EQ(Judge(facts).verdict, SideVerdict::kWhole);
    facts.has_other_bytes = true;
    EXPECT_EQ(Judge(facts).verdict, SideVerdict::kOlder);
    facts.has_other_bytes = false;
    for (const Witness sum : {Witness::kOther, Witness::kUnknown}) {
      facts.goes_on = false;
      facts.sum = sum;
      EXPECT_EQ(Judge(facts).verdict, SideVerdict::kOlder);
    }
  }
}

// Who cannot tell mounts apart does not know whether the side file's words are
// the last ones.
TEST(JudgeTest, ALogThatGoesOnIsNotCutIfTheMountIsNotKnown) {
  SideFacts facts = AsLeft();
  facts.has_format = false;
  facts.log_has_all = true;
  facts.goes_on = true;  // with bytes of the ring
  facts.log_bytes = 3000;
  EXPECT_EQ(Judge(facts).end, kFilled);
  facts.mount = Witness::kUnknown;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kWhole);
  EXPECT_EQ(Judge(facts).end, 3000u);
}

// A value of zeros: nothing but the record says that it is there.
TEST(JudgeTest, AWholeRecordThatEndsInZerosIsNotCut) {
  SideFacts facts = AsLeft();
  facts.log_has_all = true;
  facts.log_bytes = 4096;
  facts.of_log.kind = EndKind::kTorn;  // zeros behind the last record
  facts.of_log.offset = kFilled + 500;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kWhole);
  EXPECT_EQ(Judge(facts).end, kFilled + 500);
  facts.of_log.offset = kFilled - 5;
  EXPECT_EQ(Judge(facts).end, kFilled);
}

TEST(JudgeTest, ALongerLogWithOtherBytesIsNotNewer) {
  SideFacts facts = AsLeft();
  facts.of_log.offset = kFilled + 300;
  facts.log_bytes = 3000;
  facts.mount = Witness::kUnknown;
  facts.sum = Witness::kOther;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kUnusable);
  facts.sum = Witness::kUnknown;
  facts.of_both.kind = EndKind::kDamaged;
  const Judgement judgement = Judge(facts);
  EXPECT_EQ(judgement.verdict, SideVerdict::kOlder);
  EXPECT_GT(judgement.at_stake, 0u) << "so that it is kept beside";
}

TEST(JudgeTest, AClosedLogHasWhatItWasClosedWith) {
  SideFacts facts;
  facts.content = SideContent::kIdle;
  facts.has_header = true;
  facts.has_log = true;
  facts.is_its_name = true;
  facts.mount = Witness::kSame;
  facts.written = kFilled;
  facts.filled = kFilled;
  facts.log_bytes = kFilled - 1;
  const Judgement less = Judge(facts);
  EXPECT_EQ(less.verdict, SideVerdict::kUnusable);
  EXPECT_EQ(less.at_stake, 1u);
  EXPECT_EQ(less.acceptable, 0u) << "the ring need not have it any more";
  facts.log_bytes = kFilled;
  facts.sum = Witness::kOther;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kUnusable);
  EXPECT_FALSE(Judge(facts).knows_stake);
  // Records tell where there is no sum.
  facts.sum = Witness::kUnknown;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kIdle);
  facts.has_format = true;
  facts.of_log.kind = EndKind::kTorn;
  facts.of_log.offset = kWritten;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kUnusable);
  facts.sum = Witness::kSame;
  facts.log_has_all = true;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kIdle);
  facts.log_has_all = false;
  facts.is_its_log = true;
  facts.mount = Witness::kOther;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kOlder);
  facts.has_log = false;
  facts.is_its_log = false;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kIdle);
  facts.is_wanted = true;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kUnusable);
  EXPECT_FALSE(Judge(facts).knows_stake);
}

TEST(JudgeTest, AMarkedLogHasASideFileOfItsOwn) {
  SideFacts others = AsLeft();
  others.is_its_log = false;
  others.filled = others.written;
  others.of_log.offset = others.filled;
  others.sum = Witness::kOther;
  SideFacts older = AsLeft();
  older.is_other_boot = true;
  older.sum = Witness::kOther;
  SideFacts idle = AsLeft();
  idle.content = SideContent::kIdle;
  idle.log_has_all = true;
  idle.has_words = true;
  for (const SideFacts& unmarked : {others, older, idle}) {
    SideFacts facts = unmarked;
    facts.is_marked = true;
    facts.is_named = true;
    EXPECT_EQ(Judge(facts).verdict, Judge(unmarked).verdict);
    EXPECT_NE(Judge(facts).verdict, SideVerdict::kUnusable);
    facts.is_named = false;
    const Judgement judgement = Judge(facts);
    EXPECT_EQ(judgement.verdict, SideVerdict::kUnusable);
    EXPECT_TRUE(judgement.is_parted);
    EXPECT_FALSE(judgement.knows_stake);
    EXPECT_THAT(UnusableMessage("d/000007.log", judgement),
                testing::HasSubstr("both take the log as it is"));
  }
  // It may be one of before that was live; or the file system came back.
  SideFacts early = idle;
  early.is_marked = true;
  early.is_named = true;
  early.filled = 0;
  early.has_words = false;
  EXPECT_TRUE(Judge(early).is_parted);
  early.mount = Witness::kUnknown;
  EXPECT_FALSE(Judge(early).is_parted);
  early.mount = Witness::kOther;
  EXPECT_FALSE(Judge(early).is_parted);
  early.is_copy = true;
  EXPECT_TRUE(Judge(early).is_parted) << "on another file system";
  // Its first page is gone.
  SideFacts effaced;
  effaced.has_log = true;
  effaced.has_size = true;
  effaced.is_marked = true;
  for (const SideContent content :
       {SideContent::kBlank, SideContent::kTornHeader}) {
    effaced.content = content;
    effaced.marked_mount = Witness::kSame;
    EXPECT_TRUE(Judge(effaced).is_parted);
    for (const Witness mount : {Witness::kUnknown, Witness::kOther}) {
      effaced.marked_mount = mount;
      EXPECT_EQ(Judge(effaced).verdict, SideVerdict::kOlder);
    }
    effaced.is_copy = true;
    effaced.log_bytes = 77;
    EXPECT_TRUE(Judge(effaced).is_parted);
    EXPECT_THAT(UnusableMessage("d/000007.log", Judge(effaced)),
                testing::AllOf(testing::HasSubstr("first page is gone"),
                               testing::HasSubstr("77 bytes"),
                               testing::HasSubstr("--accept"),
                               testing::HasSubstr("--discard")));
    effaced.is_copy = false;
  }
  // It may add up to the sum, if it is an older one.
  SideFacts facts = AsLeft();
  facts.is_marked = true;
  EXPECT_TRUE(Judge(facts).is_parted);
}

TEST(JudgeTest, WhatHoldsNothing) {
  SideFacts facts;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kNone);
  facts.content = SideContent::kIdle;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kIdle);
  facts.content = SideContent::kBlank;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kForeign);
  facts.is_log_name = true;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kIdle);
  facts.has_log = true;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kIdle);
  facts.has_size = true;  // and nothing but zeros
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kOlder);
}

TEST(JudgeTest, WhatCannotBeReadIsUnusableUnlessTheMachineWentDown) {
  SideFacts facts;
  facts.content = SideContent::kGarbled;
  facts.complaint = "it is cut off";
  const Judgement judgement = Judge(facts);
  EXPECT_EQ(judgement.verdict, SideVerdict::kUnusable);
  EXPECT_FALSE(judgement.knows_stake);
  EXPECT_THAT(UnusableMessage("d/000007.log", judgement),
              testing::AllOf(testing::HasSubstr("d/000007.log.uringfs"),
                             testing::HasSubstr("it is cut off"),
                             testing::HasSubstr("may be missing"),
                             testing::HasSubstr("/d/`")));
  // To be pasted into a shell, wherever that is.
  EXPECT_THAT(UnusableMessage("/d/a $b's/000007.log", judgement),
              testing::HasSubstr("recover --accept '/d/a $b'\\''s/'`"));
  EXPECT_THAT(UnusableMessage("-x/000007.log", judgement),
              testing::Not(testing::HasSubstr("--accept -x")));
  facts.has_header = true;
  facts.is_other_boot = true;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kOlder);
}

}  // namespace
}  // namespace uringfs
