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

std::string Describe(const SideFacts& facts) {
  std::string text = "content " + std::to_string(int(facts.content));
  const auto add = [&text](const char* name, bool value) {
    text += value ? std::string(", ") + name : "";
  };
  add("has_log", facts.has_log);
  add("has_other_names", facts.has_other_names);
  add("is_its_log", facts.is_its_log);
  add("is_its_name", facts.is_its_name);
  add("is_other_boot", facts.is_other_boot);
  add("agree", facts.agree);
  add("has_overlap", facts.has_overlap);
  add("can_be_joined", facts.can_be_joined);
  add("has_format", facts.has_format);
  add("went_on_without", facts.went_on_without);
  add("distrust", !facts.distrust.empty());
  return text + ", mount " + std::to_string(int(facts.mount)) + ", written " +
         std::to_string(facts.written) + ", log records end at " +
         std::to_string(facts.of_log.offset) + ", joined kind " +
         std::to_string(int(facts.of_both.kind));
}

// Calls `check` with all combinations of what may be known of a live one.
template <class Check>
void ForAllFacts(const Check& check) {
  const std::initializer_list<bool> both = {false, true};
  for (unsigned bits = 0; bits < 1u << 11; ++bits) {
    SideFacts facts;
    facts.content = SideContent::kLive;
    facts.has_header = true;
    facts.has_log = (bits & 1) != 0;
    facts.has_other_names = (bits & 2) != 0;
    facts.is_its_log = (bits & 4) != 0 && facts.has_log;
    facts.is_its_name = (bits & 8) != 0;
    facts.is_other_boot = (bits & 16) != 0;
    facts.agree = (bits & 32) != 0;
    facts.has_overlap = (bits & 64) != 0;
    facts.can_be_joined = (bits & 128) != 0;
    facts.has_format = (bits & 256) != 0;
    facts.went_on_without = (bits & 512) != 0;
    facts.distrust = (bits & 1024) != 0 ? "not to be trusted" : "";
    for (const Witness mount :
         {Witness::kSame, Witness::kOther, Witness::kUnknown}) {
      facts.mount = mount;
      for (const uint64_t written : {kWritten, kFilled + 500}) {
        for (const uint64_t log_end : {uint64_t{900}, kFilled, kFilled + 300}) {
          for (const EndKind kind : {EndKind::kClean, EndKind::kUnfinished,
                                     EndKind::kTorn, EndKind::kDamaged}) {
            for (const bool is_ordered : both) {
              facts.written = written;
              facts.filled = kFilled;
              facts.log_bytes = facts.can_be_joined ? 3000 : 950;
              facts.of_log.offset = log_end;
              facts.of_log.kind = kind;
              facts.of_both.kind = kind;
              facts.of_both.offset =
                  kind == EndKind::kClean ? kFilled : kFilled - 100;
              facts.of_both.is_ordered = is_ordered;
              if (log_end <= facts.log_bytes) {
                check(facts);
              }
            }
          }
        }
      }
    }
  }
}

// A copy proves nothing of the kind.
bool MayHaveLost(const SideFacts& facts) {
  return (facts.is_other_boot || facts.mount == Witness::kOther) &&
         (facts.is_its_log || !facts.is_its_name);
}

bool WasMountedAnew(const SideFacts& facts) {
  return facts.is_other_boot || facts.mount == Witness::kOther;
}

// The rule behind all: less than was acknowledged only where the file system
// itself may have lost it.
TEST(JudgeTest, NothingAcknowledgedIsGivenUpForNoReason) {
  int unusable = 0;
  int whole = 0;
  ForAllFacts([&](const SideFacts& facts) {
    if (::testing::Test::HasFailure()) {
      return;
    }
    SCOPED_TRACE(Describe(facts));
    const Judgement judgement = Judge(facts);
    const bool needs_ring = facts.AtStake() > 0;
    switch (judgement.verdict) {
      case SideVerdict::kWhole:
        ++whole;
        // But for a part of a record, which nobody has acknowledged.
        EXPECT_GE(judgement.end, facts.of_both.kind == EndKind::kUnfinished &&
                                         WasMountedAnew(facts) &&
                                         facts.has_format
                                     ? facts.of_both.offset
                                     : facts.filled);
        EXPECT_GE(judgement.end, facts.LogEnd());
        EXPECT_TRUE(facts.agree);
        EXPECT_TRUE(facts.is_its_name && facts.has_log);
        EXPECT_FALSE(needs_ring && facts.went_on_without && facts.has_format);
        EXPECT_FALSE(needs_ring && !facts.distrust.empty());
        EXPECT_FALSE(needs_ring && !facts.can_be_joined);
        // A copy has to prove itself.
        EXPECT_TRUE(!needs_ring || facts.is_its_log ||
                    (facts.has_format && facts.has_overlap && facts.agree &&
                     facts.of_both.kind == EndKind::kClean &&
                     facts.of_both.is_ordered));
        break;
      case SideVerdict::kOlder:
        EXPECT_TRUE(MayHaveLost(facts) ||
                    (!needs_ring && (facts.is_other_boot ||
                                     facts.mount == Witness::kUnknown)));
        // Not what may be whole, for all that is known.
        EXPECT_FALSE(needs_ring && facts.is_its_name && !facts.has_format &&
                     facts.agree && facts.can_be_joined);
        EXPECT_FALSE(needs_ring && facts.is_its_name && facts.has_format &&
                     facts.agree && facts.can_be_joined &&
                     facts.distrust.empty() && facts.of_both.is_ordered &&
                     facts.of_both.kind == EndKind::kClean);
        EXPECT_EQ(judgement.may_be_torn,
                  facts.is_its_log || !facts.is_its_name);
        break;
      case SideVerdict::kForeign:
        EXPECT_TRUE(facts.filled <= facts.written || facts.has_other_names ||
                    !needs_ring || (!facts.has_log && WasMountedAnew(facts)));
        break;
      case SideVerdict::kUnusable:
        ++unusable;
        EXPECT_FALSE(judgement.reason.empty());
        EXPECT_TRUE(judgement.knows_stake);
        break;
      default:
        FAIL() << "a live file is none of that";
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
  facts.agree = true;
  facts.has_overlap = true;
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
  facts.has_overlap = false;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kUnusable);
  facts.has_overlap = true;
  facts.of_both.kind = EndKind::kUnfinished;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kUnusable);
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
                             testing::HasSubstr("may hold"),
                             testing::HasSubstr("recover --discard d/`")));
  // To be pasted into a shell.
  EXPECT_THAT(UnusableMessage("a $b's/000007.log", judgement),
              testing::HasSubstr("recover --accept 'a $b'\\''s/'`"));
  facts.has_header = true;
  facts.is_other_boot = true;
  EXPECT_EQ(Judge(facts).verdict, SideVerdict::kOlder);
}

}  // namespace
}  // namespace uringfs
