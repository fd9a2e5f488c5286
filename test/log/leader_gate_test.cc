// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/leader_gate.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace uringfs {
namespace {

TEST(LeaderGateTest, OneThreadAtATimeMakesTheStepsForAll) {
  LeaderGate gate;
  uint64_t steps = 0;  // single-owner: TSan watches it
  std::atomic<uint64_t> published{0};
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (uint64_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (uint64_t target = i; target < 4000; target += 4) {
        gate.Await([&] { return published.load() > target; },
                   [&] { published.store(++steps); });
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(steps, 4000u) << "no step more than was needed";
}

TEST(LeaderGateTest, WhoWantsToRunAloneIsNotHeldUpByAPersistentLeader) {
  LeaderGate gate;
  std::atomic<bool> leads{false};
  std::atomic<bool> ran_alone{false};
  std::thread leader([&] {
    // Only the other thread's body ends this.
    gate.Await([&] { return ran_alone.load(); }, [&] { leads.store(true); });
  });
  while (!leads.load()) {
  }
  gate.Exclusive([&] { ran_alone.store(true); });
  leader.join();
}

TEST(LeaderGateTest, TryExclusiveGivesWay) {
  LeaderGate gate;
  gate.Exclusive([&] {
    EXPECT_FALSE(gate.TryExclusive([] { FAIL() << "ran beside a leader"; }));
  });
  bool ran = false;
  EXPECT_TRUE(gate.TryExclusive([&] { ran = true; }));
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace uringfs
