// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// One thread: what reserving, sealing, rotating and exhaustion do.

#include "src/ring/flush_ring.h"

#include <cstring>
#include <string>

#include "test/ring/ring_harness.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::MakeRecord;
using test::RingHarness;

constexpr uint32_t kBytes = 4096;

void LeaveAll(FlushRing<>* ring, const Claim& claim) {
  for (uint32_t i = 0; i < claim.part_count; ++i) {
    (void)ring->Leave(claim.parts[i]);
  }
}

TEST(FlushRingTest, ClaimsFollowEachOther) {
  std::string memory(kBytes * 2, '\0');
  FlushRing<> ring(memory.data(), kBytes, 2);
  Claim a;
  Claim b;
  ASSERT_EQ(ring.Reserve(100, &a), ClaimOutcome::kClaimed);
  ASSERT_EQ(ring.Reserve(50, &b), ClaimOutcome::kClaimed);
  EXPECT_EQ(a.begin, 0u);
  EXPECT_EQ(b.begin, 100u);
  EXPECT_EQ(b.parts[0].data, memory.data() + 100);
  EXPECT_EQ(ring.reserved_end(), 150u);
}

TEST(FlushRingTest, ABufferWithAWriterInsideIsNotTaken) {
  std::string memory(kBytes * 3, '\0');
  FlushRing<> ring(memory.data(), kBytes, 3);
  Claim slow;
  Claim filler;
  ASSERT_EQ(ring.Reserve(100, &slow), ClaimOutcome::kClaimed);
  ASSERT_EQ(ring.Reserve(kBytes - 100, &filler), ClaimOutcome::kClaimed);
  ASSERT_EQ(filler.part_count, 1u);
  EXPECT_FALSE(ring.TryTake(0)) << "both writers are inside";
  EXPECT_FALSE(ring.Leave(filler.parts[0]));
  EXPECT_FALSE(ring.TryTake(0)) << "the slow writer is inside";
  EXPECT_TRUE(ring.Leave(slow.parts[0])) << "the last one made it ready";
  EXPECT_TRUE(ring.TryTake(0));
  EXPECT_FALSE(ring.TryTake(0)) << "exactly once";
}

TEST(FlushRingTest, ARecordThatDoesNotFitGoesOnInTheNextBuffer) {
  std::string memory(kBytes * 3, '\0');
  FlushRing<> ring(memory.data(), kBytes, 3);
  Claim first;
  Claim split;
  Claim after;
  ASSERT_EQ(ring.Reserve(4000, &first), ClaimOutcome::kClaimed);
  ASSERT_EQ(ring.Reserve(200, &split), ClaimOutcome::kClaimed);
  ASSERT_EQ(split.part_count, 2u);
  EXPECT_EQ(split.parts[0].bytes, 96u);
  EXPECT_EQ(split.parts[1].bytes, 104u);
  EXPECT_EQ(split.parts[1].data, memory.data() + kBytes);
  EXPECT_FALSE(split.is_rotating);
  ASSERT_EQ(ring.Reserve(1, &after), ClaimOutcome::kClaimed);
  EXPECT_EQ(after.begin, 4200u) << "nobody gets in between";
}

TEST(FlushRingTest, ExhaustionLeavesAnOpenCurrentBufferBehind) {
  std::string memory(kBytes * 2, '\0');
  FlushRing<> ring(memory.data(), kBytes, 2);
  Claim claim;
  ASSERT_EQ(ring.Reserve(kBytes, &claim), ClaimOutcome::kClaimed);
  LeaveAll(&ring, claim);
  ASSERT_EQ(ring.Reserve(kBytes, &claim), ClaimOutcome::kExhausted);
  ASSERT_EQ(ring.Reserve(10, &claim), ClaimOutcome::kClaimed)
      << "what fits still goes in";
  LeaveAll(&ring, claim);
  ASSERT_EQ(ring.Reserve(kBytes, &claim), ClaimOutcome::kExhausted);
  ASSERT_TRUE(ring.TryTake(0));
  ASSERT_EQ(ring.Reserve(kBytes, &claim), ClaimOutcome::kExhausted)
      << "taken is not yet free";
  ring.Recycle(0);
  ASSERT_EQ(ring.Reserve(kBytes, &claim), ClaimOutcome::kClaimed);
  EXPECT_EQ(claim.begin, kBytes + 10u);
}

TEST(FlushRingTest, RecordsLargerThanTheRingArriveWhole) {
  RingHarness<std::atomic> harness(kBytes, 3);
  uint64_t records = 0;
  for (uint32_t bytes : {20u, kBytes, 3 * kBytes, 3 * kBytes + 1,
                         17 * kBytes - 5, 40 * kBytes, 16u}) {
    const std::string record = MakeRecord(0, records++, bytes);
    harness.Append(record, [&] { ASSERT_TRUE(harness.FlushOne()); });
  }
  while (harness.FlushOne()) {
  }
  harness.FlushPartOfCurrent();
  harness.FlushPartOfCurrent();
  EXPECT_EQ(test::ExpectWholeRecords(harness.stream()), records);
  EXPECT_EQ(harness.stream().size(), harness.ring().reserved_end());
}

TEST(FlushRingTest, WhileABigRecordRotatesOthersFindTheRingBusy) {
  std::string memory(kBytes * 2, '\0');
  FlushRing<> ring(memory.data(), kBytes, 2);
  Claim big;
  Claim other;
  ASSERT_EQ(ring.Reserve(4 * kBytes, &big), ClaimOutcome::kClaimed);
  EXPECT_TRUE(big.is_rotating);
  EXPECT_EQ(ring.Reserve(1, &other), ClaimOutcome::kBusy);
  LeaveAll(&ring, big);
  EXPECT_EQ(ring.Continue(&big), ClaimOutcome::kExhausted);
  ASSERT_TRUE(ring.TryTake(0));
  ring.Recycle(0);
  ASSERT_TRUE(ring.TryTake(1));
  ring.Recycle(1);
  EXPECT_EQ(ring.reserved_end(), 2 * kBytes)
      << "known although the current buffer has been recycled";
  while (big.is_rotating) {
    if (ring.Continue(&big) == ClaimOutcome::kExhausted) {
      ASSERT_TRUE(ring.TryTake(2));
      ring.Recycle(2);
      continue;
    }
    LeaveAll(&ring, big);
  }
  ASSERT_EQ(ring.Reserve(1, &other), ClaimOutcome::kClaimed);
  EXPECT_EQ(other.begin, 4u * kBytes);
}

TEST(FlushRingTest, TooManyWritersInABufferIsBusyNotCorrupt) {
  std::string memory(kBytes * 2, '\0');
  FlushRing<> ring(memory.data(), kBytes, 2);
  Claim claim;
  for (uint32_t i = 0; i < BufferWord::kMaxWriters; ++i) {
    ASSERT_EQ(ring.Reserve(1, &claim), ClaimOutcome::kClaimed);
  }
  Claim refused;
  EXPECT_EQ(ring.Reserve(1, &refused), ClaimOutcome::kBusy);
  EXPECT_EQ(ring.Reserve(kBytes, &refused), ClaimOutcome::kBusy);
  (void)ring.Leave(claim.parts[0]);
  EXPECT_EQ(ring.Reserve(1, &refused), ClaimOutcome::kClaimed);
}

TEST(FlushRingTest, FlipTellsWhatIsFilledWhileWritersGoOn) {
  std::string memory(kBytes * 2, '\0');
  FlushRing<> ring(memory.data(), kBytes, 2);
  Claim before;
  Claim after;
  ASSERT_EQ(ring.Reserve(10, &before), ClaimOutcome::kClaimed);
  BufferWord seen;
  ASSERT_TRUE(ring.TryFlip(0, &seen));
  EXPECT_EQ(seen.reserved, 10u);
  ASSERT_EQ(ring.Reserve(10, &after), ClaimOutcome::kClaimed);
  bool installed = false;
  EXPECT_EQ(ring.Look(0, &installed).writers[seen.epoch], 1u);
  (void)ring.Leave(before.parts[0]);
  EXPECT_EQ(ring.Look(0, &installed).writers[seen.epoch], 0u)
      << "bytes below 10 are filled though a later writer is inside";
  EXPECT_TRUE(ring.Look(0, &installed).has_writers());
}

TEST(FlushRingTest, RestartContinuesWithinABlock) {
  std::string memory(kBytes * 2, '\0');
  FlushRing<> ring(memory.data(), kBytes, 2);
  ring.Restart(8192, 77);
  EXPECT_EQ(ring.reserved_end(), 8192u + 77);
  Claim claim;
  ASSERT_EQ(ring.Reserve(5, &claim), ClaimOutcome::kClaimed);
  EXPECT_EQ(claim.begin, 8192u + 77);
  EXPECT_EQ(claim.parts[0].data, memory.data() + 77);
}

TEST(FlushRingTest, MovesOnlyWhileNobodyIsInside) {
  RingHarness<std::atomic> harness(kBytes, 3);
  FlushRing<>& ring = harness.ring();
  const auto never = [] { FAIL() << "nothing to wait for"; };
  std::string all = MakeRecord(0, 0, 5000);
  harness.Append(all, never);
  Claim slow;
  ASSERT_EQ(ring.Reserve(100, &slow), ClaimOutcome::kClaimed);
  EXPECT_FALSE(harness.TryMove()) << "a writer is in the current buffer";
  // The refusal has changed nothing: claims go on.
  Claim split;
  ASSERT_EQ(ring.Reserve(kBytes, &split), ClaimOutcome::kClaimed);
  ASSERT_EQ(split.part_count, 2u);
  EXPECT_FALSE(harness.TryMove()) << "and now in the one before";
  const std::string record = MakeRecord(0, 1, 100);
  std::memcpy(slow.parts[0].data, record.data(), 100);
  LeaveAll(&ring, slow);
  const std::string long_record = MakeRecord(0, 2, kBytes);
  std::memcpy(split.parts[0].data, long_record.data(), split.parts[0].bytes);
  std::memcpy(split.parts[1].data, long_record.data() + split.parts[0].bytes,
              split.parts[1].bytes);
  LeaveAll(&ring, split);
  EXPECT_TRUE(harness.TryMove());
  all += record + long_record;
  const std::string last = MakeRecord(0, 3, 200);
  harness.Append(last, never);
  all += last;
  while (harness.FlushOne()) {
  }
  harness.FlushPartOfCurrent();
  harness.FlushPartOfCurrent();
  EXPECT_TRUE(harness.stream() == all);
}

TEST(FlushRingTest, AClaimBetweenTwoBuffersHasNoEnd) {
  std::string memory(kBytes * 2, '\0');
  FlushRing<> ring(memory.data(), kBytes, 2);
  uint64_t end = 0;
  Claim big;
  ASSERT_EQ(ring.Reserve(kBytes * 3 + 10, &big), ClaimOutcome::kClaimed);
  ASSERT_TRUE(big.is_rotating);
  EXPECT_FALSE(ring.TryClaimedEnd(&end));
  std::string elsewhere(kBytes * 2, '\0');
  EXPECT_FALSE(ring.TryMove(elsewhere.data(), 0));
  LeaveAll(&ring, big);
  for (uint64_t seq = 0; big.is_rotating; ++seq) {
    EXPECT_FALSE(ring.TryClaimedEnd(&end));
    ASSERT_TRUE(ring.TryTake(seq));
    ring.Recycle(seq);
    ASSERT_EQ(ring.Continue(&big), ClaimOutcome::kClaimed);
    LeaveAll(&ring, big);
  }
  EXPECT_TRUE(ring.TryClaimedEnd(&end));
  EXPECT_EQ(end, kBytes * 3 + 10u);
}

}  // namespace
}  // namespace uringfs
