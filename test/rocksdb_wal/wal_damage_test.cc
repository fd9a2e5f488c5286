// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Where a log ends that is damaged, which no write that was lost explains.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "src/base/align.h"
#include "src/rocksdb_wal/wal_format.h"
#include "test/rocksdb_wal/wal_records_fixture.h"

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
EndKind KindOfBad(const std::string& bytes, size_t begin) {
  uint16_t length = 0;
  std::memcpy(&length, &bytes[begin + 4], sizeof(length));
  const auto type = static_cast<uint8_t>(bytes[begin + 6]);
  const bool is_long = (type >= 5 && type <= 8) || type == 11 || type == 131;
  const size_t end = begin + (is_long ? 11 : 7) + length;
  const size_t block_end = AlignDown(begin, kWalBlock) + kWalBlock;
  return type != 0 && end <= block_end && end > bytes.size()
             ? EndKind::kTorn
             : EndKind::kDamaged;
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
        const EndKind kind = KindOfBad(bad, begin);
        const bool may_reach_further = at - begin >= 4 && at - begin <= 6;
        ASSERT_TRUE(kind == EndKind::kDamaged || may_reach_further);
        torn_count += kind == EndKind::kTorn ? 1 : 0;
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
    Expect(bad, EndKind::kDamaged, begin);
  }
}

// What releases of RocksDB put in front of the records. Of another length it
// is no log's begin.
TEST_P(WalRecordsTest, ALogThatEndsWithinWhatItBeginsWith) {
  const size_t length = 24;
  for (const int type : {10, 11, 130, 131}) {
    SCOPED_TRACE(type);
    for (const size_t more : {0, 1}) {
      WalWriter log(GetParam());
      log.AddFragment(type, std::string(length + more, 'x'));
      const std::string& bytes = log.bytes();
      Expect(bytes.substr(0, bytes.size() - 1),
             more == 0 ? EndKind::kTorn : EndKind::kDamaged, 0);
    }
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
    Expect(log.bytes(), EndKind::kDamaged, end);
    EXPECT_THAT(EndOf(log.bytes()).reason,
                testing::HasSubstr("does not belong"));
  }
}

TEST_P(WalRecordsTest, TypeZeroIsNone) {
  WalWriter log(GetParam());
  log.AddBytes(100).AddFragment(0, "payload").AddBytes(100);
  Expect(log.bytes(), EndKind::kDamaged, log.records()[0].end);
}

TEST_P(WalRecordsTest, ALogThatCannotBeRead) {
  PosixFile directory;
  ASSERT_EQ(directory.Open(dir_.path(), O_RDONLY), 0);
  RecordsEnd end;
  const Status status = FindWalEnd(directory, dir_.path(), UINT64_MAX, &end);
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
    Expect(torn + Zeros(4096 - torn.size()), EndKind::kTorn, whole);
    Expect(torn + Zeros(65536 - torn.size()), EndKind::kTorn, whole);
  }
}

TEST_P(WalRecordsTest, ALongRecordThatIsTornNearItsEnd) {
  WalWriter log(GetParam());
  log.AddBytes(300);
  const size_t whole = log.bytes().size();
  log.AddBytes(400000);
  const RecordsEnd end = EndOf(WithHole(log.bytes(), 380000, 384096));
  EXPECT_EQ(end.kind, EndKind::kTorn);
  EXPECT_EQ(end.offset, whole);
  std::string why;
  EXPECT_TRUE(WalFormat(100000).IsTear(path_, end, &why))
      << "only the tear has to be near: " << why;
  EXPECT_FALSE(WalFormat(10000).IsTear(path_, end, &why));
  EXPECT_THAT(why, testing::HasSubstr("more follows"));
}

// A write that was lost from within a sector on, with all that came later.
TEST_P(WalRecordsTest, ZerosFromWithinARecordToTheEndOfAll) {
  WalWriter log(GetParam());
  log.AddBytes(300);
  const size_t whole = log.bytes().size();
  log.AddBytes(20000);
  for (const size_t kept :
       {size_t{20}, size_t{700}, size_t{5001}, size_t{12300}, size_t{19990}}) {
    const size_t begin = whole + kept;
    for (const size_t behind : {size_t{0}, size_t{1}, size_t{100000}}) {
      Expect(WithHole(log.bytes(), begin, log.bytes().size()) + Zeros(behind),
             EndKind::kTorn, whole);
    }
  }
  // One byte behind it, and it is damage.
  std::string bad = log.bytes();
  bad[whole + 700] ^= 1;
  Expect(bad, EndKind::kDamaged, whole);
}

// Each is among those of the batch in front of it, or the next.
TEST_P(WalRecordsTest, NumbersInOrder) {
  struct Batch {
    uint64_t number;
    char count;
    size_t bytes = 20;
  };
  joint_ = 0;
  // How many records are in order.
  const auto count = [this](WalWriter log, const std::vector<Batch>& batches) {
    for (const Batch& batch : batches) {
      std::string record(batch.bytes, 'x');
      std::memcpy(record.data(), &batch.number, sizeof(batch.number));
      record.replace(8, 4, std::string{batch.count, 0, 0, 0});
      log.Add(record);
    }
    const uint64_t end = EndOf(log.bytes()).in_order;
    const auto& records = log.records();
    return std::count_if(records.begin(), records.end(),
                         [end](const auto& at) { return at.end <= end; });
  };
  const WalWriter log(GetParam());
  EXPECT_EQ(count(log, {{7, 3}, {10, 1}, {11, 2, 70000}, {13, 1}}), 4);
  EXPECT_EQ(count(log, {{7, 3}, {8, 0}, {8, 1}}), 3) << "prepared";
  EXPECT_EQ(count(log, {{7, 3}, {11, 1}, {12, 1}}), 1) << "a gap";
  EXPECT_EQ(count(log, {{7, 3}, {10, 1}, {9, 1}, {10, 1}}), 2) << "back";
  WalWriter other = log;
  EXPECT_EQ(count(other.Add("no number"), {{7, 1}}), 0);
  WalWriter compressed = log;
  EXPECT_EQ(count(compressed.AddFragment(9, "zstd"), {{7, 1}}), 0);
  // What is in front of the joint is not in question.
  joint_ = WalWriter(GetParam()).AddBytes(20).bytes().size() + 1;
  EXPECT_EQ(count(log, {{7, 1}, {9, 1}, {10, 1}}), 1);
  joint_ *= 2;
  EXPECT_EQ(count(log, {{7, 1}, {9, 1}, {10, 1}, {12, 1}}), 3);
}

TEST_P(WalRecordsTest, TheNumbersOfRecords) {
  const auto number = [](uint64_t value) {
    std::string bytes(12, '\1');
    std::memcpy(bytes.data(), &value, sizeof(value));
    return bytes;
  };
  WalWriter log(GetParam());
  EXPECT_FALSE(EndOf(log.bytes()).has_numbers);
  log.Add(number(7)).Add(number(7)).Add(number(300) + std::string(70000, 'x'));
  RecordsEnd end = EndOf(log.bytes());
  EXPECT_TRUE(end.has_numbers);
  EXPECT_EQ(end.first_number, 7u);
  EXPECT_EQ(end.last_number, 300u);
  // One whose number is in two fragments: 3 bytes of it are in this block.
  log.AddUpTo(log.header_bytes() + 3).Add(number(1) + "abc");
  end = EndOf(log.bytes());
  EXPECT_EQ(end.last_number, 1u);
  log.AddFragment(9, "zstd").Add(number(900));
  EXPECT_EQ(EndOf(log.bytes()).last_number, 1u) << "compressed";
}

}  // namespace
}  // namespace uringfs
