// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Side files of logs that nobody but their owner can read: encrypted ones, or
// of another format. Only the sum tells.

#include <string>

#include "test/recovery/content_fixture.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::ReadWholeFile;
using test::WriteWholeFile;

class AlienTest : public test::ContentTest {
 protected:
  AlienTest() { built_.stream = test::Payload(200000, 3); }
};

TEST_F(AlienTest, BytesThatAreNoRecords) {
  built_.Build();
  ExpectAllIsThere();
  built_.Build();
  Replace(built_.log_path);
  ExpectAllIsThere();
  for (const bool is_other_boot : {false, true}) {
    built_.Prepare();
    is_other_boot ? built_.BeOfAnotherBoot() : built_.BeOfAnotherMount();
    built_.WriteSide();
    ExpectAllIsThere();
  }
}

TEST_F(AlienTest, BytesThatAreNoRecordsAndDoNotFit) {
  built_.Prepare();
  built_.FlipBit(built_.filled - 1);
  built_.WriteSide();
  ExpectUnusable("not what was promised");
  Replace(built_.log_path);
  ExpectUnusable("not what was promised");
  const RecoveryReport report = Choose(Unusable::kAccept);
  EXPECT_EQ(report.lost_bytes, built_.filled - built_.written);
  EXPECT_TRUE(ReadWholeFile(built_.log_path) ==
              built_.Bytes(0, built_.written));
}

// The side file on the disk is older than the log: no synced byte is cut.
TEST_F(AlienTest, BytesThatAreNoRecordsAndGoOn) {
  for (const uint64_t more : {uint64_t{1}, uint64_t{50000}}) {
    built_.Prepare();
    built_.BeOfAnotherMount();
    built_.WriteSide();
    std::string log = built_.Bytes(0, built_.filled + more);
    WriteWholeFile(built_.log_path, log, 0644);
    ExpectLog(log);
    // With a gap, which the ring could fill.
    log.replace(built_.written, 10, std::string(10, '\0'));
    built_.WriteSide();
    WriteWholeFile(built_.log_path, log, 0644);
    ExpectLog(log);
    built_.Build();
    WriteWholeFile(built_.log_path, log, 0644);
    Replace(built_.log_path);
    ExpectUnusable("goes on");
  }
}

// What nobody was told of is cut, after a reboot too.
TEST_F(AlienTest, BytesThatAreNoRecordsWithPadding) {
  built_.written = built_.filled;
  built_.padding = 70000;
  for (const bool is_other_boot : {false, true}) {
    built_.Prepare();
    is_other_boot ? built_.BeOfAnotherBoot() : built_.Sign();
    built_.WriteSide();
    ExpectAllIsThere();
  }
}

// A write that failed in its middle, and then a reboot.
TEST_F(AlienTest, BytesThatAreNoRecordsAndAWriteWithAGap) {
  for (const bool is_other_boot : {false, true}) {
    // The ring has more than was promised.
    const uint64_t promised = built_.filled;
    built_.filled += 1000;
    built_.Prepare();
    built_.filled = promised;
    built_.filled_word = SealWord(promised);
    is_other_boot ? built_.BeOfAnotherBoot() : built_.Sign();
    built_.WriteSide();
    std::string log = built_.Bytes(0, promised + 1000);
    log.replace(built_.written, 4096, std::string(4096, '\0'));
    WriteWholeFile(built_.log_path, log, 0644);
    ExpectAllIsThere();
  }
}

// The log was copied earlier than the side file, and has zeros ahead where it
// lacks what was written since.
TEST_F(AlienTest, BytesThatAreNoRecordsAndAnEarlierCopy) {
  for (const uint64_t lacks : {1u, 100u, 5000u}) {
    built_.written = built_.filled;
    built_.padding = 70000;
    built_.Prepare();
    built_.Sign();
    built_.WriteSide();
    WriteWholeFile(built_.log_path,
                   built_.Bytes(0, built_.filled - lacks) +
                       std::string(70000 + lacks, '\0'),
                   0644);
    Replace(built_.log_path);
    ExpectUnknownStake("copied earlier");
  }
}

// A database that has gone on in a later log without them.
TEST_F(AlienTest, BytesThatAreNoRecordsAndALaterLog) {
  WriteWholeFile(dir_.File("000009.log"), test::Payload(5000, 4));
  built_.Build();
  ExpectUnusable("without uringfs");
}

// By chance they look like the begin of a fragment, which is not whole.
TEST_F(AlienTest, BytesThatAreAlmostARecord) {
  for (const int type : {1, 2, 5, 6, 9}) {
    for (const int bytes : {100, 10000, 32761}) {
      SCOPED_TRACE(std::to_string(type) + ", " + std::to_string(bytes));
      built_.stream = test::Payload(200000, 3);
      built_.stream[4] = static_cast<char>(bytes);
      built_.stream[5] = static_cast<char>(bytes >> 8);
      built_.stream[6] = static_cast<char>(type);
      built_.written = 8192;
      built_.filled = 8192 + 700;  // less than the record would need
      const std::string zeros_ahead(65536, '\0');
      built_.Prepare();
      built_.BeOfAnotherBoot();
      built_.WriteSide();
      WriteWholeFile(built_.log_path,
                     built_.Bytes(0, built_.written) + zeros_ahead, 0644);
      ExpectAllIsThere();
      // And the ring was lost: the log is not to be cut at what is no record.
      built_.Prepare();
      built_.BeOfAnotherBoot();
      built_.FlipBit(built_.written);
      built_.WriteSide();
      const std::string log = built_.Bytes(0, built_.written) + zeros_ahead;
      WriteWholeFile(built_.log_path, log, 0644);
      ExpectLog(log);
    }
  }
}

}  // namespace
}  // namespace uringfs
