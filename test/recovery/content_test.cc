// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Side files of logs whose records can be read: what users do to the two files
// after a kill, and what the file system may have lost of them. Either the log
// gets all that was acknowledged, or nobody goes on without.

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>

#include "src/base/align.h"
#include "src/base/crc32c.h"
#include "src/base/file_identity.h"
#include "test/recovery/content_fixture.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs {
namespace {

using std::filesystem::exists;
using test::ContentTest;
using test::NumberedLog;
using test::ReadWholeFile;
using test::WriteWholeFile;
using ::testing::HasSubstr;

TEST_F(ContentTest, AsLeft) {
  built_.Build();
  ExpectAllIsThere();
}

TEST_F(ContentTest, ACopyOfBothFiles) {
  built_.Build();
  Replace(built_.log_path);
  Replace(built_.side_path());
  ExpectAllIsThere();
}

TEST_F(ContentTest, ACopyOnAnotherMachine) {
  built_.Prepare();
  built_.BeOfAnotherBoot();
  ++built_.header.mount_epoch;
  built_.header.log_inode += 100;
  built_.Sign();
  built_.WriteSide();
  ExpectAllIsThere();
}

// An orderly reboot after the kill: nothing is lost, whatever the boot id says.
TEST_F(ContentTest, AnotherBootThatLostNothing) {
  built_.Prepare();
  built_.BeOfAnotherBoot();
  built_.WriteSide();
  ExpectAllIsThere();
}

TEST_F(ContentTest, AnotherMountThatLostNothing) {
  built_.Prepare();
  built_.BeOfAnotherMount();
  built_.WriteSide();
  ExpectAllIsThere();
}

// At the begin of a buffer the two have no byte in common: there is a proof.
TEST_F(ContentTest, ACopyAtTheBeginOfABuffer) {
  built_.written = AlignDown(built_.written, built_.buffer_bytes);
  built_.Prepare();
  const uint64_t bytes = SideProofBytes(built_.header, built_.written);
  EXPECT_EQ(bytes, kSideProofBytes);
  const std::string before =
      built_.Bytes(built_.written - bytes, built_.written);
  built_.proof = {built_.written, Crc32c(before.data(), before.size())};
  built_.WriteSide();
  Replace(built_.log_path);
  ExpectAllIsThere();
  // Of other bytes: the log of another database.
  built_.Prepare();
  built_.proof.crc32c ^= 1;
  built_.WriteSide();
  ExpectUnusable("");
  Replace(built_.log_path);
  ExpectUnusable("");
  // Of another offset, as a machine may leave it that goes down.
  built_.proof = {built_.written - 1, 0};
  built_.Prepare();
  built_.WriteSide();
  ExpectAllIsThere();
  built_.Build();
  Replace(built_.log_path);
  ExpectUnusable("no bytes in common");
}

// ---- what does not fit

TEST_F(ContentTest, AByteOfTheRingIsAnotherOne) {
  for (const uint64_t at : {built_.written, built_.filled - 1}) {
    built_.Prepare();
    built_.FlipBit(at);
    built_.WriteSide();
    ExpectUnusable("not whole records");
    Replace(built_.log_path);
    ExpectUnusable("not whole records");
  }
}

// An older copy put back over the log.
TEST_F(ContentTest, TheLogIsShorterThanItWas) {
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, built_.written - 1}) {
    built_.Build();
    WriteWholeFile(built_.log_path, built_.Bytes(0, bytes), 0644);
    ExpectUnusable("put the right one back");
  }
}

// Records of the same lengths, as another database may have.
TEST_F(ContentTest, TheLogOfAnotherDatabase) {
  for (const bool is_same_inode : {false, true}) {
    built_.Build();
    WriteWholeFile(built_.log_path, NumberedLog('b').substr(0, built_.written),
                   0644);
    if (!is_same_inode) {
      Replace(built_.log_path);
    }
    ExpectUnusable("");
    // Of all its records.
    WriteWholeFile(built_.log_path, NumberedLog('b'), 0644);
    ExpectUnusable("changed or replaced");
  }
}

TEST_F(ContentTest, ALogThatEndsWithinARecord) {
  built_.filled -= 5;
  built_.Build();
  ExpectAllIsThere();
  // Where nothing proves that they are as they were left.
  built_.Build();
  Replace(built_.log_path);
  ExpectUnusable("not whole records");
}

// ---- what was written behind `filled`, or by somebody else

TEST_F(ContentTest, WholeRecordsBehindWhatWasAcknowledgedStay) {
  // No owner gets further ahead of what the side file says.
  const std::string most =
      built_.Bytes(0, EndOf(built_.Bytes(0, built_.limit())).offset);
  const std::string filled = built_.whole();
  built_.filled = most.size();
  built_.Prepare();
  built_.filled_word = SealWord(filled.size());
  built_.filled = filled.size();
  built_.WriteSide();
  WriteWholeFile(built_.log_path, most + std::string(3000, '\0'), 0644);
  ExpectLog(most);
}

TEST_F(ContentTest, ALaterLogThatIsEmptySaysNothing) {
  // Nor does one that only says how it is going to be written.
  for (const std::string& bytes :
       {std::string(), std::string(5000, '\0'),
        test::WalWriter().AddFragment(9, "zstd").bytes()}) {
    WriteWholeFile(dir_.File("000008.log"), bytes);
    built_.Build();
    ExpectAllIsThere();
  }
}

// RocksDB has made the next one, by itself, after the disk had been full.
TEST_F(ContentTest, ALaterLogThatGoesOnBehindTheRing) {
  WriteWholeFile(dir_.File("000009.log"), NumberedLog('a', 1000));
  built_.Build();
  ExpectAllIsThere();
}

TEST_F(ContentTest, ALaterLogThatHasGoneOnWithoutTheRing) {
  const RecordsEnd in_file = EndOf(built_.Bytes(0, built_.written));
  const std::string later = dir_.File("000009.log");
  WriteWholeFile(later, NumberedLog('c', in_file.last_number + 1));
  built_.Build();
  ExpectUnusable("without uringfs");
  // Nothing is lacking: then it does not matter.
  WriteWholeFile(built_.log_path, built_.whole(), 0644);
  ExpectAllIsThere();
  // In numbers that cannot be read.
  WriteWholeFile(later,
                 test::WalWriter().AddFragment(9, "zstd").AddBytes(9).bytes());
  built_.Build();
  ExpectUnusable("without uringfs");
}

// ---- what a file system loses that goes down

// Both were given another name, and then the machine was started.
TEST_F(ContentTest, BothHaveAnotherName) {
  built_.Prepare();
  built_.header.log_name = NameHashOf(dir_.File("000006.log"));
  built_.header.log_birth = BirthOf(AT_FDCWD, built_.log_path, 0);
  built_.BeOfAnotherBoot();
  built_.WriteSide();
  ExpectUnusable("give both files their names back");
}

// RocksDB flushes within records too. Nothing was lost, and what nobody has
// acknowledged need not be there.
TEST_F(ContentTest, AnotherMountAndAFlushWithinARecord) {
  const uint64_t whole = built_.filled;
  for (const bool is_other_boot : {false, true}) {
    built_.filled = whole + 10;
    built_.Prepare();
    is_other_boot ? built_.BeOfAnotherBoot() : built_.BeOfAnotherMount();
    built_.WriteSide();
    ExpectLog(built_.Bytes(0, whole));
    EXPECT_TRUE(ReadWholeFile(built_.side_path() + ".kept" +
                              (is_other_boot ? "2" : "1")) ==
                built_.side_bytes());
  }
}

// The side file goes from log to log. On the disk its words are the new log's,
// and its ring is the earlier one's still.
TEST_F(ContentTest, TheRingOfAnEarlierLog) {
  built_.written = 0;
  built_.filled = EndOf(built_.Bytes(0, 10000)).offset + 20;
  built_.Prepare();
  built_.BeOfAnotherMount();
  built_.WriteSide();
  ExpectLog("");
  EXPECT_TRUE(ReadWholeFile(built_.side_path() + ".kept1") ==
              built_.side_bytes());
}

// Copied while it was written: no other machine makes that a power loss.
TEST_F(ContentTest, ACopyThatLacksSomethingOnAnotherMachine) {
  built_.Build();
  built_.BeOfAnotherBoot();
  built_.WriteSide();
  WriteWholeFile(built_.log_path, built_.Bytes(0, built_.written - 1), 0644);
  Replace(built_.log_path);
  ExpectUnusable("put the right one back");
}

// The ring is older than its words, and ends in a record of then.
TEST_F(ContentTest, AnUnfinishedRecordOfALapBefore) {
  built_.filled = EndOf(built_.Bytes(0, 130000)).offset + 20;
  built_.Prepare();
  built_.BeOfAnotherMount();
  // The number of the record it ends in.
  const uint64_t number_at = built_.filled - 20 + 7;
  built_.ring[number_at % built_.ring_bytes()] = 1;
  built_.ring[(number_at + 1) % built_.ring_bytes()] = 0;
  built_.WriteSide();
  ExpectLog(built_.Bytes(0, EndOf(built_.Bytes(0, built_.written)).offset));
}

// What the file system may have lost is not there; but what is left of it is
// not ours to destroy.
TEST_F(ContentTest, WhatIsNotAppliedIsKept) {
  built_.Prepare();
  built_.FlipBit(built_.filled - 1);
  built_.BeOfAnotherMount();
  built_.WriteSide();
  const SideFileInfo info = Look();
  EXPECT_EQ(info.state, SideState::kOlder);
  EXPECT_GT(info.at_stake, 0u);
  const RecoveryReport report = Choose(Unusable::kLeave);
  EXPECT_NE(report.message.find("kept as"), std::string::npos);
  EXPECT_TRUE(ReadWholeFile(report.kept_path) == built_.side_bytes());
}

TEST_F(ContentTest, TheSideFileIsOlderThanItsLog) {
  built_.filled = built_.written;
  built_.Prepare();
  built_.ring.assign(built_.ring.size(), 'x');  // of any time
  built_.BeOfAnotherMount();
  built_.WriteSide();
  WriteWholeFile(built_.log_path, built_.stream, 0644);
  ExpectLog(built_.stream);
}

TEST_F(ContentTest, TheRingIsOlderThanItsWords) {
  built_.Prepare();
  built_.ring.assign(built_.ring.size(), '\0');
  built_.BeOfAnotherMount();
  built_.WriteSide();
  const RecordsEnd in_file = EndOf(built_.Bytes(0, built_.written));
  ExpectLog(built_.Bytes(0, in_file.offset));
  // The same files where nothing went down.
  built_.Prepare();
  built_.ring.assign(built_.ring.size(), '\0');
  built_.WriteSide();
  ExpectUnusable("not whole records");
}

TEST_F(ContentTest, TheHeaderOfAnotherLog) {
  // A side file goes from log to log; its first page was not written since.
  const auto prepare = [this] {
    built_.Prepare();
    built_.header.log_name = NameHashOf("000006.log");
    ++built_.header.log_inode;
    built_.Sign();
  };
  prepare();
  built_.BeOfAnotherMount();
  built_.WriteSide();
  ExpectLog(built_.Bytes(0, EndOf(built_.Bytes(0, built_.written)).offset));
  prepare();
  built_.WriteSide();
  ExpectUnusable("another name");
  // A snapshot by hard links: the other name is the other log's.
  std::filesystem::create_hard_link(built_.side_path(), dir_.File("link"));
  ExpectLog(built_.Bytes(0, built_.written));
  EXPECT_TRUE(exists(dir_.File("link")));
}

TEST_F(ContentTest, WordsWithoutAHeader) {
  built_.Prepare();
  built_.header = SideHeader();
  built_.WriteSide();
  ExpectLog(built_.Bytes(0, EndOf(built_.Bytes(0, built_.written)).offset));
}

// ---- the ways out

TEST_F(ContentTest, AcceptTakesWhatFits) {
  built_.Prepare();
  built_.FlipBit(built_.filled - 1);
  built_.WriteSide();
  const SideFileInfo info = Look();
  const RecordsEnd in_file = EndOf(built_.Bytes(0, built_.written));
  const RecordsEnd fits = EndOf(built_.Bytes(0, built_.filled - 1));
  EXPECT_EQ(info.at_stake, built_.filled - in_file.offset);
  EXPECT_EQ(info.acceptable, fits.offset - in_file.offset);
  const RecoveryReport report = Choose(Unusable::kAccept);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kAccepted) << report.message;
  EXPECT_EQ(report.recovered_bytes, info.acceptable);
  EXPECT_EQ(report.lost_bytes, built_.filled - fits.offset);
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == built_.Bytes(0, fits.offset));
  EXPECT_TRUE(ReadWholeFile(report.kept_path) == built_.side_bytes());
  EXPECT_FALSE(exists(built_.side_path()));
}

TEST_F(ContentTest, AcceptLeavesALogThatHasOtherRecords) {
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

TEST_F(ContentTest, DiscardLeavesTheLog) {
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
TEST_F(ContentTest, AChoiceChangesNothingForAGoodOne) {
  for (const Unusable unusable : {Unusable::kAccept, Unusable::kDiscard}) {
    built_.Build();
    const RecoveryReport report = Choose(unusable);
    EXPECT_EQ(report.outcome, RecoveryOutcome::kRecovered) << report.message;
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == built_.whole());
  }
}

TEST_F(ContentTest, AcceptOfSomethingThatCannotBeRead) {
  built_.Build();
  WriteWholeFile(built_.side_path(), "garbage");
  const std::string log = ReadWholeFile(built_.log_path);
  const RecoveryReport report = Choose(Unusable::kAccept);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kAccepted) << report.message;
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == log);
  EXPECT_EQ(ReadWholeFile(report.kept_path), "garbage");
}

// ---- an encrypted log, or one of another format

TEST_F(ContentTest, BytesThatAreNoRecords) {
  built_.stream = test::Payload(200000, 3);
  built_.Build();
  ExpectLog(built_.whole());
  built_.Build();
  Replace(built_.log_path);
  ExpectUnusable("its format is not known");
  // Nothing tells whether the file system has lost some of it.
  for (const bool is_other_boot : {false, true}) {
    built_.Prepare();
    is_other_boot ? built_.BeOfAnotherBoot() : built_.BeOfAnotherMount();
    built_.WriteSide();
    ExpectUnusable("format is not known");
    const RecoveryReport report = Choose(Unusable::kAccept);
    EXPECT_EQ(report.lost_bytes, 0u) << report.message;
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == built_.whole());
  }
}

// By chance they look like the begin of a fragment, which is not whole.
TEST_F(ContentTest, BytesThatAreAlmostARecord) {
  for (const int type : {1, 2, 5, 6, 9}) {
    for (const int bytes : {100, 10000, 32761}) {
      SCOPED_TRACE(std::to_string(type) + ", " + std::to_string(bytes));
      built_.stream = test::Payload(200000, 3);
      built_.stream[4] = static_cast<char>(bytes);
      built_.stream[5] = static_cast<char>(bytes >> 8);
      built_.stream[6] = static_cast<char>(type);
      built_.written = 8192;
      built_.filled = 8192 + 700;  // less than the record would need
      built_.Prepare();
      built_.BeOfAnotherBoot();
      built_.WriteSide();
      // With zeros ahead.
      WriteWholeFile(built_.log_path,
                     built_.Bytes(0, built_.written) + std::string(65536, '\0'),
                     0644);
      const std::string log = ReadWholeFile(built_.log_path);
      EXPECT_EQ(Look().state, SideState::kUnusable);
      EXPECT_EQ(Choose(Unusable::kLeave).outcome, RecoveryOutcome::kUnusable);
      EXPECT_TRUE(ReadWholeFile(built_.log_path) == log);
    }
  }
}

}  // namespace
}  // namespace uringfs
