// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Logs under a file size limit of the process (RLIMIT_FSIZE): they take what
// posix would take, to the byte, and then fail for good by an error that names
// the limit. Nothing raises the signal that would end this test.

#include <fcntl.h>

#include <cerrno>
#include <memory>
#include <string>
#include <tuple>

#include "src/base/posix_file.h"
#include "test/log/fake_log.h"
#include "test/side/shared_rings.h"
#include "test/side/side_image.h"
#include "test/support/file_size_limit.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"
#include "uringfs/log_store.h"
#include "uringfs/recovery.h"

namespace uringfs {
namespace {

using test::Exists;
using test::ReadWholeFile;
using test::ScopedFileSizeLimit;
using test::StreamBytes;
using test::TempDir;

constexpr uint64_t kRecord = 700;

std::unique_ptr<LogStore> MustOpen(const std::string& path,
                                   const LogOptions& options) {
  std::unique_ptr<LogStore> log;
  const Status status = LogStore::Open(path, options, &log);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return log;
}

void ExpectNamesTheLimit(const Status& status) {
  EXPECT_EQ(status.error_number(), EFBIG) << status.ToString();
  EXPECT_NE(status.ToString().find("RLIMIT_FSIZE"), std::string::npos)
      << status.ToString();
}

class ToTheByte : public testing::TestWithParam<
                      std::tuple<IoEngine, WriteMode, uint32_t, bool>> {};

// Appends records and flushes or syncs each; the last fits exactly.
void FillUp(LogStore* log, uint64_t limit, bool syncs) {
  const auto put = [&](uint64_t bytes) {
    Status status = log->Append(StreamBytes(log->size(), bytes));
    if (status.ok()) {
      status = syncs ? log->Sync() : log->Flush();
    }
    return status;
  };
  while (log->size() + kRecord <= limit) {
    ASSERT_TRUE(put(kRecord).ok()) << log->size();
  }
  if (log->size() < limit) {
    const Status status = put(limit - log->size());
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  ExpectNamesTheLimit(put(1));
}

TEST_P(ToTheByte, AFileGetsAsLongAsTheLimitAndNotLonger) {
  const auto [engine, mode, cached_bytes, syncs] = GetParam();
  for (const uint64_t limit : {uint64_t{40960}, uint64_t{100003}}) {
    SCOPED_TRACE(limit);
    const TempDir dir;
    LogOptions options;
    options.io_engine = engine;
    options.write_mode = mode;
    options.cached_bytes = cached_bytes;
    options.buffer_bytes = 8192;
    auto log = MustOpen(dir.File("log"), options);
    {
      const ScopedFileSizeLimit scoped(limit);
      FillUp(log.get(), limit, syncs);
    }
    // Sticky, although there is room now.
    ExpectNamesTheLimit(log->Append("x"));
    ExpectNamesTheLimit(log->Sync());
    ExpectNamesTheLimit(log->Close());
    EXPECT_EQ(ReadWholeFile(dir.File("log")), StreamBytes(0, limit));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, ToTheByte,
    testing::Combine(testing::Values(IoEngine::kAuto, IoEngine::kPwrite),
                     testing::Values(WriteMode::kSerialised,
                                     WriteMode::kTailLocalised),
                     testing::Values(0u, 60000u), testing::Bool()));

// Several writes in flight, space ahead, and nobody who waits for each record.
TEST(LogFileLimitTest, ALongDataFileFailsAndIsCut) {
  const TempDir dir;
  constexpr uint64_t kLimit = (uint64_t{3} << 20) + 1003;
  LogOptions options;
  options.write_mode = WriteMode::kTailLocalised;
  auto log = MustOpen(dir.File("log"), options);
  const ScopedFileSizeLimit limit(kLimit);
  Status status;
  for (int i = 0; status.ok() && i < 1000; ++i) {
    status = log->Append(StreamBytes(log->size(), 50000));
  }
  ExpectNamesTheLimit(status);
  const uint64_t written = log->hi_written();
  ExpectNamesTheLimit(log->Close());
  EXPECT_LE(written, kLimit);
  EXPECT_EQ(ReadWholeFile(dir.File("log")), StreamBytes(0, written));
}

TEST(LogFileLimitTest, TruncateDoesNotMakeItLonger) {
  const TempDir dir;
  auto log = MustOpen(dir.File("log"), LogOptions());
  ASSERT_TRUE(log->Append(StreamBytes(0, 3000)).ok());
  const ScopedFileSizeLimit limit(5000);
  ASSERT_TRUE(log->Truncate(2000).ok());
  ASSERT_TRUE(log->Truncate(5000).ok());
  ExpectNamesTheLimit(log->Truncate(5001));
  ExpectNamesTheLimit(log->Close());
  EXPECT_EQ(ReadWholeFile(dir.File("log")),
            StreamBytes(0, 2000) + std::string(3000, '\0'));
}

TEST(LogFileLimitTest, WhatRecoveryWritesWith) {
  const TempDir dir;
  PosixFile file;
  ASSERT_EQ(file.Open(dir.File("file"), O_RDWR | O_CREAT), 0);
  const std::string bytes = StreamBytes(0, 2000);
  const ScopedFileSizeLimit limit(1000);
  EXPECT_EQ(file.WriteAt(0, bytes.data(), 1001), EFBIG);
  EXPECT_EQ(file.WriteAt(1000, bytes.data(), 1), EFBIG);
  EXPECT_EQ(file.Truncate(1001), EFBIG);
  EXPECT_EQ(file.WriteAt(0, bytes.data(), 1000), 0);
  EXPECT_EQ(file.Truncate(500), 0);
  EXPECT_EQ(ReadWholeFile(dir.File("file")), StreamBytes(0, 500));
}

class SharedRingLimit : public testing::Test {
 protected:
  void SetUp() override { URINGFS_SKIP_WITHOUT_SHARED_RINGS(dir_.path()); }

  TempDir dir_;
  const std::string path_ = dir_.File("a.log");
  const std::string side_ = SideFilePath(path_);
};

TEST_F(SharedRingLimit, ASideFileThatDoesNotFitIsDeclined) {
  for (const uint64_t after : {0u, 6000u}) {
    LogOptions options = test::SharedRing(65536, 4);
    options.shared_ring_after_bytes = after;
    constexpr uint64_t kLimit = 100003;
    const ScopedFileSizeLimit limit(kLimit);
    auto log = MustOpen(path_, options);
    FillUp(log.get(), kLimit, /*syncs=*/false);
    const IoChoice choice = log->io_choice();
    EXPECT_TRUE(choice.lost_shared_ring);
    EXPECT_NE(choice.reason.find("private ring: "), std::string::npos)
        << choice.reason;
    EXPECT_NE(choice.reason.find("RLIMIT_FSIZE"), std::string::npos)
        << choice.reason;
    EXPECT_FALSE(Exists(side_));
    ExpectNamesTheLimit(log->Close());
    EXPECT_EQ(ReadWholeFile(path_), StreamBytes(0, kLimit));
  }
}

// Flush has promised more than the file can take: the side file has it.
TEST_F(SharedRingLimit, WhatWasPromisedIsKeptForWhenTheLimitIsRaised) {
  const LogOptions options = test::SharedRing(4096, 4);
  auto log = MustOpen(path_, options);
  uint64_t promised = 0;
  {
    const ScopedFileSizeLimit limit(50003);
    Status status;
    for (int i = 0; status.ok() && i < 10000; ++i) {
      status = log->Append(StreamBytes(promised, kRecord));
      status = status.ok() ? log->Flush() : status;
      promised += status.ok() ? kRecord : 0;
    }
    ExpectNamesTheLimit(status);
    ExpectNamesTheLimit(log->Close());
    ASSERT_GT(promised, 50003u);
    EXPECT_LE(ReadWholeFile(path_).size(), 50003u);
    RecoveryReport report;
    ExpectNamesTheLimit(RecoverLog(path_, RecoveryOptions(), &report));
    EXPECT_TRUE(Exists(side_));
  }
  RecoveryReport report;
  ASSERT_TRUE(RecoverLog(path_, RecoveryOptions(), &report).ok());
  EXPECT_EQ(report.outcome, RecoveryOutcome::kRecovered) << report.message;
  const std::string content = ReadWholeFile(path_);
  EXPECT_GE(content.size(), promised);
  EXPECT_EQ(content, StreamBytes(0, content.size()));
}

// Synced all the time: zeros ahead, and durable writes of the last blocks.
TEST_F(SharedRingLimit, ASyncedLogGetsAsLongAsTheLimit) {
  LogOptions options = test::SharedRing(65536, 4);
  options.max_extend_bytes = 65536 * 16;
  for (const uint64_t limit : {uint64_t{400} << 10, uint64_t{400003}}) {
    const ScopedFileSizeLimit scoped(limit);
    auto log = MustOpen(path_, options);
    EXPECT_TRUE(log->io_choice().uses_shared_ring);
    FillUp(log.get(), limit, /*syncs=*/true);
    ExpectNamesTheLimit(log->Close());
    // The byte that did not fit was appended and flushed, so it was promised.
    RecoveryReport report;
    ExpectNamesTheLimit(RecoverLog(path_, RecoveryOptions(), &report));
    EXPECT_EQ(ReadWholeFile(path_), StreamBytes(0, limit));
  }
}

}  // namespace
}  // namespace uringfs
