// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/watermark.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace uringfs {
namespace {

// The model: a set of completed ranges; the value is where the first is
// missing.
uint64_t ModelValue(const std::set<size_t>& done, uint64_t start,
                    const std::vector<uint64_t>& ends) {
  uint64_t value = start;
  for (size_t i = 0; i < ends.size() && done.count(i) > 0; ++i) {
    value = ends[i];
  }
  return value;
}

TEST(WatermarkTest, EveryOrderOfUpToSevenCompletions) {
  constexpr uint64_t kStart = 4096;
  for (size_t count = 1; count <= 7; ++count) {
    std::vector<uint64_t> ends;
    for (size_t i = 0; i < count; ++i) {
      ends.push_back((i == 0 ? kStart : ends.back()) + 1 + i * 100);
    }
    std::vector<size_t> order(count);
    std::iota(order.begin(), order.end(), size_t{0});
    do {
      Watermark watermark;
      watermark.Reset(kStart);
      std::set<size_t> done;
      for (size_t i : order) {
        watermark.Complete(i == 0 ? kStart : ends[i - 1], ends[i]);
        done.insert(i);
        ASSERT_EQ(watermark.value(), ModelValue(done, kStart, ends));
      }
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

TEST(WatermarkTest, EveryOrderWithAnAdvanceInBetween) {
  // A flush that covers more than the completions seen so far takes the
  // islands it reaches with it.
  const std::vector<uint64_t> ends = {10, 20, 30, 40, 50};
  std::vector<size_t> order(ends.size());
  std::iota(order.begin(), order.end(), size_t{0});
  do {
    for (size_t before = 0; before < order.size(); ++before) {
      Watermark watermark;
      std::set<size_t> done;
      for (size_t i = 0; i < before; ++i) {
        const size_t range = order[i];
        watermark.Complete(range == 0 ? 0 : ends[range - 1], ends[range]);
        done.insert(range);
      }
      const uint64_t old = watermark.value();
      const bool moved = watermark.AdvanceTo(20);
      EXPECT_EQ(moved, old < 20);
      done.insert({0, 1});
      ASSERT_EQ(watermark.value(), ModelValue(done, 0, ends));
      for (size_t i = before; i < order.size(); ++i) {
        const size_t range = order[i];
        if (!done.insert(range).second) {
          continue;
        }
        watermark.Complete(range == 0 ? 0 : ends[range - 1], ends[range]);
        ASSERT_EQ(watermark.value(), ModelValue(done, 0, ends));
      }
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(WatermarkTest, AdvanceNeverGoesBack) {
  Watermark watermark;
  EXPECT_TRUE(watermark.AdvanceTo(100));
  EXPECT_FALSE(watermark.AdvanceTo(100));
  EXPECT_FALSE(watermark.AdvanceTo(50));
  EXPECT_EQ(watermark.value(), 100u);
}

TEST(WatermarkDeathTest, ARangeCannotBeCompletedTwice) {
  Watermark watermark;
  watermark.Complete(0, 10);
  EXPECT_DEATH(watermark.Complete(5, 20), "check failed");
  watermark.Complete(30, 40);
  EXPECT_DEATH(watermark.Complete(30, 40), "check failed");
}

}  // namespace
}  // namespace uringfs
