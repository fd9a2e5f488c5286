// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A log and its side file as a machine leaves them that goes down, and what
// recovery is to make of them.

#ifndef URINGFS_TEST_RECOVERY_TORN_FIXTURE_H_
#define URINGFS_TEST_RECOVERY_TORN_FIXTURE_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "src/base/align.h"
#include "src/rocksdb_wal/wal_format.h"
#include "test/recovery/recovery_fixture.h"
#include "test/rocksdb_wal/wal_writer.h"
#include "test/side/side_builder.h"
#include "test/support/temp_dir.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "uringfs/recovery.h"

namespace uringfs::test {

// A side file in memory, of a log that has nothing but what is in its file.
inline void PrepareFor(const std::string& log, SideBuilder* built) {
  WriteWholeFile(built->log_path, log, 0644);
  built->origin = 0;
  built->written = log.size();
  built->filled = log.size();
  built->PrepareSide();
  const size_t tail = AlignDown(log.size(), built->buffer_bytes);
  built->ring.replace(tail % built->ring_bytes(), log.size() - tail, log, tail);
}

inline RecoveryReport RecoverTorn(
    const std::string& log_path, uint64_t max_torn_bytes = kUsualMaxTornBytes) {
  const WalFormat format(max_torn_bytes);
  RecoveryOptions options;
  options.wait_ms = 50;
  options.format = &format;
  RecoveryReport report;
  const Status status = RecoverLog(log_path, options, &report);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(report.path, SideFilePath(log_path));
  EXPECT_EQ(report.recovered_bytes, 0u);
  return report;
}

class TornRecoveryTest : public RecoveryFixture {
 protected:
  // As the machine leaves the two files when it goes down.
  void Leave(const std::string& log) {
    PrepareFor(log, &built_);
    built_.BeOfAnotherBoot();
    built_.WriteSide();
  }

  void ExpectGone() {
    EXPECT_FALSE(std::filesystem::exists(built_.side_path()));
    EXPECT_EQ(RecoverTorn(built_.log_path).outcome, RecoveryOutcome::kNothing);
  }

  // REQUIRES: Leave().
  void ExpectCut(size_t end, uint64_t max_torn_bytes = kUsualMaxTornBytes) {
    const std::string torn = ReadWholeFile(built_.log_path);
    ASSERT_GT(torn.size(), end);
    EXPECT_EQ(Inspect(built_.log_path).state, SideState::kOlder);
    const RecoveryReport report = RecoverTorn(built_.log_path, max_torn_bytes);
    ASSERT_EQ(report.outcome, RecoveryOutcome::kCut) << report.message;
    EXPECT_EQ(report.cut_bytes, torn.size() - end);
    EXPECT_THAT(report.message,
                ::testing::HasSubstr("from " + std::to_string(torn.size()) +
                                     " to " + std::to_string(end) + " bytes"));
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == torn.substr(0, end));
    ExpectGone();
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == torn.substr(0, end));
  }

  // REQUIRES: Leave().
  void ExpectUntouched(const std::string& why,
                       uint64_t max_torn_bytes = kUsualMaxTornBytes) {
    SCOPED_TRACE(why);
    const std::string log = ReadWholeFile(built_.log_path);
    const RecoveryReport report = RecoverTorn(built_.log_path, max_torn_bytes);
    EXPECT_EQ(report.outcome, RecoveryOutcome::kRemoved) << report.message;
    EXPECT_EQ(report.cut_bytes, 0u);
    EXPECT_THAT(report.message, ::testing::HasSubstr(why));
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == log);
    ExpectGone();
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == log);
  }

  // Four records, the third of them over blocks.
  static WalWriter Log(WalHeader header = WalHeader::kPlain) {
    WalWriter log(header);
    log.AddBytes(1000).AddBytes(6000).AddBytes(70000).AddBytes(3000);
    return log;
  }

  // Its third record lacks a page.
  static std::string Torn() { return WithHole(Log().bytes(), 40960, 45056); }
  static size_t TornEnd() { return Log().records()[1].end; }
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_RECOVERY_TORN_FIXTURE_H_
