// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Logs made by hand, and where they are said to end.

#ifndef URINGFS_TEST_ROCKSDB_WAL_WAL_RECORDS_FIXTURE_H_
#define URINGFS_TEST_ROCKSDB_WAL_WAL_RECORDS_FIXTURE_H_

#include <fcntl.h>

#include <cstddef>
#include <string>

#include "src/base/posix_file.h"
#include "src/rocksdb_wal/wal_records.h"
#include "test/rocksdb_wal/wal_writer.h"
#include "test/side/side_builder.h"
#include "test/support/seed.h"
#include "test/support/temp_dir.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs::test {

// Torn or damaged: what power loss may leave, or not.
inline EndKind Coarse(EndKind kind) {
  return kind == EndKind::kUnfinished ? EndKind::kTorn
         : kind == EndKind::kAlien    ? EndKind::kDamaged
                                      : kind;
}

class WalRecordsTest : public testing::TestWithParam<WalHeader> {
 protected:
  RecordsEnd EndOf(const std::string& bytes) {
    WriteWholeFile(path_, bytes);
    PosixFile log;
    RecordsEnd end;
    EXPECT_EQ(log.Open(path_, O_RDONLY), 0);
    const Status status = FindWalEnd(log, path_, joint_, &end);
    EXPECT_TRUE(status.ok()) << status.ToString();
    EXPECT_EQ(end.data_end, DataEnd(bytes));
    EXPECT_EQ(end.reason.empty(), end.kind == EndKind::kClean) << end.reason;
    end.kind = Coarse(end.kind);
    return end;
  }

  void Expect(const std::string& bytes, EndKind kind, size_t offset) {
    const RecordsEnd end = EndOf(bytes);
    ASSERT_EQ(end.kind, kind) << end.reason << ", offset " << end.offset;
    ASSERT_EQ(end.offset, offset) << end.reason;
  }

  // Every file that is the begin of this log.
  void ExpectEachCut(const WalWriter& whole) {
    WriteWholeFile(path_, whole.bytes());
    PosixFile log;
    ASSERT_EQ(log.Open(path_, O_RDWR), 0);
    for (size_t cut = whole.bytes().size() + 1; cut-- > 0;) {
      ASSERT_EQ(log.Truncate(cut), 0);
      RecordsEnd end;
      ASSERT_TRUE(FindWalEnd(log, path_, joint_, &end).ok());
      ASSERT_EQ(Coarse(end.kind),
                whole.IsEndOrPadding(cut) ? EndKind::kClean : EndKind::kTorn)
          << "cut at " << cut << ": " << end.reason;
      ASSERT_EQ(end.offset, whole.WholeAt(cut)) << "cut at " << cut;
      ASSERT_EQ(end.data_end, DataEnd(whole.bytes().substr(0, cut)));
    }
  }

  // Zeros that were never written over, from `begin` on.
  void ExpectLost(const WalWriter& log, size_t begin, size_t end) {
    const std::string bytes = WithHole(log.bytes(), begin, end);
    const bool is_padding = bytes == log.bytes();
    Expect(bytes, is_padding ? EndKind::kClean : EndKind::kTorn,
           log.WholeAt(is_padding ? bytes.size() : begin));
  }

  uint64_t joint_ = UINT64_MAX;
  TempDir dir_;
  const std::string path_ = dir_.File("000007.log");
};

// Padding is as long as the header is, so all is tried with both.
inline auto BothHeaders() {
  return testing::Values(WalHeader::kPlain, WalHeader::kRecyclable);
}

inline std::string HeaderName(const testing::TestParamInfo<WalHeader>& header) {
  return header.param == WalHeader::kPlain ? "Plain" : "Recyclable";
}

}  // namespace uringfs::test

#endif  // URINGFS_TEST_ROCKSDB_WAL_WAL_RECORDS_FIXTURE_H_
