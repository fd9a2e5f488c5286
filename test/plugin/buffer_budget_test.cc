// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "plugin/buffer_budget.h"

#include <vector>

#include "gtest/gtest.h"

namespace uringfs {
namespace {

constexpr uint64_t kCap = 1 << 20;
constexpr uint32_t kBuffer = 64 << 10;

TEST(BufferBudgetTest, AFileGetsWhatItWantsWhereThereIsPlenty) {
  BufferBudget budget;
  EXPECT_EQ(budget.Take(kCap, kBuffer, 8), 8u);
  EXPECT_EQ(budget.in_use(), 8u * kBuffer);
}

TEST(BufferBudgetTest, EachGetsLessAsItRunsLowAndTheCapHolds) {
  BufferBudget budget;
  std::vector<uint32_t> shares;
  while (const uint32_t share = budget.Take(kCap, kBuffer, 8)) {
    shares.push_back(share);
    ASSERT_LE(budget.in_use(), kCap);
    ASSERT_LE(shares.size(), 8u);
  }
  EXPECT_EQ(shares, (std::vector<uint32_t>{8, 4, 2, 2}));
  EXPECT_EQ(budget.peak(), kCap);
}

TEST(BufferBudgetTest, WhatIsGivenBackIsThereAgain) {
  BufferBudget budget;
  while (budget.Take(kCap, kBuffer, 2) > 0) {
  }
  budget.GiveBack(2 * kBuffer);
  EXPECT_EQ(budget.Take(kCap, kBuffer, 8), 2u);
  EXPECT_EQ(budget.Take(kCap, kBuffer, 8), 0u);
  EXPECT_EQ(budget.Take(kCap / 2, kBuffer, 8), 0u) << "the cap was lowered";
}

}  // namespace
}  // namespace uringfs
