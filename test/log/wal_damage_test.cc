// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Where a log ends that is damaged, which no write that was lost explains.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "src/base/align.h"
#include "test/log/wal_records_fixture.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::kWalBlock;
using test::Random;
using test::WalHeader;
using test::WalRecordsTest;
using test::WalWriter;
using test::WithHole;
using test::Zeros;

INSTANTIATE_TEST_SUITE_P(Headers, WalRecordsTest, test::BothHeaders(),
                         test::HeaderName);

// What a fragment with the wrong checksum is, by what its header says now:
// one that claims more than the file has looks as if it were cut off.
WalEndKind KindOfBad(const std::string& bytes, size_t begin) {
  uint16_t length = 0;
  std::memcpy(&length, &bytes[begin + 4], sizeof(length));
  const auto type = static_cast<uint8_t>(bytes[begin + 6]);
  const bool is_long = (type >= 5 && type <= 8) || type == 11 || type == 131;
  const size_t end = begin + (is_long ? 11 : 7) + length;
  const size_t block_end = AlignDown(begin, kWalBlock) + kWalBlock;
  return type != 0 && end <= block_end && end > bytes.size()
             ? WalEndKind::kTorn
             : WalEndKind::kDamaged;
}

TEST_P(WalRecordsTest, AFlippedBit) {
  WalWriter log(GetParam());
  log.AddBytes(700).AddBytes(66000).AddBytes(1).AddBytes(800).AddBytes(4);
  int torn_count = 0;
  for (const test::WalFragment& fragment : log.fragments()) {
    const size_t begin = fragment.at.begin;
    const size_t payload = begin + fragment.header_bytes;
    std::vector<size_t> places = {payload, fragment.at.end - 1};
    for (size_t at = begin; at < payload; ++at) {
      places.push_back(at);
    }
    for (size_t at = payload; at < fragment.at.end; at += 509) {
      places.push_back(at);
    }
    for (const size_t at : places) {
      for (int bit = 0; bit < 8; ++bit) {
        SCOPED_TRACE(std::to_string(at) + "." + std::to_string(bit));
        std::string bad = log.bytes();
        bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
        const WalEndKind kind = KindOfBad(bad, begin);
        const bool may_reach_further = at - begin >= 4 && at - begin <= 6;
        ASSERT_TRUE(kind == WalEndKind::kDamaged || may_reach_further);
        torn_count += kind == WalEndKind::kTorn ? 1 : 0;
        Expect(bad, kind, log.WholeAt(begin));
      }
    }
  }
  EXPECT_GT(torn_count, 0);
}

// In front of more whole records, with a length that stays in the file.
TEST_P(WalRecordsTest, ALengthThatIsTooSmallOrTooLarge) {
  WalWriter log(GetParam());
  log.AddBytes(100).AddBytes(200).AddUpTo(0).AddBytes(50);
  const size_t begin = log.records()[0].end;
  for (const size_t length : {size_t{0}, size_t{199}, size_t{201},
                              kWalBlock - begin - log.header_bytes(),
                              kWalBlock - begin, size_t{65535}}) {
    SCOPED_TRACE(length);
    std::string bad = log.bytes();
    bad[begin + 4] = static_cast<char>(length & 0xff);
    bad[begin + 5] = static_cast<char>(length >> 8);
    Expect(bad, WalEndKind::kDamaged, begin);
  }
}

TEST_P(WalRecordsTest, FragmentsThatDoNotBelongTogether) {
  const int more = GetParam() == WalHeader::kRecyclable ? 4 : 0;
  const int full = 1 + more;
  const int first = 2 + more;
  const int middle = 3 + more;
  const int last = 4 + more;
  for (const std::vector<int>& types : {std::vector<int>{middle},
                                        {last},
                                        {middle, last},
                                        {first, first},
                                        {first, first, last},
                                        {first, full},
                                        {first, 9},
                                        {first, 131},
                                        {first, middle, first},
                                        {first, middle, full}}) {
    SCOPED_TRACE(testing::PrintToString(types));
    WalWriter log(GetParam());
    log.AddBytes(100).AddBytes(40000);
    const size_t end = log.bytes().size();
    for (const int type : types) {
      log.AddFragment(static_cast<uint8_t>(type), "payload");
    }
    log.AddBytes(100);
    Expect(log.bytes(), WalEndKind::kDamaged, end);
    EXPECT_THAT(EndOf(log.bytes()).reason,
                testing::HasSubstr("does not belong"));
  }
}

TEST_P(WalRecordsTest, TypeZeroIsNone) {
  WalWriter log(GetParam());
  log.AddBytes(100).AddFragment(0, "payload").AddBytes(100);
  Expect(log.bytes(), WalEndKind::kDamaged, log.records()[0].end);
}

TEST_P(WalRecordsTest, ALogThatCannotBeRead) {
  PosixFile directory;
  ASSERT_EQ(directory.Open(dir_.path(), O_RDONLY), 0);
  WalEnd end;
  const Status status = FindWalEnd(directory, dir_.path(), &end);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.ToString(), testing::HasSubstr(dir_.path()));
}

// A sync beside an append may end between two parts of a record.
TEST_P(WalRecordsTest, ATearBetweenTwoAppendsWithinASector) {
  WalWriter log(GetParam());
  log.AddBytes(100);
  const size_t whole = log.bytes().size();
  log.AddBytes(50);
  for (const size_t kept : {7, 11, 30}) {
    const std::string torn = log.bytes().substr(0, whole + kept);
    Expect(torn + Zeros(4096 - torn.size()), WalEndKind::kTorn, whole);
    Expect(torn + Zeros(65536 - torn.size()), WalEndKind::kTorn, whole);
  }
}

TEST_P(WalRecordsTest, ALongRecordThatIsTornNearItsEnd) {
  WalWriter log(GetParam());
  log.AddBytes(300);
  const size_t whole = log.bytes().size();
  log.AddBytes(400000);
  test::WriteWholeFile(path_, WithHole(log.bytes(), 380000, 384096));
  PosixFile file;
  WalEnd end;
  ASSERT_EQ(file.Open(path_, O_RDONLY), 0);
  ASSERT_TRUE(FindTornEnd(file, path_, 100000, &end).ok());
  EXPECT_EQ(end.kind, WalEndKind::kTorn) << "only the tear has to be near";
  EXPECT_EQ(end.offset, whole);
  ASSERT_TRUE(FindTornEnd(file, path_, 10000, &end).ok());
  EXPECT_EQ(end.kind, WalEndKind::kDamaged);
}

}  // namespace
}  // namespace uringfs
