// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Logs that the machine went down over: what is cut, and what is left alone.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "src/base/align.h"
#include "src/base/file_identity.h"
#include "test/recovery/torn_fixture.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "uringfs/recovery.h"

namespace uringfs {
namespace {

using std::filesystem::exists;
using test::Inspect;
using test::kWalBlock;
using test::Owner;
using test::PrepareFor;
using test::ReadWholeFile;
using test::RecoverTorn;
using test::SideBuilder;
using test::TornRecoveryTest;
using test::WalHeader;
using test::WalWriter;
using test::WithHole;
using test::WriteWholeFile;
using ::testing::HasSubstr;

// ---- torn

TEST_F(TornRecoveryTest, ALogThatStopsWithinARecord) {
  for (const WalHeader header : {WalHeader::kPlain, WalHeader::kRecyclable}) {
    const WalWriter log = Log(header);
    for (size_t i = 0; i < log.records().size(); ++i) {
      SCOPED_TRACE(i);
      const size_t begin = log.records()[i].begin;
      const size_t end = log.records()[i].end;
      for (const size_t size : {begin + 1, (begin + end) / 2, end - 1}) {
        Leave(log.bytes().substr(0, size));
        ExpectCut(begin);
      }
    }
  }
}

TEST_F(TornRecoveryTest, ALogWithZerosBehind) {
  for (const size_t zeros : {size_t{1}, size_t{4096}, size_t{4} << 20}) {
    const WalWriter log = Log();
    Leave(log.bytes() + std::string(zeros, '\0'));
    ExpectCut(log.bytes().size());
  }
  Leave(std::string(8192, '\0'));
  ExpectCut(0);
}

TEST_F(TornRecoveryTest, ALogWithAHole) {
  Leave(Torn());
  ExpectCut(TornEnd());
  Leave(Torn() + std::string(100000, '\0'));
  ExpectCut(TornEnd());
}

// What is behind a hole goes as well, whole or not: it was written later.
TEST_F(TornRecoveryTest, WholeRecordsBehindAHole) {
  const WalWriter log = Log();
  const size_t begin = log.records()[0].end;
  Leave(WithHole(log.bytes(), begin, AlignUp(begin, 512)));
  ExpectCut(begin);
}

TEST_F(TornRecoveryTest, TheBirthOfTheLogIsKnown) {
  PrepareFor(Torn(), &built_);
  built_.header.log_birth = BirthOf(AT_FDCWD, built_.log_path, 0);
  ASSERT_NE(built_.header.log_birth, 0u) << "nothing is tested here";
  ++built_.header.log_device;
  built_.BeOfAnotherBoot();
  built_.WriteSide();
  ExpectCut(TornEnd());
}

// On file systems that do not know when a file was made.
TEST_F(TornRecoveryTest, TheDeviceHasAnotherNumberAndNoBirths) {
  PrepareFor(Torn(), &built_);
  ++built_.header.log_device;
  built_.header.file_system = FileSystemIdOf(built_.log_path);
  ASSERT_NE(built_.header.file_system, 0u) << "nothing is tested here";
  built_.BeOfAnotherMount();
  built_.WriteSide();
  ExpectCut(TornEnd());
  PrepareFor(Torn(), &built_);
  ++built_.header.log_device;
  ++built_.header.file_system;
  built_.BeOfAnotherMount();
  built_.WriteSide();
  EXPECT_EQ(RecoverTorn(built_.log_path).outcome, RecoveryOutcome::kUnusable);
}

// The words of a side file may be lost, too, and are not asked.
TEST_F(TornRecoveryTest, TheWordsSayNothing) {
  PrepareFor(Torn(), &built_);
  built_.written_word = 0;
  built_.filled_word = 0;
  built_.BeOfAnotherBoot();
  built_.WriteSide();
  ExpectCut(TornEnd());
}

// Killed between the two steps.
TEST_F(TornRecoveryTest, ARunThatWasKilledBeforeItsLastStep) {
  Leave(Torn());
  ASSERT_EQ(::truncate(built_.log_path.c_str(), static_cast<off_t>(TornEnd())),
            0);
  ExpectUntouched("was started");
  EXPECT_TRUE(ReadWholeFile(built_.log_path) ==
              Log().bytes().substr(0, TornEnd()));
}

// Whoever has written to the next one has read what is there, behind a hole as
// well, and gone on from that: a log is durable before there is a next one.
TEST_F(TornRecoveryTest, ALogThatHasASuccessor) {
  WriteWholeFile(dir_.File("000006.log"), Log().bytes());
  WriteWholeFile(dir_.File("MANIFEST-000009"), "newer");
  for (const std::string& empty : {std::string(), std::string(5000, '\0')}) {
    WriteWholeFile(dir_.File("000008.log"), empty);
    Leave(Torn());
    ExpectCut(TornEnd());
  }
  WriteWholeFile(dir_.File("000009.log"), Log().bytes());
  Leave(Torn());
  ExpectUntouched("the database has gone on in");
  // Nor is it, if the record that broke off ends with a block: cut, RocksDB
  // would not notice what is missing in front of the next log.
  const std::string broken = WalWriter()
                                 .AddBytes(300)
                                 .AddBytes(2 * kWalBlock)
                                 .bytes()
                                 .substr(0, kWalBlock);
  for (const size_t zeros : {0, 5000}) {
    Leave(broken + std::string(zeros, '\0'));
    ExpectUntouched("the database has gone on in");
  }
  // Zeros are no bytes of anybody.
  Leave(Log().bytes() + std::string(5000, '\0'));
  ExpectCut(Log().bytes().size());
}

TEST_F(TornRecoveryTest, ALogThatIsNotNamedLikeOnes) {
  built_.log_path = dir_.File("events.bin");
  Leave(Torn());
  ExpectUntouched("was started");
}

TEST_F(TornRecoveryTest, AViewEndsWhereItWouldBeCut) {
  const auto read = [&](uint64_t max_torn_bytes) {
    const WalFormat format(max_torn_bytes);
    std::unique_ptr<LogView> view;
    EXPECT_TRUE(LogView::Open(built_.log_path, &format, &view).ok());
    uint64_t size = 0;
    EXPECT_TRUE(view->Size(&size).ok());
    std::string all(size + 100, '?');
    size_t got = 0;
    EXPECT_TRUE(view->Read(0, all.size(), &all[0], &got).ok());
    EXPECT_EQ(got, size);
    all.resize(got);
    return all;
  };
  Leave(Torn());
  EXPECT_TRUE(read(kUsualMaxTornBytes) == Log().bytes().substr(0, TornEnd()));
  EXPECT_TRUE(read(1) == Torn()) << "too far from the end";
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == Torn()) << "it only looks";
}

// ---- not torn, or not by a write that was lost

TEST_F(TornRecoveryTest, AWholeLog) {
  Leave(Log().bytes());
  ExpectUntouched("was started");
  Leave("");
  ExpectUntouched("was started");
  // The padding of a block is no tear.
  WalWriter padded;
  padded.AddUpTo(6);
  Leave(padded.bytes() + std::string(6, '\0'));
  ExpectUntouched("was started");
}

TEST_F(TornRecoveryTest, ADamage) {
  const WalWriter log = Log();
  for (const size_t at :
       {size_t{0}, size_t{6}, size_t{500}, log.records()[2].begin + 50000,
        log.bytes().size() - 1}) {
    SCOPED_TRACE(at);
    std::string bad = log.bytes();
    bad[at] = static_cast<char>(bad[at] ^ 2);
    Leave(bad);
    ExpectUntouched("is damaged");
    Leave(bad + std::string(8192, '\0'));
    ExpectUntouched("left as it is");
  }
  WalWriter strange = Log();
  strange.AddFragment(4, "no first one");
  Leave(strange.bytes());
  ExpectUntouched("the fragment at " + std::to_string(log.bytes().size()) +
                  " does not belong");
}

TEST_F(TornRecoveryTest, ATearThatIsTooFarFromTheEnd) {
  // From the fragment that lacks a page, which is the second of its record.
  const uint64_t behind = Torn().size() - test::kWalBlock;
  for (const uint64_t most : {uint64_t{1}, behind / 2, behind - 1}) {
    Leave(Torn());
    ExpectUntouched("more follows", most);
  }
  Leave(Torn());
  ExpectCut(TornEnd(), behind);
}

// A log is extended ahead by more than can be on its way.
TEST_F(TornRecoveryTest, ZerosAreNoneOfTheBytesThatFollow) {
  Leave(Log().bytes() + std::string(100000, '\0'));
  ExpectCut(Log().bytes().size(), 1);
  const uint64_t behind = Torn().size() - TornEnd();
  Leave(Torn() + std::string(100000, '\0'));
  ExpectCut(TornEnd(), behind);
}

// Whole blocks that hold anything, such as another program's log.
TEST_F(TornRecoveryTest, ALogOfAnotherFormat) {
  for (uint64_t salt = 0; salt < 200; ++salt) {
    SCOPED_TRACE(salt);
    Leave(test::Payload(test::kWalBlock + salt * 97, salt));
    ExpectUntouched("at 0 is");
  }
  std::string text;
  for (int line = 0; text.size() < 2 * test::kWalBlock; ++line) {
    text += "2024-01-01 12:00:00 line " + std::to_string(line) + "\n";
  }
  Leave(text);
  ExpectUntouched("left as it is");
  Leave("2024-01-01 12:00:00 opened the database\n");
  ExpectUntouched("what is at 0 is no record of a log");
}

// ---- not ours to touch

// A copy: no power loss here explains what it lacks.
TEST_F(TornRecoveryTest, ALogThatIsNotItsLog) {
  for (const bool is_same_inode : {false, true}) {
    PrepareFor(Torn(), &built_);
    if (is_same_inode) {
      built_.header.log_birth = 1;
    } else {
      ++built_.header.log_inode;
    }
    built_.BeOfAnotherBoot();
    built_.WriteSide();
    const RecoveryReport report = RecoverTorn(built_.log_path);
    EXPECT_EQ(report.outcome, RecoveryOutcome::kUnusable) << report.message;
    EXPECT_THAT(report.message, HasSubstr("not what was promised"));
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == Torn());
    EXPECT_TRUE(exists(built_.side_path()));
  }
}

TEST_F(TornRecoveryTest, ALogThatIsGone) {
  Leave(Torn());
  std::filesystem::remove(built_.log_path);
  const RecoveryReport report = RecoverTorn(built_.log_path);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kRemoved) << report.message;
  EXPECT_FALSE(exists(built_.log_path));
  ExpectGone();
}

TEST_F(TornRecoveryTest, ALogThatIsHeld) {
  Leave(Torn());
  {
    const Owner owner(built_.log_path);
    const RecoveryReport report = RecoverTorn(built_.log_path);
    ASSERT_EQ(report.outcome, RecoveryOutcome::kBusy) << report.message;
    EXPECT_EQ(report.cut_bytes, 0u);
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == Torn());
    EXPECT_TRUE(ReadWholeFile(built_.side_path()) == built_.side_bytes());
  }
  ExpectCut(TornEnd());
}

// A killed process loses no write: somebody has changed its log.
TEST_F(TornRecoveryTest, ASideFileOfThisBoot) {
  PrepareFor(Torn(), &built_);
  built_.WriteSide();
  const RecoveryReport report = RecoverTorn(built_.log_path);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kUnusable) << report.message;
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == Torn());
  EXPECT_TRUE(exists(built_.side_path()));
}

// The same boot, but not the same mount.
TEST_F(TornRecoveryTest, ASideFileOfAnotherMount) {
  PrepareFor(Torn(), &built_);
  ASSERT_NE(built_.header.mount_epoch, 0u) << "nothing is tested here";
  built_.BeOfAnotherMount();
  built_.WriteSide();
  ExpectCut(TornEnd());
}

TEST_F(TornRecoveryTest, AnIdleSideFileOfAnotherBoot) {
  PrepareFor(Torn(), &built_);
  built_.state = kSideIdle;
  built_.BeOfAnotherBoot();
  built_.WriteSide();
  ExpectCut(TornEnd());
}

// Its first page was lost with the same power: all of it, or only the last
// time it was written, when the file had gone to this log.
TEST_F(TornRecoveryTest, ASideFileWhoseFirstPageWasLost) {
  PrepareFor(Torn(), &built_);
  WriteWholeFile(built_.side_path(), std::string(20480, '\0'));
  ExpectCut(TornEnd());
  PrepareFor(Torn(), &built_);
  built_.header.log_name = NameHashOf("000006.log");
  ++built_.header.log_inode;
  built_.BeOfAnotherBoot();
  built_.WriteSide();
  ExpectCut(TornEnd());
}

// A damage looks the same. What might have been a ring is kept.
TEST_F(TornRecoveryTest, BytesBehindAFirstPageThatWasLostAreKept) {
  PrepareFor(Torn(), &built_);
  built_.WriteSide();
  const std::string bytes =
      std::string(kSideRingOffset, '\0') +
      ReadWholeFile(built_.side_path()).substr(kSideRingOffset);
  WriteWholeFile(built_.side_path(), bytes);
  const RecoveryReport report = RecoverTorn(built_.log_path);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kCut);
  EXPECT_NE(report.message.find("kept as " + report.kept_path),
            std::string::npos)
      << report.message;
  EXPECT_TRUE(ReadWholeFile(report.kept_path) == bytes);
}

}  // namespace
}  // namespace uringfs
