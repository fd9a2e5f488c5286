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
#include "src/base/file_identity.h"
#include "test/recovery/content_fixture.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "uringfs/internal/crc32c.h"

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

// The sum is of bytes of both, also where the ring has none of the log's.
TEST_F(ContentTest, ACopyAtTheBeginOfABuffer) {
  built_.written = AlignDown(built_.written, built_.buffer_bytes);
  built_.Build();
  Replace(built_.log_path);
  ExpectAllIsThere();
  built_.Build();
  WriteWholeFile(built_.log_path, NumberedLog('b').substr(0, built_.written),
                 0644);
  ExpectUnusable("not what was promised");
  Replace(built_.log_path);
  ExpectUnusable("not what was promised");
}

// Nothing of the log is in the sum: it may be another one's.
TEST_F(ContentTest, ACopyOfALogThatHasNothingYet) {
  built_.written = 0;
  built_.filled = EndOf(built_.Bytes(0, 10000)).offset;
  built_.Build();
  ExpectAllIsThere();
  built_.Build();
  Replace(built_.log_path);
  ExpectUnusable("no bytes in common");
}

// As an owner leaves it that had summed up more than it promised.
TEST_F(ContentTest, WithoutASum) {
  built_.sum = SideSum{built_.filled + 1, 0};
  built_.Build();
  ExpectAllIsThere();
  built_.Prepare();
  built_.FlipBit(built_.written);
  built_.WriteSide();
  ExpectUnusable("not what was promised");
  built_.Build();
  Replace(built_.log_path);
  ExpectUnusable("not what was promised");
}

// What the sum is not of: the log had these bytes before it had a side file.
TEST_F(ContentTest, ADamageInFrontOfTheSum) {
  const uint64_t behind = EndOf(built_.Bytes(0, 50000)).offset;
  for (const uint64_t at : {behind - 1, behind}) {
    SCOPED_TRACE(at);
    built_.Prepare();
    built_.header.sum_begin = behind;
    built_.BeOfAnotherMount();
    built_.WriteSide();
    std::string log = built_.Bytes(0, built_.written);
    log[at] = static_cast<char>(log[at] ^ 1);
    WriteWholeFile(built_.log_path, log, 0644);
    ExpectLog(log);
    built_.Prepare();
    built_.header.sum_begin = behind;
    built_.Sign();
    built_.WriteSide();
    WriteWholeFile(built_.log_path, log, 0644);
    ExpectUnusable("not what was promised");
  }
}

// ---- what does not fit

TEST_F(ContentTest, AByteOfTheRingIsAnotherOne) {
  for (const uint64_t at : {built_.written, built_.filled - 1}) {
    built_.Prepare();
    built_.FlipBit(at);
    built_.WriteSide();
    ExpectUnusable("not what was promised");
    Replace(built_.log_path);
    ExpectUnusable("not what was promised");
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
  built_.Build();
  Replace(built_.log_path);
  ExpectAllIsThere();
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

// Both were given another name, and perhaps the machine was started.
TEST_F(ContentTest, BothHaveAnotherName) {
  const uint64_t whole = built_.written;
  for (const bool is_other_boot : {false, true}) {
    for (const uint64_t written : {whole, uint64_t{0}}) {
      built_.written = written;
      built_.filled = EndOf(built_.Bytes(0, written + 10000)).offset;
      built_.Prepare();
      built_.header.log_name = NameHashOf(dir_.File("000006.log"));
      built_.header.log_birth = BirthOf(AT_FDCWD, built_.log_path, 0);
      is_other_boot ? built_.BeOfAnotherBoot() : built_.Sign();
      built_.WriteSide();
      written > 0 ? ExpectAllIsThere()
                  : ExpectUnusable("give both files their names back");
    }
  }
}

// Without births the next log may have the number of the one before.
TEST_F(ContentTest, TheInodeNumberOfAnEarlierLog) {
  built_.written = 0;
  built_.filled = EndOf(built_.Bytes(0, 10000)).offset;
  built_.Prepare();
  built_.header.log_name = NameHashOf(dir_.File("000006.log"));
  built_.BeOfAnotherMount();
  built_.WriteSide();
  ExpectLog("");
}

// RocksDB flushes within records too. Nothing was lost.
TEST_F(ContentTest, AnotherMountAndAFlushWithinARecord) {
  built_.filled += 10;
  for (const bool is_other_boot : {false, true}) {
    built_.Prepare();
    is_other_boot ? built_.BeOfAnotherBoot() : built_.BeOfAnotherMount();
    built_.WriteSide();
    ExpectAllIsThere();
  }
}

// The side file goes from log to log. On the disk its words are the new log's,
// and its ring is the earlier one's still: records of the same lengths.
TEST_F(ContentTest, TheRingOfAnEarlierLog) {
  built_.written = 0;
  built_.filled = EndOf(built_.Bytes(0, 10000)).offset;
  built_.Prepare();
  built_.BeOfAnotherMount();
  const std::string earlier = NumberedLog('e').substr(0, built_.filled);
  built_.ring.replace(0, earlier.size(), earlier);
  built_.WriteSide();
  ExpectLog("");
  EXPECT_TRUE(ReadWholeFile(built_.side_path() + ".kept1") != "");
}

// Of an earlier lap of the same log, in one block only, within a record.
TEST_F(ContentTest, ABlockOfALapBefore) {
  test::WalWriter log;
  for (char salt = 'a'; salt < 'z'; ++salt) {
    log.Add(std::string(8, '\1') + std::string(100000, salt));
  }
  built_.stream = log.bytes();
  built_.buffer_bytes = 65536;
  built_.written = 900000;
  built_.filled = EndOf(built_.Bytes(0, 1100000)).offset;
  built_.Prepare();
  built_.BeOfAnotherMount();
  const uint64_t lap = built_.ring_bytes();
  const uint64_t block = AlignDown(built_.filled, 32768) - 32768;
  built_.ring.replace(block % lap, 32768,
                      built_.Bytes(block - lap, block - lap + 32768));
  built_.WriteSide();
  ExpectLog(built_.Bytes(0, EndOf(built_.Bytes(0, built_.written)).offset));
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

// A copy made later, or of one that lost the ring: the log has it all.
TEST_F(ContentTest, TheLogHasAllAndTheRingIsOfAnyTime) {
  const bool both[] = {false, true};
  for (const bool is_copy : both) {
    for (const bool goes_on : both) {
      for (const char byte : {'x', '\0'}) {
        built_.Prepare();
        built_.ring.assign(built_.ring.size(), byte);
        built_.WriteSide();
        const std::string log =
            built_.Bytes(0, goes_on ? built_.stream.size() : built_.filled);
        WriteWholeFile(built_.log_path, log, 0644);
        if (is_copy) {
          Replace(built_.log_path);
        }
        goes_on ? ExpectOutdated() : ExpectLog(log);
      }
    }
  }
}

// Behind what it knows of the log has more, and no file system went down: the
// side file is of an earlier time, and what was promised since is not known.
TEST_F(ContentTest, AnOlderSideFileInItsPlace) {
  built_.Prepare();
  built_.WriteSide();
  const std::string& log = built_.stream;
  WriteWholeFile(built_.log_path, log, 0644);
  ExpectOutdated();
  // A copy on another machine is no power loss.
  built_.Prepare();
  built_.BeOfAnotherBoot();
  built_.WriteSide();
  WriteWholeFile(built_.log_path, log, 0644);
  Replace(built_.log_path);
  ExpectOutdated();
  // The very file, and a power loss, which takes pages of the side file back.
  built_.Prepare();
  built_.BeOfAnotherBoot();
  built_.WriteSide();
  WriteWholeFile(built_.log_path, log, 0644);
  ExpectLog(log);
}

// Of another database that began alike.
TEST_F(ContentTest, TheLogHasOtherRecordsWhereTheRingFits) {
  const uint64_t alike = EndOf(built_.Bytes(0, built_.written)).offset;
  built_.written = alike;
  built_.Build();
  const std::string log =
      built_.Bytes(0, alike) + NumberedLog('b').substr(alike);
  for (const bool is_copy : {false, true}) {
    WriteWholeFile(built_.log_path, log, 0644);
    if (is_copy) {
      Replace(built_.log_path);
    }
    ExpectUnusable("changed or replaced");
  }
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
  ExpectUnusable("not what was promised");
}

TEST_F(ContentTest, TheHeaderOfAnotherLog) {
  // A side file goes from log to log; its first page was not written since.
  const std::string log = NumberedLog('b').substr(0, built_.written);
  const auto prepare = [&] {
    built_.Prepare();
    built_.header.log_name = NameHashOf("000006.log");
    ++built_.header.log_inode;
    built_.Sign();
    WriteWholeFile(built_.log_path, log, 0644);
  };
  prepare();
  built_.BeOfAnotherMount();
  built_.WriteSide();
  ExpectLog(log.substr(0, EndOf(log).offset));
  prepare();
  built_.WriteSide();
  ExpectUnusable("another name");
  // A snapshot by hard links: the other name is the other log's.
  std::filesystem::create_hard_link(built_.side_path(), dir_.File("link"));
  ExpectLog(log);
  EXPECT_TRUE(exists(dir_.File("link")));
}

TEST_F(ContentTest, WordsWithoutAHeader) {
  built_.Prepare();
  built_.header = SideHeader();
  built_.WriteSide();
  ExpectLog(built_.Bytes(0, EndOf(built_.Bytes(0, built_.written)).offset));
}

}  // namespace
}  // namespace uringfs
