// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A child of fork has the log's object and descriptor. It must not touch the
// file, whatever it calls.

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "test/log/fake_log.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"
#include "uringfs/log_store.h"

namespace uringfs {
namespace {

// Every call fails; nothing happens to the file. Returns 0 if so.
int UseInChild(std::unique_ptr<LogStore> log) {
  Reservation reservation;
  int bad = 0;
  bad += log->Append("x").ok() ? 1 : 0;
  bad += log->Reserve(10, &reservation).ok() ? 2 : 0;
  bad += log->Flush().ok() ? 4 : 0;
  bad += log->Sync().ok() ? 8 : 0;
  bad += log->Settle().ok() ? 16 : 0;
  bad += log->Truncate(0).ok() ? 32 : 0;
  bad += log->Close().ok() ? 64 : 0;
  (void)log->io_choice();
  (void)log->stats();
  log.reset();
  return bad;
}

class LogForkTest : public testing::TestWithParam<WriteMode> {};

TEST_P(LogForkTest, AChildCannotHarmTheFile) {
  test::TempDir dir;
  LogOptions options;
  options.write_mode = GetParam();
  std::unique_ptr<LogStore> log;
  ASSERT_TRUE(LogStore::Open(dir.File("f"), options, &log).ok());
  std::string stream = test::StreamBytes(0, 5000);
  ASSERT_TRUE(log->Append(stream).ok());
  ASSERT_TRUE(log->Sync().ok());
  // Not flushed when the child is made: a copy of them must not be written.
  ASSERT_TRUE(log->Append("unflushed").ok());
  stream += "unflushed";
  int go[2];
  ASSERT_EQ(::pipe(go), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    char byte = 0;
    (void)!::read(go[0], &byte, 1);
    ::_exit(UseInChild(std::move(log)));
  }
  const std::string more = test::StreamBytes(stream.size(), 100000);
  ASSERT_TRUE(log->Append(more).ok());
  stream += more;
  ASSERT_TRUE(log->Sync().ok());
  ASSERT_EQ(::write(go[1], "g", 1), 1);
  int outcome = 0;
  ASSERT_EQ(::waitpid(child, &outcome, 0), child);
  EXPECT_EQ(outcome, 0);
  ::close(go[0]);
  ::close(go[1]);
  EXPECT_EQ(test::ReadWholeFile(dir.File("f")).substr(0, stream.size()),
            stream);
  ASSERT_TRUE(log->Append("end").ok());
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(test::ReadWholeFile(dir.File("f")), stream + "end");
}

TEST_P(LogForkTest, AChildOpensLogsOfItsOwn) {
  test::TempDir dir;
  LogOptions options;
  options.write_mode = GetParam();
  std::unique_ptr<LogStore> log;
  // Leaves a workspace in the pool, which the child must not use.
  ASSERT_TRUE(LogStore::Open(dir.File("f"), options, &log).ok());
  ASSERT_TRUE(log->Append("parent").ok());
  ASSERT_TRUE(log->Close().ok());
  log.reset();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::unique_ptr<LogStore> own;
    const bool good = LogStore::Open(dir.File("g"), options, &own).ok() &&
                      own->Append("child").ok() && own->Sync().ok() &&
                      own->Close().ok();
    own.reset();
    ::_exit(good ? 0 : 1);
  }
  int outcome = 0;
  ASSERT_EQ(::waitpid(child, &outcome, 0), child);
  EXPECT_EQ(outcome, 0);
  EXPECT_EQ(test::ReadWholeFile(dir.File("g")), "child");
}

// Threads that wait in the log exist in the parent only.
TEST_P(LogForkTest, AChildGetsRidOfALogThatOthersWaitIn) {
  test::TempDir dir;
  LogOptions options;
  options.write_mode = GetParam();
  std::unique_ptr<LogStore> log;
  ASSERT_TRUE(LogStore::Open(dir.File("f"), options, &log).ok());
  std::atomic<bool> stop{false};
  std::vector<std::thread> syncers;
  for (int i = 0; i < 6; ++i) {
    syncers.emplace_back([&] {
      while (!stop) {
        EXPECT_TRUE(log->Append("some bytes").ok());
        EXPECT_TRUE(log->Sync().ok());
      }
    });
  }
  for (int i = 0; i < 40; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::alarm(10);
      log.reset();
      ::_exit(0);
    }
    int outcome = 0;
    EXPECT_EQ(::waitpid(child, &outcome, 0), child);
    EXPECT_TRUE(WIFEXITED(outcome)) << "it hung: " << outcome;
  }
  stop = true;
  for (std::thread& syncer : syncers) {
    syncer.join();
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, LogForkTest,
                         testing::Values(WriteMode::kSerialised,
                                         WriteMode::kTailLocalised),
                         test::ModeName);

}  // namespace
}  // namespace uringfs
