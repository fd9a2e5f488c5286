// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Which logs a database still reads, by MANIFESTs made by hand, and what that
// says of a log that has its newest bytes in a side file.

#include "src/rocksdb_wal/manifest.h"

#include <filesystem>
#include <string>

#include "src/rocksdb_wal/wal_format.h"
#include "test/rocksdb_wal/wal_writer.h"
#include "test/side/side_builder.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"
#include "uringfs/rocksdb_wal.h"

namespace uringfs {
namespace {

using test::WriteWholeFile;

std::string Number(uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7) {
    text.push_back(static_cast<char>(value | 0x80));
  }
  return text + static_cast<char>(value);
}

std::string Text(const std::string& text) { return Number(text.size()) + text; }

std::string LogNumber(uint64_t number) { return Number(2) + Number(number); }
std::string Family(uint64_t id) { return Number(200) + Number(id); }
std::string FirstKept(uint64_t number) { return Number(10) + Number(number); }
std::string InGroup(uint64_t left) { return Number(300) + Number(left); }

// A new file of the form that RocksDB has written since 5.x.
std::string NewFile4() {
  return Number(103) + Number(0) + Number(12) + Number(4711) + Text("aa") +
         Text("zz") + Number(1) + Number(300) + Number(6) + Text("x") +
         Number(1);
}

class ManifestTest : public testing::Test {
 protected:
  // In front of all a comparator, as RocksDB has it.
  ManifestTest() { Add(Number(1) + Text("leveldb.BytewiseComparator")); }

  void Add(const std::string& edit) { manifest_.Add(edit); }

  void Write(const std::string& bytes) {
    WriteWholeFile(dir_.File("CURRENT"), "MANIFEST-000005\n");
    WriteWholeFile(dir_.File("MANIFEST-000005"), bytes);
  }
  void Write() { Write(manifest_.bytes()); }

  // 0 if that cannot be told.
  uint64_t First() {
    WantedWals wanted;
    const bool is_known = FindWantedWals(dir_.path(), &wanted);
    EXPECT_EQ(is_known, wanted.first > 0);
    EXPECT_LE(wanted.first, wanted.first_whole);
    first_whole_ = wanted.first_whole;
    return wanted.first;
  }

  test::TempDir dir_;
  test::WalWriter manifest_;
  uint64_t first_whole_ = 0;
};

TEST_F(ManifestTest, FamiliesAreAheadOfEachOther) {
  Add(LogNumber(4));
  Add(Number(201) + Text("other") + LogNumber(7) + Family(1));
  Write();
  EXPECT_EQ(First(), 4u);
  EXPECT_EQ(first_whole_, 7u);
  Add(NewFile4() + LogNumber(9));
  Write();
  EXPECT_EQ(First(), 7u);
  EXPECT_EQ(first_whole_, 9u);
  Add(LogNumber(11) + Family(1));
  Write();
  EXPECT_EQ(First(), 9u);
  EXPECT_EQ(first_whole_, 11u);
}

TEST_F(ManifestTest, ADroppedFamilyDoesNotCount) {
  Add(LogNumber(9));
  Add(Number(201) + Text("other") + LogNumber(4) + Family(1));
  Add(Number(202) + Family(1));
  Write();
  EXPECT_EQ(First(), 9u);
}

TEST_F(ManifestTest, IsNotInFrontOfTheFirstLogThatIsKept) {
  Add(LogNumber(4));
  Add(FirstKept(6));
  Write();
  EXPECT_EQ(First(), 6u);
}

TEST_F(ManifestTest, AGroupCountsAsAWhole) {
  Add(LogNumber(4));
  Add(LogNumber(9) + InGroup(1));
  Write();
  EXPECT_EQ(First(), 4u);
  Add(NewFile4() + LogNumber(9) + InGroup(0));
  Write();
  EXPECT_EQ(First(), 9u);
}

TEST_F(ManifestTest, ReadsAllFieldsThatRocksDbHasWritten) {
  const std::string keys = Text("aa") + Text("zz");
  const std::string numbers = Number(1) + Number(1u << 30);
  Add(Number(3) + Number(99) + Number(4) + Number(1u << 20) + Number(9) +
      Number(0) + Number(203) + Number(2) + LogNumber(8));
  Add(Number(5) + Number(1) + Text("key") + Number(6) + Number(2) + Number(77) +
      Number(7) + Number(0) + numbers + keys);
  Add(Number(100) + Number(0) + numbers + keys + numbers);
  Add(Number(102) + Number(0) + numbers + Number(3) + keys + numbers);
  Add(Number(400) + Number(1) + numbers + keys + Number(2) + Text("custom") +
      Number(0));
  Add(Number(401) + Number(1) + numbers + Number(0));
  // What a release of today does not know and may pass over.
  Add(Number((1u << 13) + 900) + Text("whatever") + LogNumber(10));
  Write();
  EXPECT_EQ(First(), 10u);
}

TEST_F(ManifestTest, RecordsCrossBlocks) {
  Add(LogNumber(4));
  for (int i = 0; i < 4000; ++i) {
    Add(NewFile4());
  }
  Add(Number(201) + Text(std::string(100000, 'n')) + LogNumber(8));
  Write();
  EXPECT_EQ(First(), 8u);
}

TEST_F(ManifestTest, AnEndThatWasNotWrittenIsNoEdit) {
  Add(LogNumber(4));
  const size_t whole = manifest_.bytes().size();
  Add(LogNumber(9));
  for (size_t bytes = whole; bytes < manifest_.bytes().size(); ++bytes) {
    Write(manifest_.bytes().substr(0, bytes));
    EXPECT_EQ(First(), 4u) << bytes;
  }
}

TEST_F(ManifestTest, WhatItCannotReadItDoesNotGuess) {
  EXPECT_EQ(First(), 0u) << "no database";
  Add(LogNumber(4));
  Write();
  WriteWholeFile(dir_.File("CURRENT"), "MANIFEST-000005");
  EXPECT_EQ(First(), 0u) << "a CURRENT that is cut off";
  WriteWholeFile(dir_.File("CURRENT"), "MANIFEST-000006\n");
  EXPECT_EQ(First(), 0u) << "a MANIFEST that is gone";
  std::string bytes = manifest_.bytes();
  bytes[bytes.size() - 1] = static_cast<char>(bytes[bytes.size() - 1] ^ 1);
  Write(bytes);
  EXPECT_EQ(First(), 0u) << "a flipped bit";
  Add(Number(500) + Number(1));
  Write();
  EXPECT_EQ(First(), 0u) << "a field nobody knows";
}

bool GoesOn(const WalFormat& format, const std::string& log_path) {
  bool answer = false;
  EXPECT_TRUE(format.WentOnWithout(log_path, RecordsEnd(), &answer).ok());
  return answer;
}

// One that a family is ahead of is not read as a whole, and is wanted.
// Of a copy that broke off, say.
TEST_F(ManifestTest, ADatabaseThatShouldTellAndCannot) {
  EXPECT_TRUE(CheckManifest(dir_.path()).ok()) << "there is none";
  Add(LogNumber(4));
  Write();
  EXPECT_TRUE(CheckManifest(dir_.path()).ok());
  WriteWholeFile(dir_.File("MANIFEST-000005"), "");
  EXPECT_EQ(CheckManifest(dir_.path()).code(), Status::Code::kCorruption);
  std::filesystem::remove(dir_.File("MANIFEST-000005"));
  EXPECT_EQ(CheckManifest(dir_.path()).code(), Status::Code::kCorruption);
  Write();
  for (const std::string& text :
       {std::string(), std::string("MANIFEST-000005"), std::string("MANIF"),
        std::string("MANIFEST-000006\n"), std::string(16, '\0'),
        std::string("NANIFEST-000005\n"),
        std::string("\xcd") + "ANIFEST-000005\n",
        std::string(8, '\0') + "-000005\n"}) {
    WriteWholeFile(dir_.File("CURRENT"), text);
    EXPECT_EQ(CheckManifest(dir_.path()).code(), Status::Code::kCorruption)
        << text;
  }
  // Encrypted, it looks like anything.
  WriteWholeFile(dir_.File("CURRENT"),
                 "\x8f\x01~q\n\x99\x13\xee\xd0(\x7f\xb1\x02\xfa\x88\x41\x9c");
  EXPECT_TRUE(CheckManifest(dir_.path()).ok());
}

TEST_F(ManifestTest, OfTheLogsOwnDatabase) {
  Add(LogNumber(5));
  Add(Number(201) + Text("other") + LogNumber(9) + Family(1));
  Write();
  const WalFormat format(1);
  EXPECT_TRUE(GoesOn(format, dir_.File("000004.log")));
  EXPECT_FALSE(format.IsWanted(dir_.File("000004.log")));
  EXPECT_FALSE(GoesOn(format, dir_.File("000008.log")))
      << "it was the owner, as he closed the database";
  EXPECT_TRUE(format.IsWanted(dir_.File("000008.log")));
  WriteWholeFile(dir_.File("000010.log"), "");
  EXPECT_TRUE(GoesOn(format, dir_.File("000008.log")))
      << "it may have been anybody";
  EXPECT_FALSE(GoesOn(format, dir_.File("000009.log")));
  EXPECT_TRUE(format.IsWanted(dir_.File("000009.log")));
}

TEST_F(ManifestTest, LogsOfAnotherDirectory) {
  Add(LogNumber(9));
  Write();
  const std::string below = dir_.File("wal");
  ASSERT_TRUE(std::filesystem::create_directory(below));
  const test::TempDir elsewhere;
  for (const std::string& logs : {below, elsewhere.path()}) {
    const std::string log = logs + "/000004.log";
    EXPECT_TRUE(GoesOn(WalFormat(1, dir_.path()), log)) << "as was said";
    EXPECT_FALSE(GoesOn(WalFormat(1), log)) << "nobody says whose it is";
    WriteWholeFile(dir_.File("OPTIONS-000007"),
                   "[DBOptions]\n  wal_dir=" + logs + "\n");
    EXPECT_EQ(GoesOn(WalFormat(1), log), logs == below);
    WriteWholeFile(dir_.File("OPTIONS-000011"), "  wal_dir=/nowhere\n");
    EXPECT_FALSE(GoesOn(WalFormat(1), log))
        << "options that are not the newest";
    std::filesystem::remove(dir_.File("OPTIONS-000011"));
  }
}

// Its own database counts, whatever others there are, and if it cannot be read
// none does.
// One that lies in a directory of logs may be anybody's.
TEST_F(ManifestTest, TheDatabaseThatIsNamedComesFirst) {
  Add(LogNumber(9));
  Write();
  const test::TempDir other;
  WriteWholeFile(other.File("CURRENT"), "MANIFEST-000005\n");
  EXPECT_TRUE(GoesOn(WalFormat(1, dir_.path()), other.File("000004.log")));
  EXPECT_TRUE(WalFormat(1, dir_.path()).IsWanted(other.File("000010.log")));
}

}  // namespace
}  // namespace uringfs
