// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The ways out of a side file that is unusable: what is moved, what is cut, and
// what is kept.

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "test/recovery/content_fixture.h"
#include "test/support/forbid.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs {
namespace {

using std::filesystem::exists;
using test::BatchHead;
using test::ContentTest;
using test::Forbid;
using test::NumberedLog;
using test::ReadWholeFile;
using test::WalWriter;
using test::WriteWholeFile;
using ::testing::HasSubstr;

class WaysOutTest : public ContentTest {};

TEST_F(WaysOutTest, AcceptTakesWhatFits) {
  built_.Prepare();
  built_.FlipBit(built_.filled - 1);
  built_.WriteSide();
  const SideFileInfo info = Look();
  const RecordsEnd in_file = EndOf(built_.Bytes(0, built_.written));
  const RecordsEnd fits = EndOf(built_.Bytes(0, built_.filled - 1));
  EXPECT_EQ(info.at_stake, built_.filled - in_file.offset);
  EXPECT_EQ(info.acceptable, fits.offset - in_file.offset);
  EXPECT_FALSE(info.knows_rest);
  const std::string log = ReadWholeFile(built_.log_path);
  const RecoveryReport report = Choose(Unusable::kAccept);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kAccepted) << report.message;
  EXPECT_EQ(report.recovered_bytes, info.acceptable);
  EXPECT_EQ(report.lost_bytes, built_.filled - fits.offset);
  EXPECT_THAT(report.message, HasSubstr("an unknown number"));
  EXPECT_TRUE(ReadWholeFile(report.kept_log_path) == log);
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == built_.Bytes(0, fits.offset));
  EXPECT_TRUE(ReadWholeFile(report.kept_path) == built_.side_bytes());
  EXPECT_FALSE(exists(built_.side_path()));
}

// The log was written to, and says where it is as it was.
TEST_F(WaysOutTest, AcceptThatCannotRenameTheSideFile) {
  built_.Prepare();
  built_.FlipBit(built_.filled - 1);
  built_.WriteSide();
  const std::string log = ReadWholeFile(built_.log_path);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool is_forbidden =
        Forbid(SYS_renameat2, EROFS) && Forbid(SYS_rename, EROFS);
    RecoveryOptions options;
    options.unusable = Unusable::kAccept;
    options.format = &RocksDbWal();
    RecoveryReport report;
    const bool has_failed = !RecoverLog(built_.log_path, options, &report).ok();
    const bool names_it =
        report.message.find("(kept as " + report.kept_log_path + ")") !=
        std::string::npos;
    ::_exit(is_forbidden && has_failed && names_it &&
                    report.kept_path.empty() &&
                    ReadWholeFile(report.kept_log_path) == log
                ? 0
                : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(ReadWholeFile(built_.side_path()) == built_.side_bytes());
}

// Records that were promised later follow at the very place.
TEST_F(WaysOutTest, AcceptTakesNoRingOfAnotherTime) {
  built_.written = EndOf(built_.Bytes(0, built_.written)).offset;
  built_.stream = NumberedLog('a').substr(0, built_.written) +
                  NumberedLog('a', 1001).substr(built_.written);
  built_.sum = SideSum{built_.filled, 1};
  built_.Build();
  const std::string log = ReadWholeFile(built_.log_path);
  EXPECT_EQ(Look().acceptable, 0u);
  const RecoveryReport report = Choose(Unusable::kAccept);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kAccepted) << report.message;
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == log);
  EXPECT_EQ(report.kept_log_path, "");
}

// The log has gone on, and lacks something in front of that which the ring has.
TEST_F(WaysOutTest, AcceptCutsNothingOff) {
  built_.Build();
  const std::string whole = built_.Bytes(0, built_.filled + 50000);
  std::string log = whole;
  log.replace(built_.written, 4096, 4096, '\0');
  WriteWholeFile(built_.log_path, log, 0644);
  EXPECT_GT(Look().acceptable, 0u);
  EXPECT_FALSE(Look().knows_rest) << "something was promised behind it";
  const RecoveryReport report = Choose(Unusable::kAccept);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kAccepted) << report.message;
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == whole);
  EXPECT_TRUE(ReadWholeFile(report.kept_log_path) == log);
}

TEST_F(WaysOutTest, AcceptLeavesNothingBehindAHole) {
  built_.Build();
  std::string log = built_.Bytes(0, built_.filled + 50000);
  const uint64_t hole = built_.filled + 4096 - built_.written;
  log.replace(built_.written, hole, hole, '\0');
  WriteWholeFile(built_.log_path, log, 0644);
  const RecoveryReport report = Choose(Unusable::kAccept);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kAccepted) << report.message;
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == built_.whole());
  EXPECT_TRUE(ReadWholeFile(report.kept_log_path) == log);
}

// An earlier run was ended before it had cut.
TEST_F(WaysOutTest, AcceptLeavesNothingBehindAHoleThatItFinds) {
  built_.Build();
  std::string log = built_.Bytes(0, built_.filled + 50000);
  log.replace(built_.filled, 4096, 4096, '\0');
  WriteWholeFile(built_.log_path, log, 0644);
  EXPECT_EQ(Look().acceptable, 0u);
  const RecoveryReport report = Choose(Unusable::kAccept);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kAccepted) << report.message;
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == built_.whole());
  EXPECT_TRUE(ReadWholeFile(report.kept_log_path) == log);
}

// The last record ends in zeros.
TEST_F(WaysOutTest, AcceptCutsNoZerosOffARecord) {
  WalWriter wal;
  wal.Add(BatchHead(1) + std::string(120000, 'x'));
  wal.Add(BatchHead(2) + std::string(9000, 'y'));
  built_.filled = wal.bytes().size();
  wal.Add(BatchHead(3) + std::string(20000, 'z') + std::string(300, '\0'));
  built_.stream = wal.bytes();
  built_.Build();
  std::string log = built_.stream;
  log.replace(built_.written, 4096, 4096, '\0');
  WriteWholeFile(built_.log_path, log, 0644);
  EXPECT_GT(Look().acceptable, 0u);
  const RecoveryReport report = Choose(Unusable::kAccept);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kAccepted) << report.message;
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == built_.stream);
}

// The numbers that the log lacks are those of writes without it.
TEST_F(WaysOutTest, AcceptTakesWhatFollowsAGap) {
  const uint64_t gap = EndOf(built_.Bytes(0, 40000)).offset;
  built_.stream =
      NumberedLog('a').substr(0, gap) + NumberedLog('a', 1001).substr(gap);
  built_.Prepare();
  built_.FlipBit(built_.filled - 1);
  built_.WriteSide();
  const RecordsEnd fits = EndOf(built_.Bytes(0, built_.filled - 1));
  const RecoveryReport report = Choose(Unusable::kAccept);
  EXPECT_GT(report.recovered_bytes, 0u);
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == built_.Bytes(0, fits.offset));
}

TEST_F(WaysOutTest, AcceptLeavesALogThatHasOtherRecords) {
  built_.Build();
  const std::string others = NumberedLog('b');
  WriteWholeFile(built_.log_path, others, 0644);
  Replace(built_.log_path);
  EXPECT_EQ(Look().acceptable, 0u);
  const RecoveryReport report = Choose(Unusable::kAccept);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kAccepted) << report.message;
  EXPECT_EQ(report.recovered_bytes, 0u);
  EXPECT_EQ(report.lost_bytes, built_.filled - built_.written);
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == others);
  EXPECT_TRUE(ReadWholeFile(report.kept_path) == built_.side_bytes());
}

TEST_F(WaysOutTest, DiscardLeavesTheLog) {
  built_.Build();
  ASSERT_EQ(::chmod(built_.side_path().c_str(), 0666), 0);
  const std::string log = ReadWholeFile(built_.log_path);
  ExpectUnusable("chmod");
  const RecoveryReport report = Choose(Unusable::kDiscard);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kDiscarded) << report.message;
  EXPECT_EQ(report.recovered_bytes, 0u);
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == log);
  EXPECT_TRUE(ReadWholeFile(report.kept_path) == built_.side_bytes());
  EXPECT_FALSE(exists(built_.side_path()));
}

// Nobody has to choose about what can be applied.
TEST_F(WaysOutTest, AChoiceChangesNothingForAGoodOne) {
  for (const Unusable unusable : {Unusable::kAccept, Unusable::kDiscard}) {
    built_.Build();
    const RecoveryReport report = Choose(unusable);
    EXPECT_EQ(report.outcome, RecoveryOutcome::kRecovered) << report.message;
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == built_.whole());
  }
}

TEST_F(WaysOutTest, AcceptOfSomethingThatCannotBeRead) {
  built_.Build();
  WriteWholeFile(built_.side_path(), "garbage");
  const std::string log = ReadWholeFile(built_.log_path);
  const RecoveryReport report = Choose(Unusable::kAccept);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kAccepted) << report.message;
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == log);
  EXPECT_EQ(ReadWholeFile(report.kept_path), "garbage");
}

}  // namespace
}  // namespace uringfs
