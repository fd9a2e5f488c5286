// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Every event on every kind of state of the word, against the table in
// buffer_word.h; what the table does not have must die.

#include "src/ring/buffer_word.h"

#include <vector>

#include "gtest/gtest.h"

namespace uringfs {
namespace {

constexpr uint32_t kCapacity = 8192;

std::vector<BufferWord> AllKindsOfStates() {
  std::vector<BufferWord> states;
  for (uint32_t reserved : {0u, 1u, kCapacity - 1, kCapacity}) {
    for (uint32_t first : {0u, 1u, 2u, BufferWord::kMaxWriters}) {
      for (uint32_t second : {0u, 1u, 2u, BufferWord::kMaxWriters}) {
        for (uint32_t epoch : {0u, 1u}) {
          for (uint32_t phase : {0u, 1u, 2u, 3u}) {
            for (uint32_t lap : {0u, 1u, BufferWord::kLapMask}) {
              BufferWord w;
              w.reserved = reserved;
              w.writers[0] = first;
              w.writers[1] = second;
              w.epoch = epoch;
              w.phase = static_cast<BufferPhase>(phase);
              w.lap = lap;
              states.push_back(w);
            }
          }
        }
      }
    }
  }
  return states;
}

bool IsOpen(const BufferWord& w) { return w.phase == BufferPhase::kOpen; }

TEST(BufferWordTest, EncodingKeepsEveryField) {
  for (const BufferWord& w : AllKindsOfStates()) {
    const BufferWord back = BufferWord::Decode(BufferWord::Encode(w));
    EXPECT_EQ(back.reserved, w.reserved);
    EXPECT_EQ(back.writers[0], w.writers[0]);
    EXPECT_EQ(back.writers[1], w.writers[1]);
    EXPECT_EQ(back.epoch, w.epoch);
    EXPECT_EQ(back.phase, w.phase);
    EXPECT_EQ(back.lap, w.lap);
  }
}

TEST(BufferWordTest, ReserveNeedsAnOpenBufferWithRoomLeftOver) {
  for (const BufferWord& w : AllKindsOfStates()) {
    for (uint64_t bytes : {uint64_t{1}, uint64_t{kCapacity - 1},
                           uint64_t{kCapacity}, uint64_t{1} << 33}) {
      const bool legal = IsOpen(w) && w.reserved + bytes < kCapacity &&
                         w.writers[w.epoch] < BufferWord::kMaxWriters;
      ASSERT_EQ(w.CanReserve(bytes, kCapacity), legal);
      if (!legal) {
        continue;
      }
      const BufferWord next =
          w.Reserve(static_cast<uint32_t>(bytes), kCapacity);
      EXPECT_EQ(next.reserved, w.reserved + bytes);
      EXPECT_EQ(next.writers[w.epoch], w.writers[w.epoch] + 1);
      EXPECT_EQ(next.writers[1 - w.epoch], w.writers[1 - w.epoch]);
      EXPECT_TRUE(IsOpen(next));
      EXPECT_EQ(next.lap, w.lap);
      EXPECT_EQ(next.epoch, w.epoch);
    }
  }
}

TEST(BufferWordTest, SealTakesAllThatIsLeft) {
  for (const BufferWord& w : AllKindsOfStates()) {
    const bool legal =
        IsOpen(w) && w.writers[w.epoch] < BufferWord::kMaxWriters;
    ASSERT_EQ(w.CanSeal(), legal);
    if (!legal || w.reserved == kCapacity) {
      continue;
    }
    const BufferWord next = w.Seal(kCapacity);
    EXPECT_EQ(next.reserved, kCapacity);
    EXPECT_EQ(next.writers[w.epoch], w.writers[w.epoch] + 1);
    EXPECT_EQ(next.phase, BufferPhase::kSealed);
    EXPECT_FALSE(next.is_ready()) << "the sealing writer is still inside";
  }
}

TEST(BufferWordTest, LeaveSubtractsExactlyItsUnit) {
  for (const BufferWord& w : AllKindsOfStates()) {
    for (uint32_t epoch : {0u, 1u}) {
      const bool legal = (IsOpen(w) || w.phase == BufferPhase::kSealed) &&
                         w.writers[epoch] > 0;
      if (!legal) {
        continue;
      }
      const BufferWord next = w.Leave(epoch);
      EXPECT_EQ(BufferWord::Encode(next),
                BufferWord::Encode(w) - BufferWord::LeaveUnit(epoch));
      EXPECT_EQ(next.phase, w.phase);
      EXPECT_EQ(next.is_ready(), w.phase == BufferPhase::kSealed &&
                                     w.writers[epoch] == 1 &&
                                     w.writers[1 - epoch] == 0);
    }
  }
}

TEST(BufferWordTest, FlipSendsNewClaimsToAnEmptyCounter) {
  for (const BufferWord& w : AllKindsOfStates()) {
    if (!IsOpen(w) || w.writers[1 - w.epoch] != 0) {
      continue;
    }
    const BufferWord next = w.Flip();
    EXPECT_EQ(next.epoch, 1 - w.epoch);
    EXPECT_EQ(next.writers[next.epoch], 0u);
    EXPECT_EQ(next.writers[w.epoch], w.writers[w.epoch]);
    EXPECT_EQ(next.reserved, w.reserved);
  }
}

TEST(BufferWordTest, FreezeNeedsAnOpenBufferWithoutWriters) {
  for (const BufferWord& w : AllKindsOfStates()) {
    const bool legal = IsOpen(w) && w.writers[0] == 0 && w.writers[1] == 0;
    ASSERT_EQ(w.CanFreeze(), legal);
    if (!legal) {
      continue;
    }
    const BufferWord next = w.Freeze();
    EXPECT_EQ(next.phase, BufferPhase::kSealed);
    EXPECT_FALSE(next.CanSeal());
    EXPECT_FALSE(next.CanReserve(1, kCapacity));
    BufferWord back = next;
    back.phase = BufferPhase::kOpen;
    EXPECT_TRUE(back == w) << "nothing else has changed";
  }
}

TEST(BufferWordTest, TakeThenRecycleCountsALap) {
  for (const BufferWord& w : AllKindsOfStates()) {
    if (!w.is_ready()) {
      continue;
    }
    const BufferWord taken = w.Take();
    EXPECT_EQ(taken.phase, BufferPhase::kInFlight);
    EXPECT_EQ(taken.reserved, w.reserved);
    const BufferWord free = taken.Recycle();
    EXPECT_EQ(free.phase, BufferPhase::kFree);
    EXPECT_EQ(free.reserved, 0u);
    EXPECT_FALSE(free.has_writers());
    EXPECT_EQ(free.lap, (w.lap + 1) & BufferWord::kLapMask);
  }
}

TEST(BufferWordTest, InstallOpensOrClaimsTheWholeBuffer) {
  BufferWord free;
  free.lap = 7;
  EXPECT_EQ(free.Install(0, kCapacity).phase, BufferPhase::kOpen);
  EXPECT_FALSE(free.Install(0, kCapacity).has_writers());
  const BufferWord part = free.Install(9, kCapacity);
  EXPECT_EQ(part.phase, BufferPhase::kOpen);
  EXPECT_EQ(part.reserved, 9u);
  EXPECT_EQ(part.writers[0], 1u);
  const BufferWord whole = free.Install(kCapacity, kCapacity);
  EXPECT_EQ(whole.phase, BufferPhase::kSealed);
  EXPECT_EQ(whole.writers[0], 1u);
  EXPECT_EQ(whole.lap, 7u);
}

BufferWord In(BufferPhase phase, uint32_t first = 0, uint32_t second = 0) {
  BufferWord w;
  w.phase = phase;
  w.writers[0] = first;
  w.writers[1] = second;
  return w;
}

TEST(BufferWordDeathTest, WhatTheTableDoesNotHaveDies) {
  for (BufferPhase phase :
       {BufferPhase::kFree, BufferPhase::kSealed, BufferPhase::kInFlight}) {
    EXPECT_DEATH((void)In(phase).Reserve(1, kCapacity), "CanReserve");
    EXPECT_DEATH((void)In(phase).Seal(kCapacity), "CanSeal");
    EXPECT_DEATH((void)In(phase).Flip(), "kOpen");
  }
  for (BufferPhase phase : {BufferPhase::kFree, BufferPhase::kInFlight}) {
    EXPECT_DEATH((void)In(phase, 1).Leave(0), "kSealed");
    EXPECT_DEATH((void)In(phase).Take(), "is_ready");
  }
  for (BufferPhase phase :
       {BufferPhase::kOpen, BufferPhase::kSealed, BufferPhase::kInFlight}) {
    EXPECT_DEATH((void)In(phase).Install(1, kCapacity), "kFree");
  }
  for (BufferPhase phase :
       {BufferPhase::kFree, BufferPhase::kOpen, BufferPhase::kSealed}) {
    EXPECT_DEATH((void)In(phase).Recycle(), "kInFlight");
  }
  EXPECT_DEATH((void)In(BufferPhase::kOpen).Take(), "is_ready");
  EXPECT_DEATH((void)In(BufferPhase::kSealed, 1).Take(), "is_ready");
  EXPECT_DEATH((void)In(BufferPhase::kSealed, 0, 1).Take(), "is_ready");
  EXPECT_DEATH((void)In(BufferPhase::kOpen, 1, 0).Leave(1), "writers");
  EXPECT_DEATH((void)In(BufferPhase::kOpen, 0, 1).Flip(), "writers");
}

}  // namespace
}  // namespace uringfs
