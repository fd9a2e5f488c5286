// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "plugin/buffer_budget.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace uringfs {
namespace {

constexpr uint64_t kCap = 1 << 20;
constexpr uint32_t kBuffer = 64 << 10;

TEST(BufferBudgetTest, AFileGetsWhatItWantsWhereThereIsPlenty) {
  BufferBudget budget;
  const BufferShare share = budget.Take(kCap, kBuffer, 8);
  EXPECT_EQ(share.count(), 8u);
  EXPECT_EQ(budget.in_use(), 8u * kBuffer);
}

TEST(BufferBudgetTest, EachGetsLessAsItRunsLowAndTheCapHolds) {
  BufferBudget budget;
  std::vector<BufferShare> shares;
  std::vector<uint32_t> counts;
  for (int i = 0; i < 5; ++i) {
    shares.push_back(budget.Take(kCap, kBuffer, 8));
    counts.push_back(shares.back().count());
    ASSERT_LE(budget.in_use(), kCap);
  }
  EXPECT_EQ(counts, (std::vector<uint32_t>{8, 4, 2, 2, 0}));
  EXPECT_EQ(budget.peak(), kCap);
}

TEST(BufferBudgetTest, WhatIsGivenBackIsThereAgain) {
  BufferBudget budget;
  std::vector<BufferShare> shares;
  for (uint64_t taken = 0; taken < kCap; taken += 2 * kBuffer) {
    shares.push_back(budget.Take(kCap, kBuffer, 2));
  }
  ASSERT_EQ(budget.in_use(), kCap);
  shares.pop_back();
  const BufferShare again = budget.Take(kCap, kBuffer, 8);
  EXPECT_EQ(again.count(), 2u);
  EXPECT_EQ(budget.Take(kCap, kBuffer, 8).count(), 0u);
  shares.pop_back();
  EXPECT_EQ(budget.Take(kCap / 2, kBuffer, 8).count(), 0u)
      << "the cap was lowered";
}

TEST(BufferBudgetTest, AShareThatMovedIsGivenBackOnce) {
  BufferBudget budget;
  BufferShare first = budget.Take(kCap, kBuffer, 4);
  {
    BufferShare second = std::move(first);
    EXPECT_EQ(second.count(), 4u);
    EXPECT_EQ(budget.in_use(), 4u * kBuffer);
  }
  EXPECT_EQ(budget.in_use(), 0u);
}

}  // namespace
}  // namespace uringfs
