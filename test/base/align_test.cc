// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/base/align.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

// The proofs are the static_asserts: they hold when this file compiles.

static_assert(!IsPowerOfTwo(0));
static_assert(IsPowerOfTwo(1));
static_assert(!IsPowerOfTwo(3));
static_assert(IsPowerOfTwo(4096));
static_assert(!IsPowerOfTwo(4097));
static_assert(IsPowerOfTwo(uint64_t{1} << 63));
static_assert(!IsPowerOfTwo(~uint64_t{0}));

static_assert(AlignDown(0, 4096) == 0);
static_assert(AlignDown(4095, 4096) == 0);
static_assert(AlignDown(4096, 4096) == 4096);
static_assert(AlignDown(8191, 4096) == 4096);
static_assert(AlignDown(~uint64_t{0}, 4096) == ~uint64_t{0} - 4095);

static_assert(AlignUp(0, 4096) == 0);
static_assert(AlignUp(1, 4096) == 4096);
static_assert(AlignUp(4096, 4096) == 4096);
static_assert(AlignUp(4097, 4096) == 8192);

static_assert(IsAligned(0, 4096));
static_assert(IsAligned(8192, 4096));
static_assert(!IsAligned(8193, 4096));
static_assert(IsAligned(12345, 1));

// Offsets beyond 4 GiB must not be cut to 32 bits on the way.
static_assert(AlignUp((uint64_t{1} << 40) + 1, 4096) ==
              (uint64_t{1} << 40) + 4096);

TEST(AlignTest, UpIsTheSmallestAlignedValueThatIsNotBelow) {
  for (uint64_t unit = 1; unit <= 64; unit *= 2) {
    for (uint64_t value = 0; value <= 200; ++value) {
      const uint64_t up = AlignUp(value, unit);
      EXPECT_EQ(up % unit, 0u) << value << " to " << unit;
      EXPECT_GE(up, value);
      EXPECT_LT(up - value, unit);
      EXPECT_EQ(up, AlignDown(value + unit - 1, unit));
    }
  }
}

}  // namespace
}  // namespace uringfs
