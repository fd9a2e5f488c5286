// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// kill -9 while a database is written: every acknowledged key is there again,
// in every WAL recovery mode, through uringfs as it is and through posix behind
// a recovery.

#include <unistd.h>

#include <cstdlib>

#include "test/plugin/db_fixture.h"
#include "test/recovery/directory.h"
#include "test/support/child_process.h"
#include "test/support/seed.h"

#include "uringfs/recovery.h"

namespace uringfs::test {
namespace {

// Args: directory, "sync" or "nosync", file system, how many keys. Says on its
// standard output after each key that it was acknowledged; then idles.
int PutForEver(const std::vector<std::string>& args) {
  const EnvByName env(args[2]);
  rocksdb::DB* db = nullptr;
  if (!rocksdb::DB::Open(SmallDbOptions(env.get()), args[0], &db).ok()) {
    return 1;
  }
  rocksdb::WriteOptions options;
  options.sync = args[1] == "sync";
  const uint64_t count = std::stoull(args[3]);
  for (uint64_t i = 0; i < count; ++i) {
    if (!db->Put(options, Key(i), Value(i)).ok() ||
        ::write(STDOUT_FILENO, &i, sizeof(i)) != sizeof(i)) {
      return 2;
    }
  }
  while (true) {
    ::pause();
  }
}
const RegisterChild kPutForEver("put_for_ever", &PutForEver);

// Runs a writer, kills it behind `keys` acknowledged keys, and answers how
// many were acknowledged in the end. It would go on to `count` keys.
uint64_t FillAndKill(const std::string& path, bool sync, const char* fs,
                     uint64_t keys, uint64_t count) {
  ChildProcess child("put_for_ever", {path, sync ? "sync" : "nosync", fs,
                                      std::to_string(count)});
  uint64_t last = 0;
  uint64_t acknowledged = 0;
  while (acknowledged < keys &&
         ::read(child.output(), &last, sizeof(last)) == sizeof(last)) {
    acknowledged = last + 1;
  }
  EXPECT_GE(acknowledged, keys) << "the writer gave up";
  child.Kill();
  const std::string rest = child.ReadAll();
  return acknowledged + rest.size() / sizeof(last);
}

struct Mode {
  const char* name;
  rocksdb::WALRecoveryMode value;
};
constexpr Mode kModes[] = {
    {"tolerate", rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords},
    {"absolute", rocksdb::WALRecoveryMode::kAbsoluteConsistency},
    {"point-in-time", rocksdb::WALRecoveryMode::kPointInTimeRecovery},
    {"skip", rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords}};

void OpenAndCheck(const std::string& path, const char* fs, const Mode& mode,
                  uint64_t acknowledged, bool was_idle) {
  if (fs == std::string("posix")) {
    std::vector<RecoveryReport> reports;
    ASSERT_TRUE(RecoverDirectory(path, &reports).ok());
  }
  const EnvByName env(fs);
  rocksdb::Options options = SmallDbOptions(env.get());
  options.wal_recovery_mode = mode.value;
  rocksdb::DB* made = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, path, &made);
  if (!was_idle &&
      mode.value == rocksdb::WALRecoveryMode::kAbsoluteConsistency &&
      status.IsCorruption()) {
    // The record that was under way may be there in part, on any file system;
    // this mode is meant to say so. What was acknowledged is there.
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    status = rocksdb::DB::Open(options, path, &made);
  }
  ASSERT_TRUE(status.ok()) << status.ToString();
  const std::unique_ptr<rocksdb::DB> db(made);
  Check(db.get(), 0, acknowledged);
  // It can be used on.
  Fill(db.get(), acknowledged, acknowledged + 100, 1, true);
  Check(db.get(), acknowledged, acknowledged + 100, 1);
}

void RunRounds(int rounds, uint64_t max_keys) {
  const uint64_t seed = SeedOr(11);
  SCOPED_TRACE(SeedTrace(seed));
  Random random(seed);
  for (int round = 0; round < rounds; ++round) {
    const bool sync = round % 2 == 1;
    const char* const reopen = round % 4 < 2 ? "posix" : "uringfs";
    const Mode& mode = kModes[round / 4 % 4];
    const char* const writer = round % 8 == 7 ? "uringfs_pwrite" : "uringfs";
    const uint64_t keys = random.LogUniform(1, sync ? max_keys / 10 : max_keys);
    SCOPED_TRACE(std::string(writer) + (sync ? " synced, " : " unsynced, ") +
                 mode.name + ", reopened by " + reopen + ", keys " +
                 std::to_string(keys));
    const TempDir dir;
    const uint64_t acknowledged =
        FillAndKill(dir.File("db"), sync, writer, keys, UINT64_MAX);
    OpenAndCheck(dir.File("db"), reopen, mode, acknowledged, false);
    if (::testing::Test::HasFatalFailure()) {
      return;
    }
  }
}

TEST(DbCrashTest, EveryAcknowledgedKeyIsThereAfterKill9) {
  RunRounds(32, 4000);
}

TEST(DbCrashTest, AWriterThatWasIdleLeavesAWalThatEveryModeAccepts) {
  // The WAL on disk ends in the zeros of its last block.
  const uint64_t seed = SeedOr(12);
  SCOPED_TRACE(SeedTrace(seed));
  Random random(seed);
  for (const Mode& mode : kModes) {
    for (const char* reopen : {"posix", "uringfs"}) {
      for (int round = 0; round < 3; ++round) {
        const uint64_t keys = random.LogUniform(1, 1500);
        SCOPED_TRACE(std::string(mode.name) + ", reopened by " + reopen +
                     ", keys " + std::to_string(keys));
        const TempDir dir;
        ASSERT_EQ(FillAndKill(dir.File("db"), false, "uringfs", keys, keys),
                  keys);
        OpenAndCheck(dir.File("db"), reopen, mode, keys, true);
      }
    }
  }
}

TEST(DbCrashTest, LongEveryAcknowledgedKeyIsThereAfterKill9) {
  RunRounds(480, 20000);
}

}  // namespace
}  // namespace uringfs::test
