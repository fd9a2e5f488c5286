// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A log on a fake disk that is extended ahead.

#ifndef URINGFS_TEST_LOG_EXTEND_FIXTURE_H_
#define URINGFS_TEST_LOG_EXTEND_FIXTURE_H_

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "test/log/fake_log.h"
#include "test/side/shared_rings.h"
#include "test/side/side_image.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {

inline LogOptions Extended() {
  LogOptions options = SharedRing();
  options.max_extend_bytes = 64 * 1024;
  options.flush_window_bytes = 16 * 1024;
  return options;
}

class ExtendTest : public testing::Test {
 protected:
  void SetUp() override { URINGFS_SKIP_WITHOUT_SHARED_RINGS(dir_.path()); }

  std::unique_ptr<LogEngine> MustOpen(const LogOptions& options) {
    return MustOpenBesideSide(disk_, path_, options, probe_.get());
  }

  void AppendAndSync(LogEngine* log, uint64_t bytes) {
    ASSERT_TRUE(Append(log, StreamBytes(log->size(), bytes)).ok());
    ASSERT_TRUE(log->Sync().ok());
    ASSERT_EQ(log->hi_stable(), log->size());
  }

  // Syncs until there are zeros ahead, or too often.
  void SyncUntilExtended(LogEngine* log, uint64_t extensions = 1) {
    for (int i = 0; i < 20000 && log->stats().extensions < extensions; ++i) {
      AppendAndSync(log, 100);
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    ASSERT_GE(log->stats().extensions, extensions);
  }

  // For logs that are opened from here on: one that has made up its mind.
  void Keep(SyncWay way) {
    probe_ = std::make_unique<SyncProbe>();
    for (size_t i = 0; i < SyncProbe::kSamples; ++i) {
      for (const SyncWay each : {SyncWay::kDsync, SyncWay::kFlush}) {
        probe_->Took(each, std::chrono::nanoseconds(each == way ? 1 : 2));
      }
    }
    ASSERT_EQ(probe_->kept(), way);
  }

  std::unique_ptr<SyncProbe> probe_ = std::make_unique<SyncProbe>();
  TempDir dir_;
  const std::string path_ = dir_.File("000007.log");
  std::shared_ptr<FakeDisk> disk_ = FakeDisk::Create();
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_LOG_EXTEND_FIXTURE_H_
