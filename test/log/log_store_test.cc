// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The sentences of log_store.h, one test each, on real files: over io_uring
// and over pwrite, in both write modes, with the ring at home and in a side
// file.

#include "uringfs/log_store.h"

#include <string>
#include <tuple>
#include <vector>

#include "test/log/fake_log.h"
#include "test/support/seed.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::Random;
using test::ReadWholeFile;
using test::StreamBytes;
using test::TempDir;

class LogStoreTest
    : public testing::TestWithParam<std::tuple<WriteMode, IoEngine, RingHome>> {
 protected:
  LogOptions Options(uint32_t buffer_bytes = 64 * 1024) const {
    LogOptions options;
    options.write_mode = std::get<0>(GetParam());
    options.io_engine = std::get<1>(GetParam());
    options.ring_home = std::get<2>(GetParam());
    options.buffer_bytes = buffer_bytes;
    return options;
  }

  std::unique_ptr<LogStore> MustOpen(const std::string& name,
                                     const LogOptions& options) {
    std::unique_ptr<LogStore> log;
    const Status status = LogStore::Open(dir_.File(name), options, &log);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return log;
  }

  std::string Content(const std::string& name) {
    return ReadWholeFile(dir_.File(name));
  }

  TempDir dir_;
};

TEST_P(LogStoreTest, CloseLeavesExactlyTheAppendedBytes) {
  Random random(test::SeedOr(3));
  for (int file = 0; file < 30; ++file) {
    auto log = MustOpen("f", Options(4096u << random.Below(5)));
    std::string stream;
    const uint64_t appends = random.Below(20);
    for (uint64_t i = 0; i < appends; ++i) {
      const std::string bytes =
          StreamBytes(stream.size(), random.LogUniform(1, 1 << 20));
      uint64_t offset = 0;
      ASSERT_TRUE(log->Append(bytes, &offset).ok());
      EXPECT_EQ(offset, stream.size());
      stream += bytes;
      if (random.OneIn(4)) {
        ASSERT_TRUE(log->Flush().ok());
      }
      EXPECT_EQ(log->size(), stream.size());
    }
    ASSERT_TRUE(log->Close().ok());
    ASSERT_EQ(Content("f"), stream);
  }
}

TEST_P(LogStoreTest, WrittenOutBytesCanBeReadThroughTheFile) {
  auto log = MustOpen("f", Options());
  std::string stream;
  for (uint64_t bytes : {1, 4095, 1, 70000, 4096, 13}) {
    const std::string more = StreamBytes(stream.size(), bytes);
    ASSERT_TRUE(log->Append(more).ok());
    stream += more;
    ASSERT_TRUE(log->WriteOut().ok());
    EXPECT_EQ(log->hi_written(), stream.size());
    ASSERT_EQ(Content("f").substr(0, stream.size()), stream);
  }
}

TEST_P(LogStoreTest, ABatchIsOneContiguousRange) {
  auto log = MustOpen("f", Options());
  const std::string a(10, 'a');
  const std::string c(70000, 'c');
  const std::string_view slices[] = {a, "", c, "tail"};
  uint64_t offset = 99;
  ASSERT_TRUE(log->Append("x").ok());
  ASSERT_TRUE(log->AppendBatch(slices, 4, &offset).ok());
  EXPECT_EQ(offset, 1u);
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(Content("f"), "x" + a + c + "tail");
}

TEST_P(LogStoreTest, AReservationIsWrittenByItsOwner) {
  auto log = MustOpen("f", Options(4096));
  Reservation reservation;
  // Fill the ring's memory with something that must not come back.
  ASSERT_TRUE(log->Append(std::string(40000, 'x')).ok());
  ASSERT_TRUE(log->Truncate(0).ok());
  ASSERT_TRUE(log->Append("head").ok());
  ASSERT_TRUE(log->Reserve(10000, &reservation).ok());
  EXPECT_EQ(reservation.offset(), 4u);
  EXPECT_GT(reservation.pieces(), 1u);
  const std::string body = StreamBytes(4, 9000);
  reservation.Write(0, std::string_view(body).substr(0, 5000));
  reservation.Write(5000, std::string_view(body).substr(5000));
  reservation.Commit();
  EXPECT_EQ(reservation.pieces(), 0u);
  ASSERT_TRUE(log->Append("tail").ok());
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(Content("f"), "head" + body + std::string(1000, '\0') + "tail");
}

TEST_P(LogStoreTest, AReservationLongerThanTheRingIsRefused) {
  auto log = MustOpen("f", Options(4096));
  Reservation reservation;
  const Status status =
      log->Reserve(log->max_reservation_bytes() + 1, &reservation);
  EXPECT_EQ(status.code(), Status::Code::kInvalidArgument);
  EXPECT_NE(status.ToString().find("Append takes any length"),
            std::string::npos);
  EXPECT_TRUE(log->Reserve(log->max_reservation_bytes(), &reservation).ok());
}

TEST_P(LogStoreTest, ResumeGoesOnWithinTheLastBlock) {
  std::string stream;
  LogOptions options = Options(4096);
  options.open_mode = OpenMode::kResume;
  for (uint64_t bytes : {5, 4091, 1, 9000, 0, 4096, 100000, 3}) {
    auto log = MustOpen("f", options);
    EXPECT_EQ(log->size(), stream.size());
    EXPECT_EQ(log->hi_written(), stream.size());
    EXPECT_EQ(log->hi_stable(), 0u) << "not known to be durable";
    const std::string more = StreamBytes(stream.size(), bytes);
    ASSERT_TRUE(log->Append(more).ok());
    stream += more;
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(log->hi_stable(), stream.size());
    ASSERT_TRUE(log->Close().ok());
    ASSERT_EQ(Content("f"), stream);
  }
}

TEST_P(LogStoreTest, SyncMakesTheTailBlockStableToo) {
  auto log = MustOpen("f", Options());
  ASSERT_TRUE(log->Append("a").ok());
  EXPECT_EQ(log->hi_stable(), 0u);
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_EQ(log->hi_stable(), 1u);
  ASSERT_TRUE(log->Append("bc").ok());
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(log->hi_stable(), 1u) << "written is not stable";
  ASSERT_TRUE(log->SyncTo(2).ok());
  EXPECT_GE(log->hi_stable(), 2u);
  EXPECT_EQ(log->SyncTo(4).code(), Status::Code::kInvalidArgument);
}

TEST_P(LogStoreTest, SettleMakesThePhysicalSizeExact) {
  auto log = MustOpen("f", Options());
  ASSERT_TRUE(log->Append("abc").ok());
  ASSERT_TRUE(log->Settle().ok());
  EXPECT_EQ(Content("f"), "abc");
  ASSERT_TRUE(log->Append("def").ok());
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(Content("f"), "abcdef");
}

TEST_P(LogStoreTest, TruncateMovesTheEndBothWays) {
  auto log = MustOpen("f", Options(4096));
  std::string stream = StreamBytes(0, 20000);
  ASSERT_TRUE(log->Append(stream).ok());
  for (uint64_t size : {12345, 4096, 4097, 9000, 0, 1, 5000}) {
    ASSERT_TRUE(log->Truncate(size).ok());
    stream.resize(size, '\0');
    EXPECT_EQ(log->size(), size);
    ASSERT_EQ(Content("f"), stream);
    ASSERT_TRUE(log->Append("+").ok());
    stream += "+";
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(log->hi_stable(), stream.size());
  }
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(Content("f"), stream);
}

TEST_P(LogStoreTest, CloseIsIdempotentAndEndsTheLog) {
  auto log = MustOpen("f", Options());
  ASSERT_TRUE(log->Append("abc").ok());
  EXPECT_TRUE(log->Close().ok());
  EXPECT_TRUE(log->Close().ok());
  EXPECT_EQ(log->size(), 3u);
  EXPECT_EQ(log->Append("d").code(), Status::Code::kClosed);
  EXPECT_EQ(log->Flush().code(), Status::Code::kClosed);
  EXPECT_EQ(log->Sync().code(), Status::Code::kClosed);
  EXPECT_EQ(log->Truncate(1).code(), Status::Code::kClosed);
  Reservation reservation;
  EXPECT_EQ(log->Reserve(1, &reservation).code(), Status::Code::kClosed);
  EXPECT_EQ(Content("f"), "abc");
}

TEST_P(LogStoreTest, TheDestructorCloses) {
  { ASSERT_TRUE(MustOpen("f", Options())->Append("abc").ok()); }
  EXPECT_EQ(Content("f"), "abc");
}

TEST_P(LogStoreTest, StatisticsCountWhatHappened) {
  auto log = MustOpen("f", Options());
  ASSERT_TRUE(log->Append(std::string(100, 'x')).ok());
  ASSERT_TRUE(log->Sync().ok());
  const LogStats stats = log->stats();
  EXPECT_EQ(stats.appends, 1u);
  EXPECT_EQ(stats.appended_bytes, 100u);
  EXPECT_EQ(stats.device_writes, 1u);
  EXPECT_EQ(stats.device_bytes, 4096u);
  EXPECT_EQ(stats.device_flushes, 1u);
  EXPECT_EQ(stats.stable_advances, 1u);
}

TEST(LogStoreOptionsTest, BadOptionsAreRefusedBeforeTheFileIsTouched) {
  TempDir dir;
  LogOptions options;
  options.buffer_bytes = 5000;
  std::unique_ptr<LogStore> log;
  const Status status = LogStore::Open(dir.File("f"), options, &log);
  EXPECT_EQ(status.code(), Status::Code::kInvalidArgument);
  EXPECT_NE(status.ToString().find("buffer_bytes"), std::string::npos);
  EXPECT_EQ(log, nullptr);
}

std::string ParamName(
    const testing::TestParamInfo<LogStoreTest::ParamType>& info) {
  return std::string(std::get<0>(info.param) == WriteMode::kSerialised
                         ? "Serialised"
                         : "TailLocalised") +
         (std::get<1>(info.param) == IoEngine::kAuto ? "Auto" : "Pwrite") +
         (std::get<2>(info.param) == RingHome::kShared ? "Shared" : "");
}

INSTANTIATE_TEST_SUITE_P(
    Modes, LogStoreTest,
    testing::Combine(testing::Values(WriteMode::kSerialised,
                                     WriteMode::kTailLocalised),
                     testing::Values(IoEngine::kAuto, IoEngine::kPwrite),
                     testing::Values(RingHome::kPrivate)),
    ParamName);

INSTANTIATE_TEST_SUITE_P(
    SharedRing, LogStoreTest,
    testing::Combine(testing::Values(WriteMode::kSerialised),
                     testing::Values(IoEngine::kAuto, IoEngine::kPwrite),
                     testing::Values(RingHome::kShared)),
    ParamName);

}  // namespace
}  // namespace uringfs
