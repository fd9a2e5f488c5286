// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The measurements of a disk: that they are whole, say what they left out, end
// when they are told to, and leave nothing behind. Speeds are the disk's.

#include "db_bench_ext/judge/disk_limits.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <thread>

#include "db_bench_ext/judge/raw_append.h"
#include "test/support/forbid.h"
#include "test/support/temp_dir.h"

namespace uringfs::test {
namespace {

using bench::AppendLoad;
using bench::DiskLimits;
using bench::Latencies;
using bench::Latency;
using bench::MeasureAppends;
using bench::MeasureLimits;

using Clock = std::chrono::steady_clock;

const std::atomic<bool> kGoOn = false;
const std::atomic<bool> kStopped = true;

bool IsEmpty(const std::string& directory) {
  return std::filesystem::is_empty(directory);
}

std::string NotesOf(const DiskLimits& limits) {
  std::string all;
  for (const std::string& note : limits.notes) {
    all += note + "\n";
  }
  return all;
}

void ExpectLatency(const Latency& latency) {
  EXPECT_LT(0, latency.p50_us);
  EXPECT_LE(latency.p50_us, latency.p99_us);
  EXPECT_LT(0, latency.per_second);
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(DiskLimitsTest, AllIsMeasuredOrANoteSaysWhyNot) {
  const TempDir dir;
  const DiskLimits limits = MeasureLimits(dir.path(), 0.3, kGoOn);
  EXPECT_TRUE(IsEmpty(dir.path()));
  const std::string notes = NotesOf(limits);
  if (Has(notes, "no direct I/O") || Has(notes, "nothing was measured")) {
    EXPECT_TRUE(limits.direct_write.empty());
    EXPECT_TRUE(limits.random_read.empty());
    GTEST_SKIP() << notes;
  }
  SCOPED_TRACE(notes);
  ExpectLatency(limits.durable_overwrite);
  ExpectLatency(limits.flush);
  const bool has_ring = !Has(notes, "without io_uring");
  EXPECT_EQ(limits.direct_write.size(), has_ring ? 12u : 4u);
  EXPECT_EQ(limits.random_read.size(), has_ring ? 2u : 1u);
  for (const bench::WriteRate& rate : limits.direct_write) {
    EXPECT_LT(0, rate.bytes_per_second) << rate.bytes << " " << rate.depth;
  }
  for (const bench::ReadRate& rate : limits.random_read) {
    EXPECT_LT(0, rate.per_second) << rate.depth;
  }
}

TEST(DiskLimitsTest, CellsAreInOrder) {
  const TempDir dir;
  const DiskLimits limits = MeasureLimits(dir.path(), 0.1, kGoOn);
  if (limits.direct_write.size() != 12) {
    GTEST_SKIP() << NotesOf(limits);
  }
  size_t at = 0;
  for (const uint32_t kib : {4, 64, 256, 1024}) {
    for (const uint32_t depth : {1, 4, 16}) {
      EXPECT_EQ(limits.direct_write[at].bytes, kib << 10);
      EXPECT_EQ(limits.direct_write[at].depth, depth);
      ++at;
    }
  }
  EXPECT_EQ(limits.random_read[0].depth, 1u);
  EXPECT_EQ(limits.random_read[1].depth, 16u);
}

TEST(DiskLimitsTest, MissingDirectoryIsANote) {
  const TempDir dir;
  const DiskLimits limits = MeasureLimits(dir.File("missing"), 0.1, kGoOn);
  EXPECT_TRUE(limits.direct_write.empty());
  EXPECT_TRUE(limits.random_read.empty());
  EXPECT_EQ(limits.durable_overwrite.per_second, 0);
  EXPECT_NE(NotesOf(limits).find("No such file"), std::string::npos)
      << NotesOf(limits);
}

TEST(DiskLimitsTest, StoppedBeforeItBegins) {
  const TempDir dir;
  const DiskLimits limits = MeasureLimits(dir.path(), 3600, kStopped);
  EXPECT_TRUE(limits.direct_write.empty());
  EXPECT_NE(NotesOf(limits).find("stopped"), std::string::npos);
  EXPECT_TRUE(IsEmpty(dir.path()));
}

TEST(DiskLimitsTest, StopEndsItEarly) {
  const TempDir dir;
  std::atomic<bool> stop = false;
  const auto begin = Clock::now();
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    stop.store(true);
  });
  const DiskLimits limits = MeasureLimits(dir.path(), 3600, stop);
  other.join();
  // Far less than an hour, however slow the disk.
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(60));
  EXPECT_NE(NotesOf(limits), "");
  EXPECT_TRUE(IsEmpty(dir.path()));
}

// How a child process ends.
constexpr int kAsItShould = 0;
constexpr int kNoNote = 1;
constexpr int kWrongCells = 2;
constexpr int kCannotTell = 77;

int MeasureWithout(unsigned number, const std::string& directory) {
  if (!Forbid(number, EPERM)) {
    return kCannotTell;
  }
  const DiskLimits limits = MeasureLimits(directory, 0.1, kGoOn);
  const std::string notes = NotesOf(limits);
  if (Has(notes, "no direct I/O") || Has(notes, "nothing was measured")) {
    return kCannotTell;
  }
  if (!Has(notes, "without io_uring: Operation not permitted")) {
    return kNoNote;
  }
  for (const bench::WriteRate& rate : limits.direct_write) {
    if (rate.depth != 1 || rate.bytes_per_second <= 0) {
      return kWrongCells;
    }
  }
  return limits.direct_write.size() == 4 && limits.random_read.size() == 1
             ? kAsItShould
             : kWrongCells;
}

// In a process of its own: a filter of system calls stays.
void ExpectOneAtATimeWithout(unsigned number) {
  const TempDir dir;
  const pid_t child = ::fork();
  ASSERT_LE(0, child);
  if (child == 0) {
    ::_exit(MeasureWithout(number, dir.path()));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == kCannotTell) {
    GTEST_SKIP() << "no filters of system calls, or nothing to measure, here";
  }
  EXPECT_EQ(WEXITSTATUS(status), kAsItShould);
  EXPECT_TRUE(IsEmpty(dir.path()));
}

TEST(DiskLimitsTest, NoRing) { ExpectOneAtATimeWithout(__NR_io_uring_setup); }

TEST(DiskLimitsTest, RingThatTakesNothing) {
  ExpectOneAtATimeWithout(__NR_io_uring_enter);
}

TEST(MeasureAppendsTest, EveryWay) {
  const TempDir dir;
  for (const bench::Way& way : bench::kWays) {
    SCOPED_TRACE(way.name);
    AppendLoad load;
    load.count = 20;
    Latencies got;
    std::string error;
    if (!MeasureAppends(dir.path(), way, load, &got, &error)) {
      EXPECT_TRUE(way.is_direct) << error;
      EXPECT_NE(error.find("Invalid argument"), std::string::npos) << error;
      continue;
    }
    EXPECT_EQ(got.sorted_us.size(), 20u);
    EXPECT_LE(got.sorted_us.front(), got.PercentileUs(50));
    EXPECT_LE(got.PercentileUs(50), got.PercentileUs(99));
    EXPECT_LT(0, got.MeanUs());
    EXPECT_LT(0, got.PerSecond());
  }
  EXPECT_TRUE(IsEmpty(dir.path()));
}

TEST(MeasureAppendsTest, MissingDirectory) {
  const TempDir dir;
  for (const bench::Way& way : bench::kWays) {
    Latencies got;
    std::string error;
    EXPECT_FALSE(
        MeasureAppends(dir.File("missing"), way, AppendLoad(), &got, &error));
    EXPECT_NE(error.find("No such file"), std::string::npos) << error;
    EXPECT_TRUE(got.sorted_us.empty());
    EXPECT_EQ(got.MeanUs(), 0);
    EXPECT_EQ(got.PercentileUs(99), 0);
  }
}

TEST(MeasureAppendsTest, ImpossibleLoads) {
  const TempDir dir;
  AppendLoad none;
  none.count = 0;
  AppendLoad empty;
  empty.record_bytes = 0;
  AppendLoad large;
  large.record_bytes = bench::kMaxRecordBytes + 1;
  for (const AppendLoad& load : {none, empty, large}) {
    Latencies got;
    std::string error;
    EXPECT_FALSE(MeasureAppends(dir.path(), bench::kPosix, load, &got, &error));
    EXPECT_NE(error, "");
  }
}

TEST(MeasureAppendsTest, TimeAndStopEndIt) {
  const TempDir dir;
  AppendLoad load;
  load.count = uint64_t{1} << 40;
  load.max_seconds = 0.05;
  Latencies got;
  std::string error;
  EXPECT_TRUE(MeasureAppends(dir.path(), bench::kPosix, load, &got, &error))
      << error;
  EXPECT_LE(1u, got.sorted_us.size());
  // There is no time to write so large a file before.
  EXPECT_FALSE(
      MeasureAppends(dir.path(), bench::kOverwrite, load, &got, &error));
  load.stop = &kStopped;
  EXPECT_TRUE(MeasureAppends(dir.path(), bench::kPosix, load, &got, &error));
  EXPECT_TRUE(got.sorted_us.empty());
}

}  // namespace
}  // namespace uringfs::test
