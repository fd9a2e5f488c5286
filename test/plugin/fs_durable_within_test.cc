// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// wal_durable_within: unsynced writes of a database become durable.

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "plugin/uringfs_file_system.h"
#include "test/support/temp_dir.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class FsDurableWithinTest : public ::testing::TestWithParam<RingHome> {
 protected:
  void Open(uint32_t within) {
    UringFsOptions options;
    options.wal_ring = GetParam();
    options.wal_durable_within = within;
    auto status =
        NewUringFileSystem(rocksdb::FileSystem::Default(), options, &fs_);
    ASSERT_TRUE(status.ok()) << status.ToString();
    env_ = rocksdb::NewCompositeEnv(fs_);
    rocksdb::Options db_options;
    db_options.env = env_.get();
    db_options.create_if_missing = true;
    rocksdb::DB* db = nullptr;
    status = rocksdb::DB::Open(db_options, dir_.File("db"), &db);
    ASSERT_TRUE(status.ok()) << status.ToString();
    db_.reset(db);
  }
  void TearDown() override { db_.reset(); }

  void Put() {
    const auto status =
        db_->Put(rocksdb::WriteOptions(), std::to_string(puts_++), "a value");
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  // Asks again and again, for a minute at most.
  template <class Condition>
  static bool Becomes(const Condition& condition) {
    const auto limit = std::chrono::steady_clock::now() + milliseconds(60000);
    while (!condition() && std::chrono::steady_clock::now() < limit) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    return condition();
  }

  std::string Log() const {
    std::string text;
    const auto status = rocksdb::ReadFileToString(
        rocksdb::Env::Default(), dir_.File("db") + "/LOG", &text);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return text;
  }

  TempDir dir_;
  std::shared_ptr<rocksdb::FileSystem> fs_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
  int puts_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Rings, FsDurableWithinTest,
                         ::testing::Values(RingHome::kPrivate,
                                           RingHome::kShared),
                         [](const auto& p) {
                           return p.param == RingHome::kShared ? "Shared"
                                                               : "Private";
                         });

TEST_P(FsDurableWithinTest, WhatWasPutBecomesDurable) {
  Open(4);
  for (int i = 0; i < 500; ++i) {
    Put();
  }
  const std::vector<UringFsWal> before = UringFsWals(*fs_);
  ASSERT_THAT(before, SizeIs(1));
  EXPECT_THAT(before[0].path, HasSubstr(".log"));
  EXPECT_GT(before[0].flushed, 500u);
  EXPECT_EQ(before[0].flushed, before[0].size);
  EXPECT_TRUE(Becomes(
      [&] { return UringFsWals(*fs_)[0].stable >= before[0].flushed; }));
  EXPECT_THAT(UringFsStatistics(*fs_), HasSubstr(" wal_syncs=0 "));
}

TEST_P(FsDurableWithinTest, OtherwiseNothingDoes) {
  Open(0);
  Put();
  std::this_thread::sleep_for(milliseconds(100));
  const std::vector<UringFsWal> wals = UringFsWals(*fs_);
  ASSERT_THAT(wals, SizeIs(1));
  EXPECT_GT(wals[0].flushed, 0u);
  EXPECT_EQ(wals[0].stable, 0u);
  EXPECT_THAT(UringFsWals(*rocksdb::FileSystem::Default()), IsEmpty());
}

// A process that is stopped is as late as one whose disk is slow.
TEST_P(FsDurableWithinTest, TheLogSaysWhatWasLate) {
  Open(4);
  Put();
  const auto says_so = [this] {
    return Log().find("durable later than wal_durable_within=4ms") !=
           std::string::npos;
  };
  EXPECT_THAT(UringFsStatistics(*fs_), HasSubstr(" wal_late_syncs="));
  for (int tries = 0; tries < 100 && !says_so(); ++tries) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::kill(::getppid(), SIGSTOP);
      ::usleep(50000);
      ::kill(::getppid(), SIGCONT);
      ::_exit(0);
    }
    // Until it was stopped in between.
    while (::waitpid(child, nullptr, WNOHANG) == 0) {
      Put();
    }
    Put();
  }
  EXPECT_TRUE(says_so());
  EXPECT_THAT(UringFsStatistics(*fs_), Not(HasSubstr(" wal_late_syncs=0 ")));
}

}  // namespace
}  // namespace uringfs::test
