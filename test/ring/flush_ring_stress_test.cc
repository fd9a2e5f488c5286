// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Real threads on the real atomics; meant for ThreadSanitizer, which sees
// every byte that crosses threads without an order.

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "src/ring/flush_ring.h"
#include "test/ring/ring_harness.h"
#include "test/support/seed.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::MakeRecord;
using test::Random;
using test::RingHarness;

void Stress(uint64_t seed, uint32_t writers, uint64_t records_each,
            uint32_t buffer_bytes, uint32_t buffers, uint32_t longest) {
  SCOPED_TRACE(test::SeedTrace(seed));
  RingHarness<std::atomic> harness(buffer_bytes, buffers);
  std::atomic<uint32_t> writers_left{writers};
  test::Begins begins(writers);
  std::vector<std::thread> threads;
  for (uint32_t writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&, writer] {
      Random random(seed + writer);
      for (uint64_t i = 0; i < records_each; ++i) {
        const auto bytes =
            static_cast<uint32_t>(random.LogUniform(16, longest));
        begins[writer].push_back(harness.Append(
            MakeRecord(writer, i, bytes), [] { std::this_thread::yield(); }));
      }
      writers_left.fetch_sub(1);
    });
  }
  while (writers_left.load() > 0) {
    if (!harness.FlushOne()) {
      harness.FlushPartOfCurrent();
      std::this_thread::yield();
    }
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  while (harness.FlushOne()) {
  }
  for (int i = 0; i < 3; ++i) {
    harness.FlushPartOfCurrent();
  }
  EXPECT_EQ(test::ExpectWholeRecords(harness.stream(), &begins),
            writers * records_each);
  EXPECT_EQ(harness.stream().size(), harness.ring().reserved_end());
}

TEST(FlushRingStressTest, SmallRecordsInSmallBuffers) {
  Stress(test::SeedOr(11), 4, 20000, 4096, 3, 300);
}

TEST(FlushRingStressTest, RecordsUpToSeveralRings) {
  Stress(test::SeedOr(12), 4, 500, 4096, 2, 40000);
}

TEST(FlushRingStressTest, LongMixedRun) {
  Stress(test::SeedOr(13), 8, 200000, 8192, 4, 20000);
}

}  // namespace
}  // namespace uringfs
