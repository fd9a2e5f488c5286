// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What the tests of recovery share: calls with their expectations.

#ifndef URINGFS_TEST_RECOVERY_RECOVERY_FIXTURE_H_
#define URINGFS_TEST_RECOVERY_RECOVERY_FIXTURE_H_

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "test/side/side_builder.h"
#include "test/support/temp_dir.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "uringfs/recovery.h"

namespace uringfs::test {

inline RecoveryReport Recover(const std::string& log_path,
                              uint32_t wait_ms = 50) {
  RecoveryOptions options;
  options.wait_ms = wait_ms;
  RecoveryReport report;
  const Status status = RecoverLog(log_path, options, &report);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(report.path, SideFilePath(log_path));
  return report;
}

inline SideFileInfo Inspect(const std::string& log_path) {
  SideFileInfo info;
  EXPECT_TRUE(InspectLog(log_path, nullptr, &info).ok());
  EXPECT_EQ(info.path, SideFilePath(log_path));
  EXPECT_EQ(info.log_path, log_path);
  return info;
}

// An exclusive lock on a log, as its owner has it.
class Owner {
 public:
  explicit Owner(const std::string& log_path)
      : fd_(::open(log_path.c_str(), O_RDWR | O_CLOEXEC)) {
    EXPECT_EQ(::flock(fd_, LOCK_EX | LOCK_NB), 0);
  }
  ~Owner() { Leave(); }
  void Leave() {
    if (fd_ >= 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }

 private:
  int fd_;
};

class RecoveryFixture : public testing::Test {
 protected:
  void ExpectRecovered(const SideBuilder& built) {
    ExpectRecovered(
        built, built.filled > built.written ? built.filled - built.written : 0);
  }

  void ExpectRecovered(const SideBuilder& built, uint64_t only_ring) {
    const RecoveryReport report = Recover(built.log_path);
    ASSERT_EQ(report.outcome, RecoveryOutcome::kRecovered) << report.message;
    EXPECT_EQ(report.recovered_bytes, only_ring);
    ASSERT_TRUE(ReadWholeFile(built.log_path) == built.whole());
    EXPECT_FALSE(std::filesystem::exists(built.side_path()));
    EXPECT_EQ(Recover(built.log_path).outcome, RecoveryOutcome::kNothing);
  }

  // Nothing is changed, by looking or by trying, and nobody goes on without it.
  void ExpectUnusable(const std::string& why) {
    const std::string log = ReadWholeFile(built_.log_path);
    const SideFileInfo info = Inspect(built_.log_path);
    EXPECT_EQ(info.state, SideState::kUnusable) << ToString(info.state);
    EXPECT_THAT(info.reason, testing::HasSubstr(why));
    EXPECT_THAT(info.reason, testing::HasSubstr("recover --accept"));
    EXPECT_THAT(info.reason, testing::HasSubstr("recover --discard"));
    std::unique_ptr<LogView> view;
    const Status viewed = LogView::Open(built_.log_path, nullptr, &view);
    EXPECT_THAT(viewed.ToString(),
                testing::HasSubstr(
                    std::filesystem::is_symlink(built_.log_path) ? "" : why));
    EXPECT_FALSE(viewed.ok());
    const RecoveryReport report = Recover(built_.log_path);
    EXPECT_EQ(report.outcome, RecoveryOutcome::kUnusable) << report.message;
    EXPECT_THAT(report.message, testing::HasSubstr(why));
    EXPECT_THAT(report.message, testing::HasSubstr(built_.side_path()));
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == log);
    EXPECT_TRUE(std::filesystem::is_symlink(built_.side_path()) ||
                std::filesystem::exists(built_.side_path()));
  }

  void ExpectRemoved(SideState state, const std::string& why) {
    const bool has_log = std::filesystem::exists(built_.log_path);
    const std::string log = has_log ? ReadWholeFile(built_.log_path) : "";
    EXPECT_EQ(Inspect(built_.log_path).state, state);
    const RecoveryReport report = Recover(built_.log_path);
    EXPECT_EQ(report.outcome, RecoveryOutcome::kRemoved) << report.message;
    EXPECT_THAT(report.message, testing::HasSubstr(why));
    EXPECT_FALSE(std::filesystem::exists(built_.side_path()));
    EXPECT_EQ(std::filesystem::exists(built_.log_path), has_log);
    EXPECT_TRUE(!has_log || ReadWholeFile(built_.log_path) == log);
  }

  void ExpectBadHeader(const std::string& why,
                       const std::function<void(SideHeader*)>& change) {
    SCOPED_TRACE(why);
    built_.Prepare();
    change(&built_.header);
    built_.Sign();
    built_.WriteSide();
    ExpectUnusable(why);
  }

  TempDir dir_;
  SideBuilder built_{dir_.File("000007.log")};
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_RECOVERY_RECOVERY_FIXTURE_H_
