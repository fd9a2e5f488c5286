// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Side files that are worth nothing, or that nobody should trust.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "src/base/file_identity.h"
#include "test/recovery/recovery_fixture.h"
#include "test/side/side_builder.h"
#include "test/support/temp_dir.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "uringfs/recovery.h"

namespace uringfs {
namespace {

using std::filesystem::exists;
using test::ReadWholeFile;
using test::Recover;
using test::SideBuilder;
using test::WriteWholeFile;

class UnusableTest : public test::RecoveryFixture {};

// ---- what is idle or stale

TEST_F(UnusableTest, AnIdleFileIsRemovedWhateverIsInIt) {
  built_.written = built_.filled;
  built_.Prepare();
  built_.state = kSideIdle;
  built_.ring.resize(10);
  built_.WriteSide();
  ExpectRemoved(SideState::kIdle, "no log");
  // One that was just made.
  WriteWholeFile(built_.side_path(), "");
  ExpectRemoved(SideState::kIdle, "no log");
  WriteWholeFile(built_.side_path(), std::string(20480, '\0'));
  ExpectRemoved(SideState::kOlder, "never written");
}

// A copy of the log was made, then its owner closed it, and then a copy of the
// side file.
TEST_F(UnusableTest, AnIdleFileBesideLessThanItsLogWasClosedWith) {
  built_.written = built_.filled;
  built_.Prepare();
  built_.state = kSideIdle;
  built_.WriteSide();
  const std::string whole = ReadWholeFile(built_.log_path);
  const std::string less = whole.substr(0, whole.size() - 1);
  const auto be_replaced_by = [this](const std::string& bytes) {
    std::filesystem::remove(built_.log_path);
    WriteWholeFile(built_.log_path, bytes);
  };
  WriteWholeFile(built_.log_path, less);  // the same file
  ExpectUnusable("that it was closed with");
  be_replaced_by(less);
  ExpectUnusable("1 bytes of acknowledged writes");
  be_replaced_by("");
  ExpectUnusable("copied earlier");
  be_replaced_by(less + std::string(5000, '\0'));  // written ahead
  ExpectUnusable("may be missing");
  // It has what it was closed with, and the owner of the copy has gone on.
  be_replaced_by(whole + "more");
  ExpectRemoved(SideState::kIdle, "no log");
  built_.WriteSide();
  be_replaced_by(whole);
  ExpectRemoved(SideState::kIdle, "no log");
  // It may have lost it.
  WriteWholeFile(dir_.File("other"), less);
  built_.log_path = dir_.File("other");
  built_.PrepareSide();
  built_.BeOfAnotherBoot();
  built_.WriteSide();
  ExpectRemoved(SideState::kOlder, "was started");
}

// It was closed under that one, and its side file has moved on.
TEST_F(UnusableTest, AnIdleFileOfALogOfAnotherName) {
  built_.written = built_.filled;
  built_.Prepare();
  built_.state = kSideIdle;
  built_.header.log_name ^= 1;
  built_.Sign();
  built_.WriteSide();
  WriteWholeFile(built_.log_path, "");
  ExpectRemoved(SideState::kIdle, "no log");
}

TEST_F(UnusableTest, WordsOfAnIdleFileThatMakeNoSenseAreNone) {
  built_.Prepare();
  built_.state = kSideIdle;
  built_.filled_word ^= 1;
  built_.WriteSide();
  ExpectRemoved(SideState::kIdle, "no log");
}

// Whoever calls his own files so must not lose them.
TEST_F(UnusableTest, AnEmptyFileThatOnlyHasSuchAName) {
  for (const size_t bytes : {0, 20480}) {
    built_.log_path = dir_.File("how_to_use");
    WriteWholeFile(built_.side_path(), std::string(bytes, '\0'));
    EXPECT_EQ(test::Inspect(built_.log_path).state, SideState::kForeign);
    const RecoveryReport report = Recover(built_.log_path);
    EXPECT_EQ(report.outcome, RecoveryOutcome::kNothing) << report.message;
    EXPECT_TRUE(exists(built_.side_path()));
  }
}

TEST_F(UnusableTest, AnIdleFileOfAnotherVersion) {
  built_.Prepare();
  built_.state = kSideIdle;
  built_.header.version = 99;
  built_.WriteSide();
  ExpectUnusable("version 99");
  // Of an earlier one it is known where that stands.
  built_.header.version = 1;
  built_.state = 0;
  built_.WriteSide();
  ExpectRemoved(SideState::kIdle, "it belongs to no log");
  built_.state = kSideLive;
  built_.WriteSide();
  ExpectUnusable("version 1");
}

TEST_F(UnusableTest, AnotherBoot) {
  built_.Prepare();
  built_.BeOfAnotherBoot();
  built_.WriteSide();
  ExpectRecovered(built_);
  // It has lost something.
  built_.WriteSide();
  WriteWholeFile(built_.log_path, built_.Bytes(0, built_.written - 1), 0644);
  ExpectRemoved(SideState::kOlder, "was started");
  EXPECT_TRUE(ReadWholeFile(built_.side_path() + ".kept1") ==
              built_.side_bytes());
}

TEST_F(UnusableTest, TheLogIsGone) {
  built_.written = built_.filled;
  built_.Build();
  std::filesystem::remove(built_.log_path);
  ExpectRemoved(SideState::kForeign, "gone");
}

TEST_F(UnusableTest, TheLogWasReplacedAndHadAllBytes) {
  built_.written = built_.filled;
  built_.Build();
  WriteWholeFile(dir_.File("new"), ReadWholeFile(built_.log_path));
  std::filesystem::rename(dir_.File("new"), built_.log_path);
  ExpectRecovered(built_);
}

TEST_F(UnusableTest, TheLogWasReplacedByAnotherOneAndHadAllBytes) {
  built_.written = built_.filled;
  built_.Build();
  WriteWholeFile(dir_.File("new"), std::string(built_.filled, 'x'));
  std::filesystem::rename(dir_.File("new"), built_.log_path);
  // Nobody can tell what it is: perhaps an earlier copy, with zeros behind it.
  EXPECT_EQ(test::Inspect(built_.log_path).state, SideState::kUnusable);
  const RecoveryReport report = Recover(built_.log_path);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kUnusable) << report.message;
  EXPECT_THAT(report.message, testing::HasSubstr("replaced since"));
  // What led to it is told, too.
  EXPECT_THAT(report.facts, testing::HasSubstr("sum="));
  EXPECT_EQ(report.facts, test::Inspect(built_.log_path).facts);
  EXPECT_TRUE(exists(built_.side_path()));
}

TEST_F(UnusableTest, TheLogIsGoneWithItsBytes) {
  built_.Build();
  std::filesystem::remove(built_.log_path);
  EXPECT_EQ(test::Inspect(built_.log_path).state, SideState::kUnusable);
  const RecoveryReport report = Recover(built_.log_path);
  EXPECT_EQ(report.outcome, RecoveryOutcome::kUnusable) << report.message;
  EXPECT_THAT(report.message, testing::HasSubstr("put it back"));
  EXPECT_TRUE(exists(built_.side_path()));
}

// The same file system, mounted again.
TEST_F(UnusableTest, TheDeviceHasAnotherNumberNow) {
  built_.Prepare();
  built_.header.log_birth = BirthOf(AT_FDCWD, built_.log_path, 0);
  ASSERT_NE(built_.header.log_birth, 0u) << "nothing is tested here";
  ++built_.header.log_device;
  built_.Sign();
  built_.WriteSide();
  ExpectRecovered(built_);
}

// ---- what is refused

// As a copy of a database whose process was killed.
TEST_F(UnusableTest, TheLogWasReplaced) {
  built_.Build();
  WriteWholeFile(dir_.File("new"), ReadWholeFile(built_.log_path));
  std::filesystem::rename(dir_.File("new"), built_.log_path);
  ExpectRecovered(built_);
}

TEST_F(UnusableTest, TheLogHasTheInodeNumberOfAnOlderOne) {
  built_.Prepare();
  built_.header.log_birth = 1;
  built_.Sign();
  built_.WriteSide();
  ExpectRecovered(built_);
}

// The words went with a file system that went down; the log has more.
TEST_F(UnusableTest, TheLogIsNewerThanTheSideFile) {
  built_.Prepare();
  built_.WriteSide();
  for (const uint64_t end : {built_.written + 1, built_.filled + 1,
                             built_.limit() + 1, built_.limit() + 300000}) {
    WriteWholeFile(built_.log_path,
                   test::Stream(0, built_.written) +
                       std::string(end - built_.written - 1, '\0') + "\x7f");
    ExpectUnusable("it was changed");
  }
}

TEST_F(UnusableTest, WhatLateWritesLeaveIsNoReason) {
  built_.Prepare();
  built_.WriteSide();
  // More than was promised, a tail block with padding behind it.
  WriteWholeFile(built_.log_path,
                 test::Stream(0, built_.filled) + std::string(5000, '\0'));
  ExpectRecovered(built_, 0);
}

TEST_F(UnusableTest, SymbolicLinks) {
  built_.Build();
  std::filesystem::rename(built_.side_path(), dir_.File("elsewhere"));
  std::filesystem::create_symlink(dir_.File("elsewhere"), built_.side_path());
  ExpectUnusable("symbolic link");
  EXPECT_TRUE(exists(dir_.File("elsewhere")));
  // To nothing, too.
  std::filesystem::remove(dir_.File("elsewhere"));
  ExpectUnusable("symbolic link");
}

TEST_F(UnusableTest, TheLogIsASymbolicLink) {
  built_.Build();
  std::filesystem::rename(built_.log_path, dir_.File("elsewhere"));
  std::filesystem::create_symlink(dir_.File("elsewhere"), built_.log_path);
  ExpectUnusable("symbolic link");
}

TEST_F(UnusableTest, NotAFile) {
  built_.Prepare();
  std::filesystem::create_directory(built_.side_path());
  ExpectUnusable("not a regular file");
  std::filesystem::remove(built_.side_path());
  ASSERT_EQ(::mkfifo(built_.side_path().c_str(), 0600), 0);
  ExpectUnusable("not a regular file");
}

TEST_F(UnusableTest, HardLinks) {
  built_.Build();
  std::filesystem::create_hard_link(built_.side_path(), dir_.File("link"));
  std::filesystem::create_hard_link(built_.log_path, dir_.File("log"));
  ExpectRecovered(built_);
}

TEST_F(UnusableTest, OthersMayWriteToIt) {
  built_.Build();
  for (const mode_t mode : {0620u, 0602u, 0666u}) {
    ASSERT_EQ(::chmod(built_.side_path().c_str(), mode), 0);
    ExpectUnusable("chmod");
  }
  ASSERT_EQ(::chmod(built_.side_path().c_str(), 0644), 0);
  ExpectRecovered(built_);
}

// As Kubernetes makes all of a volume, for its fsGroup.
TEST_F(UnusableTest, OthersMayWriteToTheLogAsWell) {
  const mode_t modes[][2] = {{0660, 0664}, {0666, 0666}, {0620, 0660}};
  for (const auto& mode : modes) {
    built_.Build();
    ASSERT_EQ(::chmod(built_.side_path().c_str(), mode[0]), 0);
    ASSERT_EQ(::chmod(built_.log_path.c_str(), mode[1]), 0);
    ExpectRecovered(built_);
  }
  built_.Build();
  ASSERT_EQ(::chmod(built_.side_path().c_str(), 0660), 0);
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0770), 0);
  ExpectRecovered(built_);
}

TEST_F(UnusableTest, SomebodyElses) {
  built_.Build();
  if (::chown(built_.side_path().c_str(), 12345, 12345) != 0) {
    GTEST_SKIP() << "only root can give files away";
  }
  ExpectUnusable("belongs to user 12345");
  ASSERT_EQ(::chown(built_.log_path.c_str(), 12345, 12345), 0);
  ExpectRecovered(built_);
}

TEST_F(UnusableTest, SizesThatDoNotFit) {
  built_.Prepare();
  const std::string whole = built_.side_bytes();
  for (const size_t size : {size_t{1}, size_t{1024}, size_t{4095}}) {
    WriteWholeFile(built_.side_path(), whole.substr(0, size));
    ExpectUnusable("cut off");
  }
  for (const size_t size : {size_t{4096}, size_t{4097}, whole.size() - 1}) {
    WriteWholeFile(built_.side_path(), whole.substr(0, size));
    ExpectUnusable("should have " + std::to_string(whole.size()));
  }
  WriteWholeFile(built_.side_path(), whole + std::string(4096, '\0'));
  ExpectUnusable("should have " + std::to_string(whole.size()));
}

TEST_F(UnusableTest, Headers) {
  const auto set = [](auto SideHeader::*field, auto value) {
    return [=](SideHeader* header) { header->*field = value; };
  };
  ExpectBadHeader("magic", [](SideHeader* header) { header->magic[7] = '\r'; });
  ExpectBadHeader("version 5 and this build knows version 4",
                  set(&SideHeader::version, 5u));
  const char* const why = "makes no sense";
  ExpectBadHeader(why, set(&SideHeader::origin, uint64_t{4097}));
  ExpectBadHeader(why, set(&SideHeader::origin, uint64_t{1} << 48));
  for (const uint32_t bytes : {0u, 1u, 2048u, 4097u, 12288u, 8u << 20, ~0u}) {
    ExpectBadHeader(why, set(&SideHeader::buffer_bytes, bytes));
  }
  for (const uint32_t count : {0u, 1u, 1025u, ~0u}) {
    ExpectBadHeader(why, set(&SideHeader::buffers_count, count));
  }
  ExpectBadHeader(why, [](SideHeader* header) {
    header->buffer_bytes = 4 << 20;
    header->buffers_count = 257;
  });
  ExpectBadHeader("should have", set(&SideHeader::buffers_count, 5u));
  built_.Prepare();
  ++built_.header.checksum;
  built_.WriteSide();
  ExpectUnusable("checksum");
}

TEST_F(UnusableTest, WordsThatContradictEachOther) {
  const auto refuse = [this](uint64_t written, uint64_t filled) {
    built_.Prepare();
    built_.written_word = SealWord(written);
    built_.filled_word = SealWord(filled);
    built_.WriteSide();
    ExpectUnusable("contradicts");
  };
  refuse(4095, 14000);
  refuse(9000, 4095);
  refuse(9000, built_.limit() + 1);
  refuse(9000, kMaxSealedOffset);
}

TEST_F(UnusableTest, TheLogHasChanged) {
  const auto change = [this](size_t at, size_t size) {
    built_.Build();
    std::string log = ReadWholeFile(built_.log_path);
    log[at] = static_cast<char>(log[at] ^ 1);
    WriteWholeFile(built_.log_path, log.substr(0, size));
  };
  // The sum begins at 4096.
  for (const size_t at : {4096, 8191, 8192, 8999}) {
    change(at, 9000);
    ExpectUnusable("not what was promised");
  }
  for (const size_t size : {8999, 0}) {
    change(0, size);
    ExpectUnusable("put the right one back");
  }
  // In front of it the log was the log, for whoever had it.
  change(4095, 9000);
  EXPECT_EQ(Recover(built_.log_path).outcome, RecoveryOutcome::kRecovered);
}

// Recovers exactly, or changes nothing.
TEST_F(UnusableTest, NoChangeOfOneBitIsTakenForGood) {
  built_.Prepare();
  const std::string good = built_.side_bytes();
  const std::string log = ReadWholeFile(built_.log_path);
  std::vector<size_t> bytes;
  for (size_t at = 0; at < sizeof(SideHeader); ++at) {
    bytes.push_back(at);
  }
  for (const size_t word :
       {kSideStateAt, kSideWrittenAt, kSideFilledAt,
        kSideSumsAt + sizeof(SideSum) + offsetof(SideSum, crc32c)}) {
    for (size_t at = word; at < word + sizeof(uint64_t); ++at) {
      bytes.push_back(at);
    }
  }
  for (const size_t at : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      WriteWholeFile(built_.side_path(), bad);
      const RecoveryReport report = Recover(built_.log_path);
      ASSERT_EQ(report.outcome, RecoveryOutcome::kUnusable)
          << at << "." << bit << ": " << report.message;
    }
  }
  EXPECT_TRUE(ReadWholeFile(built_.log_path) == log);
}

// Nor a sector of zeros, where the machine has run on since.
TEST_F(UnusableTest, NoSectorOfZerosIsTakenForGood) {
  built_.Prepare();
  const std::string good = built_.side_bytes();
  for (const size_t at : {size_t{0}, kSideStateAt}) {
    std::string bad = good;
    std::memset(&bad[at], 0, 512);
    WriteWholeFile(built_.side_path(), bad);
    ExpectUnusable(at == 0 ? "header is gone" : "neither live nor idle");
  }
  // Else it is what power loss leaves of a page.
  std::string torn = good;
  std::memset(&torn[0], 0, 512);
  torn[kSideTagAt] ^= 1;
  WriteWholeFile(built_.side_path(), torn);
  ExpectRemoved(SideState::kOlder, "was started");
  built_.BeOfAnotherBoot();
  torn = built_.side_bytes();
  std::memset(&torn[kSideStateAt], 0, 512);
  WriteWholeFile(built_.side_path(), torn);
  ExpectRemoved(SideState::kOlder, "was started");
}

}  // namespace
}  // namespace uringfs
