// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Where a log ends, whatever was cut off, lost or damaged.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "src/base/align.h"
#include "test/rocksdb_wal/wal_records_fixture.h"

#include "gtest/gtest.h"
#include "uringfs/rocksdb_wal.h"

namespace uringfs {
namespace {

using test::kWalBlock;
using test::Random;
using test::WalHeader;
using test::WalRecordsTest;
using test::WalWriter;
using test::WithHole;
using test::Zeros;

constexpr size_t kSector = 512;

INSTANTIATE_TEST_SUITE_P(Headers, WalRecordsTest, test::BothHeaders(),
                         test::HeaderName);

// ---- logs that are whole

TEST_P(WalRecordsTest, AnEmptyLog) { Expect("", EndKind::kClean, 0); }

TEST_P(WalRecordsTest, RecordsThatEndNearTheEndOfABlock) {
  for (size_t left = 0; left <= 12; ++left) {
    SCOPED_TRACE(left);
    WalWriter log(GetParam());
    log.AddBytes(300).AddUpTo(left);
    Expect(log.bytes(), EndKind::kClean, log.bytes().size());
    // What comes next is behind padding, or begins in this block.
    log.AddBytes(0).AddBytes(500).AddUpTo(left);
    Expect(log.bytes(), EndKind::kClean, log.bytes().size());
    // Of three fragments or four.
    log.AddBytes(2 * kWalBlock).AddUpTo(left).AddBytes(1);
    Expect(log.bytes(), EndKind::kClean, log.bytes().size());
  }
}

TEST_P(WalRecordsTest, RecordsOfAnySize) {
  const uint64_t seed = test::SeedOr(101);
  SCOPED_TRACE(test::SeedTrace(seed));
  Random random(seed);
  WalWriter log(GetParam());
  for (int i = 0; i < 100; ++i) {
    log.AddAny(&random, 100000);
    Expect(log.bytes(), EndKind::kClean, log.bytes().size());
  }
}

TEST_P(WalRecordsTest, WhatALogMayBeginWith) {
  for (const size_t bytes : {12, 100, 5000, 100000}) {
    SCOPED_TRACE(bytes);
    const std::string log = WalWriter(GetParam()).AddBytes(bytes).bytes();
    EXPECT_TRUE(MayBeginWal(log));
    EXPECT_TRUE(MayBeginWal(log + log));
    const size_t header = WalWriter(GetParam()).header_bytes();
    EXPECT_TRUE(MayBeginWal(log.substr(0, header))) << "by a small buffer";
    EXPECT_TRUE(MayBeginWal(log.substr(0, std::min(log.size(), header + 13))));
    // Encrypted, perhaps behind a prefix.
    std::string other = log;
    for (char& byte : other) {
      byte = static_cast<char>(byte ^ 0x5a);
    }
    EXPECT_FALSE(MayBeginWal(other));
    EXPECT_FALSE(MayBeginWal(std::string(4096, 'p')));
    EXPECT_FALSE(MayBeginWal(Zeros(4096)));
  }
}

// Zeros that were written are no loss.
TEST_P(WalRecordsTest, RecordsOfZeros) {
  WalWriter log(GetParam());
  log.Add(Zeros(5000)).Add(Zeros(50000)).Add(Zeros(700));
  Expect(log.bytes(), EndKind::kClean, log.bytes().size());
}

TEST_P(WalRecordsTest, TypesThatAreNotKnownStandAlone) {
  for (const int type : {9, 10, 11, 12, 100, 130, 131, 255}) {
    SCOPED_TRACE(type);
    WalWriter log(GetParam());
    log.AddBytes(100).AddFragment(static_cast<uint8_t>(type), "something");
    Expect(log.bytes(), EndKind::kClean, log.bytes().size());
    log.AddBytes(40000);
    Expect(log.bytes(), EndKind::kClean, log.bytes().size());
    log.AddBytes(100);
    Expect(log.bytes().substr(0, log.bytes().size() - 1), EndKind::kTorn,
           log.bytes().size() - log.header_bytes() - 100);
  }
}

// RocksDB does not look at it either.
TEST_P(WalRecordsTest, PaddingThatIsNoHeaderMayHoldAnything) {
  WalWriter log(GetParam());
  std::string bytes = log.AddUpTo(6).AddBytes(100).bytes();
  bytes.replace(kWalBlock - 6, 6, "pad...");
  Expect(bytes, EndKind::kClean, bytes.size());
}

// ---- logs that were cut off, or have zeros behind

TEST_P(WalRecordsTest, ACutAtEveryByteOverPadding) {
  WalWriter log(GetParam());
  log.AddBytes(300).AddBytes(0).AddUpTo(log.header_bytes() - 1);
  log.AddBytes(1).AddBytes(600).AddBytes(2000);
  ExpectEachCut(log);
}

TEST_P(WalRecordsTest, ACutAtEveryByteOverThreeFragments) {
  WalWriter log(GetParam());
  log.AddBytes(300).AddBytes(67000).AddBytes(0).AddBytes(900).AddBytes(2);
  ASSERT_EQ(log.fragments().size(), 7u);
  ExpectEachCut(log);
}

TEST_P(WalRecordsTest, ZerosBehindAWholeLog) {
  const std::vector<size_t> lefts = {0, 1, 2,  3,  4,  5,   6,    7,
                                     8, 9, 10, 11, 12, 100, 5000, 32000};
  for (const size_t left : lefts) {
    WalWriter log(GetParam());
    log.AddBytes(9).AddUpTo(left);
    const size_t end = log.bytes().size();
    const size_t header = GetParam() == WalHeader::kPlain ? 7 : 11;
    const size_t padding = left < header ? left : 0;
    for (const size_t zeros :
         {size_t{0}, size_t{1}, size_t{4}, size_t{6}, size_t{7}, size_t{8},
          size_t{10}, size_t{11}, size_t{12}, size_t{511}, size_t{512},
          size_t{4096}, left, left + 1, left + 7, left + kWalBlock - 1,
          left + kWalBlock, left + kWalBlock + 1, size_t{300000}}) {
      SCOPED_TRACE(std::to_string(left) + " " + std::to_string(zeros));
      Expect(log.bytes() + Zeros(zeros),
             zeros == 0 || zeros == padding ? EndKind::kClean : EndKind::kTorn,
             end);
    }
  }
}

TEST_P(WalRecordsTest, AFragmentThatIsLostWhereOthersHavePadding) {
  for (size_t left = 7; left <= 12; ++left) {
    SCOPED_TRACE(left);
    WalWriter log(WalHeader::kPlain);
    log.AddUpTo(left).AddBytes(3000).AddBytes(100);
    const size_t end = log.records()[0].end;
    Expect(WithHole(log.bytes(), end, kWalBlock), EndKind::kTorn, end);
  }
}

TEST_P(WalRecordsTest, AHeaderOfZerosInASectorThatIsThere) {
  WalWriter log(GetParam());
  log.AddBytes(50).AddBytes(60).AddBytes(70);
  const size_t begin = log.records()[1].begin;
  Expect(WithHole(log.bytes(), begin, begin + 7), EndKind::kDamaged, begin);
}

TEST_P(WalRecordsTest, NothingButZeros) {
  for (const size_t zeros : {1, 6, 7, 11, 512, 32768, 32769, 100000}) {
    Expect(Zeros(zeros), EndKind::kTorn, 0);
  }
}

// ---- writes that were lost

// A sector is written again as the log grows, so it may have had some records
// already when a write of it was lost.
TEST_P(WalRecordsTest, EachSectorFromWhereItWasUnwritten) {
  Random random(5);
  WalWriter log(GetParam());
  log.AddMany(&random, 100000);
  for (size_t at = 0; at < log.bytes().size(); at += kSector) {
    SCOPED_TRACE(at);
    ExpectLost(log, at, at + kSector);
    for (const test::WalFragment& fragment : log.fragments()) {
      if (fragment.at.begin > at && fragment.at.begin < at + kSector) {
        ExpectLost(log, fragment.at.begin, at + kSector);
      }
    }
  }
}

TEST_P(WalRecordsTest, EachPageAndEachBlock) {
  Random random(6);
  WalWriter log(GetParam());
  log.AddMany(&random, 150000);
  for (const size_t hole : {size_t{4096}, kWalBlock}) {
    for (size_t at = 0; at < log.bytes().size(); at += hole) {
      SCOPED_TRACE(std::to_string(at) + " " + std::to_string(hole));
      ExpectLost(log, at, at + hole);
    }
  }
}

TEST_P(WalRecordsTest, AHoleThatBeginsWithARecord) {
  WalWriter log(GetParam());
  log.AddBytes(77).AddUpTo(kWalBlock - 8192).AddBytes(9000);
  log.AddUpTo(0).AddBytes(40000).AddBytes(3000);
  // A page, some pages, from the middle of one to its end, a block.
  const std::vector<test::WalPiece> holes = {
      {8192, 12288},
      {8192, 20480},
      {log.records()[2].end, AlignUp(log.records()[2].end, 4096)},
      {kWalBlock, 2 * kWalBlock}};
  for (const test::WalPiece& hole : holes) {
    SCOPED_TRACE(hole.begin);
    ASSERT_EQ(log.WholeAt(hole.begin), hole.begin);
    ASSERT_LT(hole.end, log.bytes().size());
    Expect(WithHole(log.bytes(), hole.begin, hole.end), EndKind::kTorn,
           hole.begin);
  }
}

TEST_P(WalRecordsTest, AHeaderOverTwoSectorsOfWhichOneIsLost) {
  for (size_t before = 1; before <= 11; ++before) {
    SCOPED_TRACE(before);
    WalWriter log(GetParam());
    log.AddBytes(5).AddUpTo(kWalBlock - 1024 + before);
    log.AddBytes(20).AddBytes(3000);
    ExpectLost(log, 1024 - before, 1024);
    ExpectLost(log, 1024, 1536);
  }
}

// The machine goes down: what was synced is there, of the rest any sectors.
TEST_P(WalRecordsTest, AnyWritesLost) {
  const uint64_t seed = test::SeedOr(102);
  SCOPED_TRACE(test::SeedTrace(seed));
  Random random(seed);
  for (int run = 0; run < 300; ++run) {
    SCOPED_TRACE(run);
    WalWriter log(GetParam());
    log.AddMany(&random, 20000 + random.Below(80000));
    const size_t synced = log.records()[random.Below(log.records().size())].end;
    std::string bytes = log.bytes();
    if (random.OneIn(3)) {
      bytes.resize(synced + random.Below(bytes.size() - synced + 1));
    }
    size_t lost = bytes.size();
    const uint64_t chance = 1 + random.Below(60);
    for (size_t at = AlignDown(synced, kSector); at < bytes.size();
         at += kSector) {
      const size_t begin = std::max(at, synced);
      if (random.OneIn(chance) && bytes[begin] != '\0') {
        bytes = WithHole(bytes, begin, at + kSector);
        lost = std::min(lost, begin);
      }
    }
    const bool is_whole = lost == bytes.size() && log.IsEndOrPadding(lost);
    Expect(bytes, is_whole ? EndKind::kClean : EndKind::kTorn,
           log.WholeAt(lost));
  }
}

}  // namespace
}  // namespace uringfs
