// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The shipped ring under seeded schedules: a seed decides before every atomic
// operation which thread goes on. Writers with records smaller and larger than
// buffers and ring against a flusher that takes, peeks and recycles.

#include <functional>
#include <string>
#include <vector>

#include "src/ring/flush_ring.h"
#include "test/ring/ring_harness.h"
#include "test/support/scheduler.h"
#include "test/support/seed.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::MakeRecord;
using test::Random;
using test::RingHarness;
using test::ScheduledAtomic;
using test::Scheduler;

struct Shape {
  uint32_t buffer_bytes;
  uint32_t buffers;
  uint32_t writers;
  uint32_t records;
  uint32_t longest;
};

// Returns how often the ring went on in other memory.
uint64_t RunSchedule(uint64_t seed, const Shape& shape) {
  SCOPED_TRACE(test::SeedTrace(seed));
  RingHarness<ScheduledAtomic> harness(shape.buffer_bytes, shape.buffers);
  uint32_t writers_left = shape.writers;
  uint64_t moves = 0;
  test::Begins begins(shape.writers);
  std::vector<std::function<void()>> bodies;
  for (uint32_t writer = 0; writer < shape.writers; ++writer) {
    bodies.emplace_back([&, writer] {
      Random random(seed * 1000 + writer);
      for (uint64_t i = 0; i < shape.records; ++i) {
        const auto bytes =
            static_cast<uint32_t>(random.LogUniform(16, shape.longest));
        begins[writer].push_back(
            harness.Append(MakeRecord(writer, i, bytes), Scheduler::Point));
      }
      --writers_left;
    });
  }
  bodies.emplace_back([&] {
    Random random(seed * 1000 + 999);
    while (writers_left > 0) {
      if (random.OneIn(8) && harness.TryMove()) {
        ++moves;
      }
      if (!harness.FlushOne() || random.OneIn(2)) {
        harness.FlushPartOfCurrent();
      }
      Scheduler::Point();
    }
    while (harness.FlushOne()) {
    }
    // Settle a mark that was open, then set one and settle that.
    for (int i = 0; i < 3; ++i) {
      harness.FlushPartOfCurrent();
    }
  });
  Scheduler scheduler(seed);
  scheduler.Run(bodies);
  EXPECT_EQ(test::ExpectWholeRecords(harness.stream(), &begins),
            uint64_t{shape.writers} * shape.records);
  EXPECT_EQ(harness.stream().size(), harness.ring().reserved_end());
  uint64_t claimed = 0;
  EXPECT_TRUE(harness.ring().TryClaimedEnd(&claimed));
  EXPECT_EQ(claimed, harness.stream().size());
  return moves;
}

void RunManySchedules(uint64_t first_seed, int count) {
  uint64_t moves = 0;
  for (int i = 0; i < count && !testing::Test::HasFailure(); ++i) {
    const uint64_t seed = first_seed + i;
    // Small buffers and records near their size make every step a rotation.
    moves += RunSchedule(seed, {64, 2, 2, 6, 60});
    moves += RunSchedule(seed, {64, 2, 3, 5, 400});
    moves += RunSchedule(seed, {128, 3, 3, 6, 200});
    moves += RunSchedule(seed, {256, 4, 2, 8, 1500});
  }
  EXPECT_GT(moves * 10, static_cast<uint64_t>(count)) << "too few to mean much";
}

TEST(FlushRingScheduleTest, EveryRecordArrivesOnceAndWhole) {
  RunManySchedules(test::SeedOr(1), 100);
}

TEST(FlushRingScheduleTest, LongCampaign) {
  RunManySchedules(test::SeedOr(100000), 10000);
}

}  // namespace
}  // namespace uringfs
