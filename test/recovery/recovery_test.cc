// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "uringfs/recovery.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "test/recovery/recovery_fixture.h"
#include "test/side/side_builder.h"
#include "test/support/seed.h"
#include "test/support/temp_dir.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs {
namespace {

using std::filesystem::exists;
using test::Inspect;
using test::Owner;
using test::Random;
using test::ReadWholeFile;
using test::Recover;
using test::SeedOr;
using test::SeedTrace;
using test::SideBuilder;
using test::WriteWholeFile;

class RecoveryTest : public test::RecoveryFixture {};

uint64_t BytesWrittenByThisProcess() {
  std::ifstream counters("/proc/self/io");
  std::string name;
  for (uint64_t value = 0; counters >> name >> value;) {
    if (name == "wchar:") {
      return value;
    }
  }
  return 0;
}

TEST_F(RecoveryTest, NamesOfSideFiles) {
  EXPECT_EQ(SideFilePath("a/b.log"), "a/b.log.uringfs");
  EXPECT_TRUE(IsSideFileName("a/b.log.uringfs"));
  EXPECT_TRUE(IsSideFileName("b.uringfs"));
  for (const char* name : {"", "b", ".uringfs", "a/.uringfs", "b.uringfs.log",
                           "buringfs", "b.uringfs/"}) {
    EXPECT_FALSE(IsSideFileName(name)) << name;
  }
}

TEST_F(RecoveryTest, WithoutASideFileThereIsNothingToDo) {
  WriteWholeFile(built_.log_path, "log");
  EXPECT_EQ(Inspect(built_.log_path).state, SideState::kNone);
  EXPECT_EQ(Recover(built_.log_path).outcome, RecoveryOutcome::kNothing);
  EXPECT_EQ(ReadWholeFile(built_.log_path), "log");
  EXPECT_EQ(Recover(dir_.File("no.log")).outcome, RecoveryOutcome::kNothing);
}

TEST_F(RecoveryTest, MovesWhatOnlyTheRingHas) {
  built_.Build();
  const SideFileInfo info = Inspect(built_.log_path);
  EXPECT_EQ(info.state, SideState::kWhole);
  EXPECT_EQ(info.written, built_.written);
  EXPECT_EQ(info.filled, built_.filled);
  EXPECT_EQ(info.log_bytes, built_.written);
  EXPECT_EQ(info.ring_bytes, built_.ring_bytes());
  EXPECT_EQ(info.owner_pid, static_cast<uint32_t>(::getppid()));
  EXPECT_TRUE(info.owner_is_alive);
  ExpectRecovered(built_);
}

TEST_F(RecoveryTest, AnyGeometryAndAnyWords) {
  const uint64_t seed = SeedOr(3);
  SCOPED_TRACE(SeedTrace(seed));
  Random random(seed);
  for (int i = 0; i < 300 && !HasFatalFailure(); ++i) {
    built_.Randomise(&random);
    SCOPED_TRACE("buffers " + std::to_string(built_.buffers_count) + " x " +
                 std::to_string(built_.buffer_bytes) + " origin " +
                 std::to_string(built_.origin) + " written " +
                 std::to_string(built_.written) + " filled " +
                 std::to_string(built_.filled));
    built_.Build();
    EXPECT_EQ(Inspect(built_.log_path).state, SideState::kWhole);
    ExpectRecovered(built_);
  }
}

TEST_F(RecoveryTest, BuffersLargerThanOneCopy) {
  built_.buffer_bytes = 1 << 20;
  built_.buffers_count = 3;
  built_.origin = 8192;
  built_.written = 8192 + (2 << 20) + 12345;
  built_.filled = built_.limit() - 77;
  built_.Build();
  ExpectRecovered(built_);
}

// A run that was killed leaves the log anywhere between the two.
TEST_F(RecoveryTest, GoesOnAfterEveryStep) {
  const uint64_t seed = SeedOr(4);
  SCOPED_TRACE(SeedTrace(seed));
  Random random(seed);
  for (int i = 0; i < 200 && !HasFatalFailure(); ++i) {
    built_.Randomise(&random);
    built_.Build();
    const int step = static_cast<int>(random.Below(3));
    const uint64_t missing =
        built_.filled > built_.written ? built_.filled - built_.written : 0;
    if (step == 0) {  // some of the copy
      std::string log = ReadWholeFile(built_.log_path);
      const std::string copied = test::Stream(
          built_.written, built_.written + random.Below(missing + 1));
      log.replace(built_.written, copied.size(), copied);
      std::ofstream(built_.log_path, std::ios::in | std::ios::out) << log;
    } else {  // all of it and the cut, and perhaps the fsync
      std::ofstream(built_.log_path, std::ios::in | std::ios::out)
          << built_.whole();
      std::filesystem::resize_file(built_.log_path, built_.filled);
    }
    const bool had_all =
        ReadWholeFile(built_.log_path).substr(0, built_.filled) ==
        built_.whole();
    SCOPED_TRACE("step " + std::to_string(step) + " written " +
                 std::to_string(built_.written) + " filled " +
                 std::to_string(built_.filled));
    ExpectRecovered(built_, had_all ? 0 : missing);
  }
}

TEST_F(RecoveryTest, MayBeKilledAtAnyInstant) {
  const uint64_t seed = SeedOr(5);
  SCOPED_TRACE(SeedTrace(seed));
  Random random(seed);
  built_.buffer_bytes = 1 << 20;
  built_.buffers_count = 4;
  int killed = 0;
  for (int i = 0; i < 40 && !HasFatalFailure(); ++i) {
    built_.written = built_.origin + random.Below(2 << 20);
    built_.filled = built_.limit() - random.Below(4096);
    built_.Build();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      RecoveryReport report;
      ::_exit(RecoverLog(built_.log_path, {}, &report).ok() ? 0 : 1);
    }
    std::this_thread::sleep_for(
        std::chrono::microseconds(random.LogUniform(1, 8000)));
    (void)::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    killed += exists(built_.side_path()) ? 1 : 0;
    if (exists(built_.side_path())) {
      const RecoveryReport report = Recover(built_.log_path, 10000);
      ASSERT_EQ(report.outcome, RecoveryOutcome::kRecovered) << report.message;
    }
    ASSERT_TRUE(ReadWholeFile(built_.log_path) == built_.whole());
  }
  EXPECT_GT(killed, 0);
}

// The kernel takes pages for written whose fsync has failed. So a recovery that
// finds what an earlier one has put into the page cache writes it once more.
TEST_F(RecoveryTest, WritesAnewWhatAnEarlierOneHasWritten) {
  built_.Build();
  const uint64_t only_ring = built_.filled - built_.written;
  WriteWholeFile(built_.log_path, built_.whole(), 0644);
  built_.WriteSide();
  ASSERT_EQ(Inspect(built_.log_path).at_stake, 0u);
  const uint64_t before = BytesWrittenByThisProcess();
  ExpectRecovered(built_, 0);
  EXPECT_GE(BytesWrittenByThisProcess() - before, only_ring);
}

TEST_F(RecoveryTest, KeepsTheSideFileWhenTheLogCannotBeWritten) {
  built_.Build();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    (void)::signal(SIGXFSZ, SIG_DFL);  // it must not come
    const rlimit limit = {10000, 10000};
    RecoveryReport report;
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) {
      ::_exit(2);
    }
    const Status status = RecoverLog(built_.log_path, {}, &report);
    const bool is_clear =
        status.ToString().find(built_.log_path) != std::string::npos &&
        report.message == status.ToString();
    ::_exit(status.error_number() == EFBIG && is_clear ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(exists(built_.side_path()));
  ExpectRecovered(built_);
}

TEST_F(RecoveryTest, SideFilesOfADirectory) {
  for (const char* const name : {"2.log.uringfs", "1.log.uringfs", "3.log",
                                 ".uringfs", "4.log.uringfs.kept1"}) {
    WriteWholeFile(dir_.File(name), "");
  }
  std::vector<std::string> logs;
  ASSERT_TRUE(ListSideFiles(dir_.path(), nullptr, &logs).ok());
  EXPECT_THAT(logs,
              testing::ElementsAre(dir_.File("1.log"), dir_.File("2.log")));
  EXPECT_EQ(ListSideFiles(dir_.File("no"), nullptr, &logs).error_number(),
            ENOENT);
}

TEST_F(RecoveryTest, WhatIsClearedIsKeptIfItMayBeWanted) {
  built_.Build();
  ASSERT_TRUE(ClearSideFile(built_.log_path).ok());
  EXPECT_FALSE(exists(built_.side_path()));
  EXPECT_TRUE(ReadWholeFile(built_.side_path() + ".kept1") ==
              built_.side_bytes());
  // Not over another one.
  built_.filled = built_.written + 1;
  built_.Build();
  ASSERT_TRUE(ClearSideFile(built_.log_path).ok());
  EXPECT_TRUE(ReadWholeFile(built_.side_path() + ".kept2") ==
              built_.side_bytes());
  built_.filled = built_.written;
  built_.Build();
  ASSERT_TRUE(ClearSideFile(built_.log_path).ok());
  EXPECT_FALSE(exists(built_.side_path()));
  EXPECT_FALSE(exists(built_.side_path() + ".kept3"));
  ASSERT_TRUE(ClearSideFile(built_.log_path).ok());
}

}  // namespace
}  // namespace uringfs
