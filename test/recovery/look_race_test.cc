// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What happens to a log between a reader's look at its side file and his look
// at its locks. flock is this program's own.

#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "src/side/side_lock.h"
#include "test/side/side_builder.h"
#include "test/support/temp_dir.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "uringfs/recovery.h"

namespace {
std::function<void()>* before_lock = nullptr;
// How many locks come in front of that one: a look takes the side file's, and
// then the log's.
int locks_before = 0;
}  // namespace

extern "C" int flock(int fd, int operation) {
  if (before_lock != nullptr && (operation & LOCK_UN) == 0 &&
      locks_before-- == 0) {
    std::function<void()>* const once = before_lock;
    before_lock = nullptr;
    (*once)();
  }
  return static_cast<int>(::syscall(SYS_flock, fd, operation));
}

namespace uringfs {
namespace {

class LookRaceTest : public testing::Test {
 protected:
  // The owner goes on, and is killed.
  void OwnerGoesOn() {
    built_.filled = 16000;
    built_.PrepareSide();
    built_.WriteSide();
  }

  // step_ runs once, before the lock that comes after so many others.
  void Before(int locks) {
    before_lock = &step_;
    locks_before = locks;
  }

  void ExpectAllIsSeen() {
    std::unique_ptr<LogView> view;
    const Status status = LogView::Open(built_.log_path, nullptr, &view);
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_EQ(before_lock, nullptr) << "nothing is tested here";
    uint64_t size = 0;
    ASSERT_TRUE(view->Size(&size).ok());
    EXPECT_EQ(size, built_.filled);
    std::string bytes(size, '?');
    size_t got = 0;
    ASSERT_TRUE(view->Read(0, size, bytes.data(), &got).ok());
    EXPECT_TRUE(bytes == built_.whole());
  }

  test::TempDir dir_;
  test::SideBuilder built_{dir_.File("000007.log")};
  std::function<void()> step_;
};

TEST_F(LookRaceTest, AnOwnerThatGoesOnAndDies) {
  built_.Build();
  step_ = [this] { OwnerGoesOn(); };
  Before(1);
  ExpectAllIsSeen();
}

TEST_F(LookRaceTest, InspectionOfAnOwnerThatGoesOnAndDies) {
  built_.Build();
  step_ = [this] { OwnerGoesOn(); };
  Before(1);
  SideFileInfo info;
  ASSERT_TRUE(InspectLog(built_.log_path, nullptr, &info).ok());
  ASSERT_EQ(before_lock, nullptr) << "nothing is tested here";
  EXPECT_EQ(info.state, SideState::kWhole) << info.reason;
  EXPECT_EQ(info.filled, built_.filled);
}

TEST_F(LookRaceTest, AnOwnerThatCloses) {
  built_.Build();
  step_ = [this] {
    test::WriteWholeFile(built_.log_path, built_.whole(), 0644);
    ::unlink(built_.side_path().c_str());
  };
  Before(1);
  ExpectAllIsSeen();
}

// A side file that the file system has lost the newest pages of: its log has
// more. Nobody believes it while a recovery is just finding that out.
TEST_F(LookRaceTest, ARecoveryThatIsUnderWay) {
  built_.Build();
  const int side = ::open(built_.side_path().c_str(), O_RDONLY | O_CLOEXEC);
  const int log = ::open(built_.log_path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(side, LOCK_EX), 0);
  ASSERT_EQ(::flock(log, LOCK_EX), 0);
  step_ = [&] {
    built_.filled = 30000;
    test::WriteWholeFile(built_.log_path, built_.whole(), 0644);
    ::unlink(built_.side_path().c_str());
    ::close(log);
    ::close(side);
  };
  // He is turned away twice.
  Before(2);
  ExpectAllIsSeen();
}

TEST_F(LookRaceTest, ARecoveryWaitsForThoseWhoLook) {
  built_.Build();
  const int side = ::open(built_.side_path().c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(side, LOCK_SH), 0);
  RecoveryOptions options;
  options.wait_ms = 20;
  RecoveryReport report;
  ASSERT_TRUE(RecoverLog(built_.log_path, options, &report).ok());
  EXPECT_EQ(report.outcome, RecoveryOutcome::kBusy) << report.message;
  ::close(side);
  ASSERT_TRUE(RecoverLog(built_.log_path, options, &report).ok());
  EXPECT_EQ(report.outcome, RecoveryOutcome::kRecovered) << report.message;
}

// Secondaries that poll, with a long log.
TEST_F(LookRaceTest, ARecoveryIsNotHeldUpForEver) {
  built_.Build();
  std::atomic<bool> is_over{false};
  std::atomic<int> looks{0};
  std::vector<std::thread> lookers;
  for (int i = 0; i < 4; ++i) {
    lookers.emplace_back([&, i] {
      std::this_thread::sleep_for(std::chrono::milliseconds(5 * i));
      while (!is_over) {
        Side side;
        SideLock lock;
        if (LookAtSide(built_.log_path, &side).ok() &&
            side.content == SideContent::kLive && lock.TryShared(side).ok() &&
            lock.is_held()) {
          ++looks;
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
      }
    });
  }
  while (looks < 10) {
    std::this_thread::yield();
  }
  RecoveryReport report;
  EXPECT_TRUE(RecoverLog(built_.log_path, RecoveryOptions(), &report).ok());
  EXPECT_EQ(report.outcome, RecoveryOutcome::kRecovered) << report.message;
  is_over = true;
  for (std::thread& looker : lookers) {
    looker.join();
  }
}

// But while its owner lives, who looks does not wait for who wants to recover.
TEST_F(LookRaceTest, ARecoveryThatIsInVainHoldsUpNobody) {
  built_.Build();
  const int owner = ::open(built_.log_path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(owner, LOCK_EX), 0);
  RecoveryOptions options;
  options.wait_ms = 400;
  RecoveryReport report;
  std::thread recovery(
      [&] { EXPECT_TRUE(RecoverLog(built_.log_path, options, &report).ok()); });
  int seen = 0;
  for (int i = 0; i < 50; ++i) {
    Side side;
    SideLock lock;
    ASSERT_TRUE(LookAtSide(built_.log_path, &side).ok());
    ASSERT_TRUE(lock.TryShared(side).ok());
    seen += lock.is_held() ? 1 : 0;
    lock.Release();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  recovery.join();
  EXPECT_EQ(report.outcome, RecoveryOutcome::kBusy);
  EXPECT_GT(seen, 25);
  ::close(owner);
}

// A process of today does not own what is of an earlier boot; but one in a
// container with a boot id of its own has what adds up.
TEST_F(LookRaceTest, SomebodyHoldsALogOfAnotherBoot) {
  built_.Prepare();
  built_.BeOfAnotherBoot();
  built_.WriteSide();
  const int log = ::open(built_.log_path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(log, LOCK_EX), 0);
  std::unique_ptr<LogView> view;
  ASSERT_TRUE(LogView::Open(built_.log_path, nullptr, &view).ok());
  uint64_t size = 0;
  ASSERT_TRUE(view->Size(&size).ok());
  EXPECT_EQ(size, built_.filled);
  std::string bytes = built_.side_bytes();
  bytes[kSideRingOffset + (built_.written - built_.header.origin) %
                              SideRingBytes(built_.header)] ^= 1;
  test::WriteWholeFile(built_.side_path(), bytes);
  const Status status = LogView::Open(built_.log_path, nullptr, &view);
  EXPECT_EQ(status.error_number(), EBUSY) << status.ToString();
  ::close(log);
}

// Nobody knows what a version that is not ours has promised.
TEST_F(LookRaceTest, SomebodyHoldsALogWithASideFileThatCannotBeRead) {
  built_.Prepare();
  built_.header.version = 99;
  built_.WriteSide();
  const int log = ::open(built_.log_path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(log, LOCK_EX), 0);
  std::unique_ptr<LogView> view;
  const Status status = LogView::Open(built_.log_path, nullptr, &view);
  EXPECT_THAT(status.ToString(), ::testing::HasSubstr("version 99"));
  SideFileInfo info;
  EXPECT_FALSE(InspectLog(built_.log_path, nullptr, &info).ok());
  ::close(log);
}

}  // namespace
}  // namespace uringfs
