// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The lock of the log, and what may happen while recovery waits for it.

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "test/recovery/recovery_fixture.h"
#include "test/side/side_builder.h"
#include "test/support/temp_dir.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "uringfs/recovery.h"

namespace uringfs {
namespace {

using std::filesystem::exists;
using test::Inspect;
using test::Owner;
using test::ReadWholeFile;
using test::Recover;
using test::SideBuilder;
using test::WriteWholeFile;
using ::testing::HasSubstr;

class RecoveryFenceTest : public test::RecoveryFixture {};

TEST_F(RecoveryFenceTest, ALogThatIsHeldIsLeftAlone) {
  built_.Build();
  const std::string log = ReadWholeFile(built_.log_path);
  const std::string side = ReadWholeFile(built_.side_path());
  const Owner owner(built_.log_path);
  EXPECT_EQ(Inspect(built_.log_path).state, SideState::kOwned);
  const auto begin = std::chrono::steady_clock::now();
  const RecoveryReport report = Recover(built_.log_path, 30);
  EXPECT_GE(std::chrono::steady_clock::now() - begin,
            std::chrono::milliseconds(30));
  EXPECT_EQ(report.outcome, RecoveryOutcome::kBusy);
  EXPECT_THAT(report.message,
              HasSubstr("process " + std::to_string(::getppid()) + " has"));
  EXPECT_THAT(report.message, HasSubstr("close it"));
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == log);
  ASSERT_TRUE(exists(built_.side_path()));
  EXPECT_TRUE(ReadWholeFile(built_.side_path()) == side);
}

TEST_F(RecoveryFenceTest, SaysThatTheOwnerIsGone) {
  built_.Prepare();
  built_.header.owner_pid = 0x7ffffff0;
  built_.Sign();
  built_.WriteSide();
  EXPECT_FALSE(Inspect(built_.log_path).owner_is_alive);
  const Owner owner(built_.log_path);
  const RecoveryReport report = Recover(built_.log_path, 0);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kBusy);
  EXPECT_THAT(report.message, HasSubstr("process 2147483632, is gone"));
}

TEST_F(RecoveryFenceTest, AnIdleFileOfALogThatIsHeldIsLeftAlone) {
  built_.written = built_.filled;
  built_.Prepare();
  built_.state = kSideIdle;
  built_.WriteSide();
  Owner owner(built_.log_path);
  EXPECT_EQ(Recover(built_.log_path, 0).outcome, RecoveryOutcome::kBusy);
  EXPECT_TRUE(exists(built_.side_path()));
  owner.Leave();
  EXPECT_EQ(Recover(built_.log_path, 0).outcome, RecoveryOutcome::kRemoved);
}

// What happens while recovery waits for the lock.
class RecoveryWaitTest : public test::RecoveryFixture {
 protected:
  RecoveryReport RecoverWhile(const std::function<void()>& happens) {
    Owner owner(built_.log_path);
    std::thread thread([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      happens();
      owner.Leave();
    });
    const RecoveryReport report = Recover(built_.log_path, 20000);
    thread.join();
    return report;
  }
};

TEST_F(RecoveryWaitTest, TheOwnerIsGone) {
  built_.Build();
  const RecoveryReport report = RecoverWhile([] {});
  EXPECT_EQ(report.outcome, RecoveryOutcome::kRecovered) << report.message;
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == built_.whole());
}

TEST_F(RecoveryWaitTest, ALateWriteLands) {
  built_.written = 9000;
  built_.Build();
  // An older copy of the tail block, padded with zeros.
  const RecoveryReport report = RecoverWhile([&] {
    const std::string block =
        test::Stream(8192, 9000) + std::string(4096 - (9000 - 8192), '\0');
    std::fstream(built_.log_path, std::ios::in | std::ios::out).seekp(8192)
        << block;
  });
  EXPECT_EQ(report.outcome, RecoveryOutcome::kRecovered) << report.message;
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == built_.whole());
}

TEST_F(RecoveryWaitTest, TheOwnerMovesOn) {
  built_.Build();
  const RecoveryReport report = RecoverWhile([&] {
    built_.written = built_.filled;
    built_.filled += 1000;
    built_.Build();
  });
  EXPECT_EQ(report.outcome, RecoveryOutcome::kRecovered) << report.message;
  EXPECT_EQ(report.recovered_bytes, 1000u);
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == built_.whole());
}

TEST_F(RecoveryWaitTest, TheOwnerClosesTheLog) {
  built_.Build();
  const RecoveryReport report = RecoverWhile([&] {
    WriteWholeFile(built_.log_path, "closed");
    std::filesystem::remove(built_.side_path());
  });
  EXPECT_EQ(report.outcome, RecoveryOutcome::kNothing) << report.message;
  EXPECT_EQ(ReadWholeFile(built_.log_path), "closed");
}

TEST_F(RecoveryWaitTest, TheOwnerClosesTheLogAndKeepsTheFile) {
  built_.Build();
  const RecoveryReport report = RecoverWhile([&] {
    WriteWholeFile(built_.log_path, built_.whole());
    built_.state = kSideIdle;
    built_.WriteSide();
  });
  EXPECT_EQ(report.outcome, RecoveryOutcome::kRemoved) << report.message;
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == built_.whole());
}

TEST_F(RecoveryWaitTest, TheFileGoesToAnotherLog) {
  built_.Build();
  SideBuilder other(dir_.File("other.log"));
  other.stream = std::string(20000, 'o');
  const RecoveryReport report = RecoverWhile([&] {
    other.Build();
    std::filesystem::rename(other.side_path(), built_.side_path());
  });
  EXPECT_EQ(report.outcome, RecoveryOutcome::kUnusable) << report.message;
  EXPECT_TRUE(ReadWholeFile(built_.log_path) ==
              test::Stream(0, built_.written));
}

TEST_F(RecoveryWaitTest, TheLogIsReplaced) {
  built_.Build();
  const RecoveryReport report = RecoverWhile([&] {
    WriteWholeFile(dir_.File("new"), "new");
    std::filesystem::rename(dir_.File("new"), built_.log_path);
  });
  EXPECT_EQ(report.outcome, RecoveryOutcome::kUnusable) << report.message;
  EXPECT_EQ(ReadWholeFile(built_.log_path), "new");
}

// The lock that was waited for is of a file that is no log any more.
TEST_F(RecoveryWaitTest, TheLogIsReplacedByOneThatIsHeld) {
  built_.Build();
  std::unique_ptr<Owner> next;
  std::string side;
  RecoveryReport report;
  {
    Owner owner(built_.log_path);
    std::thread thread([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      std::filesystem::remove(built_.log_path);
      std::filesystem::remove(built_.side_path());
      built_.Build();
      next = std::make_unique<Owner>(built_.log_path);
      side = ReadWholeFile(built_.side_path());
      owner.Leave();
    });
    report = Recover(built_.log_path, 500);
    thread.join();
  }
  EXPECT_EQ(report.outcome, RecoveryOutcome::kBusy) << report.message;
  ASSERT_TRUE(exists(built_.side_path()));
  EXPECT_TRUE(ReadWholeFile(built_.side_path()) == side);
}

}  // namespace
}  // namespace uringfs
