// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Power loss at every instant of logs that are extended ahead, on the fake
// disk: what was synced is there, and nothing that was never appended.

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "test/log/extend_fixture.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::Append;
using test::ExpectIntact;
using test::Extended;
using test::ExtendTest;
using test::Random;
using test::StreamBytes;

constexpr uint64_t kBlock = kDeviceBlockBytes;

// Appends that are flushed, synced or neither, and crash images all along.
class ExtendPowerLossTest : public ExtendTest {
 protected:
  void SetUp() override {
    ExtendTest::SetUp();
    if (IsSkipped()) {
      return;
    }
    Keep(SyncWay::kDsync);
    disk_->SetObserver([this] {
      const std::lock_guard<std::mutex> lock(mutex_);
      const uint64_t at_least = synced_.load();
      const std::string image = disk_->CrashImage(of_images_);
      ExpectIntact(image, stream_, at_least);
      ++looks_;
      with_zeros_ += image.size() > at_least + 2 * kBlock ? 1 : 0;
    });
    // Large buffers: where one ends a sync takes two writes and a flush, which
    // would cover up for others.
    LogOptions options = Extended();
    options.buffer_bytes = 64 * 1024;
    options.max_extend_bytes = 16 * 1024;
    log_ = MustOpen(options);
  }

  void Synced(uint64_t end) {
    uint64_t seen = synced_.load();
    while (seen < end && !synced_.compare_exchange_weak(seen, end)) {
    }
  }
  void AppendSome(uint64_t most) {
    const uint64_t bytes = random_.LogUniform(1, most);
    ASSERT_TRUE(Append(log_.get(), stream_.substr(at_, bytes)).ok());
    at_ += bytes;
  }
  void SyncAll() {
    ASSERT_TRUE(log_->Sync().ok());
    Synced(at_);
  }
  void Pause() {
    std::this_thread::sleep_for(std::chrono::microseconds(random_.Below(300)));
  }
  void Finish() {
    const LogStats stats = log_->stats();
    EXPECT_GT(stats.extensions, 3u);
    EXPECT_GT(stats.durable_writes, 10u);
    EXPECT_GT(with_zeros_, 10u);
    EXPECT_GT(looks_, 1000u);
    ASSERT_TRUE(log_->Close().ok());
    EXPECT_EQ(disk_->Image(), stream_.substr(0, at_));
  }

  const uint64_t seed_ = test::SeedOr(31);
  const testing::ScopedTrace trace_{__FILE__, __LINE__, test::SeedTrace(seed_)};
  Random random_{seed_};
  const std::string stream_ = StreamBytes(0, 4 << 20);
  std::atomic<uint64_t> synced_{0};
  std::mutex mutex_;
  Random of_images_{seed_ + 1};
  uint64_t looks_ = 0;
  uint64_t with_zeros_ = 0;
  std::unique_ptr<LogEngine> log_;
  uint64_t at_ = 0;
};

TEST_F(ExtendPowerLossTest, NothingThatWasSyncedIsLost) {
  std::thread beside([&] {
    for (int i = 0; i < 200; ++i) {
      const uint64_t end = log_->size();
      ASSERT_TRUE(log_->SyncTo(end, SyncKind::kData).ok());
      Synced(end);
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  });
  for (int i = 0; i < 3000; ++i) {
    AppendSome(random_.OneIn(20) ? 9000 : 300);
    if (random_.OneIn(3)) {
      ASSERT_TRUE(log_->Flush().ok());
    }
    if (random_.OneIn(4)) {
      SyncAll();
    }
    if (i == 2500) {
      ASSERT_TRUE(log_->Settle().ok());
    }
    if (random_.OneIn(300)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(6));
    }
  }
  beside.join();
  Finish();
}

// Hardly another flush sees to what a durable write does not.
TEST_F(ExtendPowerLossTest, SyncsAloneLoseNothingEither) {
  for (int i = 0; i < 1500; ++i) {
    AppendSome(random_.OneIn(10) ? 3000 : 300);
    SyncAll();
    Pause();
    if (i == 1300) {
      ASSERT_TRUE(log_->Settle().ok());
    }
  }
  Finish();
}

// One thread syncs up to where the zeros end nearly, another has appended more:
// what is behind the zeros is not covered by the durable write.
TEST_F(ExtendPowerLossTest, ADurableWriteEndsWithTheZeros) {
  uint64_t beyond = 0;
  for (int round = 0; round < 30; ++round) {
    const uint64_t extensions = log_->stats().extensions;
    while (log_->stats().extensions == extensions) {
      AppendSome(300);
      SyncAll();
      Pause();
    }
    AppendSome(1);
    SyncAll();
    const uint64_t zeros_end = disk_->size();
    if (zeros_end < at_ + 200) {
      continue;
    }
    const uint64_t bytes = zeros_end - at_ + 3000;
    ASSERT_TRUE(Append(log_.get(), stream_.substr(at_, bytes)).ok());
    at_ += bytes;
    ASSERT_TRUE(log_->SyncTo(zeros_end - 100, SyncKind::kData).ok());
    Synced(zeros_end - 100);
    SyncAll();
    ++beyond;
  }
  EXPECT_GT(beyond, 10u);
}

}  // namespace
}  // namespace uringfs
