// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/db_bench_output.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace uringfs::bench {
namespace {

// As db_bench 7.8.3 prints it, cut to what matters.
constexpr char kFill[] =
    "RocksDB:    version 7.8.3\n"
    "... finished 1000 ops\r... finished 2000 ops\r"
    "fillseq      :       2.500 micros/op 400000 ops/sec 0.005 seconds 2000 "
    "operations;   44.2 MB/s\n"
    "Microseconds per write:\n"
    "Percentiles: P50: 1.00 P75: 1.50 P99: 2.00 P99.9: 3.00 P99.99: 4.00\n"
    "[       0,       1 ]     2000 100.000% 100.000% ####\n"
    "2026/11/21-15:07:41  ... thread 0: (4000,4000) ops and (3137.3,3137.3) "
    "ops/second in (1.274964,1.274964) seconds\n"
    "2026/11/21-15:07:42  ... thread 0: (999,4999) ops and (999.5,1801.0) "
    "ops/second in (1.000000,2.275000) seconds\n"
    "fillrandom   :     543.481 micros/op 1801 ops/sec 2.775 seconds 4999 "
    "operations;    0.2 MB/s\n"
    "Microseconds per write:\n"
    "Count: 4999 Average: 543.4707  StdDev: 1351.50\n"
    "Percentiles: P50: 192.77 P75: 265.65 P99: 6062.71 P99.9: 9901.03 P99.99: "
    "50055.00\n"
    "(      76,     110 ]       53   1.060%   1.060% \n"
    "(     110,     170 ]     1974  39.488%  40.548% ########\n";

TEST(DbBenchOutputTest, TheBenchmarkThatWasAskedForIsRead) {
  Measured measured;
  ASSERT_TRUE(ReadDbBench(kFill, "fillrandom", &measured));
  EXPECT_DOUBLE_EQ(measured.round.ops_per_second, 1801);
  EXPECT_EQ(measured.round.operations, 4999u);
  EXPECT_DOUBLE_EQ(measured.round.wall_seconds, 2.775);
  EXPECT_DOUBLE_EQ(measured.round.p50_us.value(), 192.77);
  EXPECT_DOUBLE_EQ(measured.round.p99_us.value(), 6062.71);
  EXPECT_DOUBLE_EQ(measured.round.p999_us.value(), 9901.03);
  ASSERT_EQ(measured.latency.size(), 2u);
  EXPECT_DOUBLE_EQ(measured.latency[1].from_us, 110);
  EXPECT_DOUBLE_EQ(measured.latency[1].to_us, 170);
  EXPECT_EQ(measured.latency[1].count, 1974u);
}

TEST(DbBenchOutputTest, ProgressInFrontOfALineIsNotPartOfIt) {
  Measured measured;
  ASSERT_TRUE(ReadDbBench(kFill, "fillseq", &measured));
  EXPECT_EQ(measured.round.operations, 2000u);
  EXPECT_DOUBLE_EQ(measured.round.p50_us.value(), 1);
  ASSERT_EQ(measured.latency.size(), 1u) << "those of another benchmark";
  EXPECT_TRUE(measured.series.empty());
}

TEST(DbBenchOutputTest, TheSeriesIsByTheSecond) {
  Measured measured;
  ASSERT_TRUE(ReadDbBench(kFill, "fillrandom", &measured));
  ASSERT_EQ(measured.series.size(), 2u);
  EXPECT_DOUBLE_EQ(measured.series[0].second, 1);
  EXPECT_DOUBLE_EQ(measured.series[0].ops_per_second, 3137.3);
  EXPECT_DOUBLE_EQ(measured.series[1].ops_per_second, 999.5);
}

TEST(DbBenchOutputTest, WhatIsNotThereIsNotFound) {
  Measured measured;
  EXPECT_FALSE(ReadDbBench(kFill, "fill", &measured));
  EXPECT_FALSE(ReadDbBench("", "fillseq", &measured));
  EXPECT_FALSE(ReadDbBench("fillseq : ", "fillseq", &measured));
}

TEST(DbBenchOutputTest, AFewLongOperationsAreCountedExactly) {
  Measured measured;
  ASSERT_TRUE(ReadDbBench(
      "compact      : 2531004.000 micros/op 0 ops/sec 2.531 seconds 1 "
      "operations;\n",
      "compact", &measured));
  EXPECT_NEAR(measured.round.ops_per_second, 1 / 2.531004, 1e-9);
}

TEST(DbBenchOutputTest, HistogramsOfReadsAndWritesAreOne) {
  Measured measured;
  ASSERT_TRUE(ReadDbBench(
      "mixgraph     :       4.585 micros/op 217941 ops/sec 0.229 seconds 300 "
      "operations; ( Gets:25036 Puts:24964 Seek:0)\n"
      "Microseconds per write:\n"
      "Percentiles: P50: 3.00 P75: 3.65 P99: 8.34 P99.9: 68.99 P99.99: 4.90\n"
      "(       2,       4 ]      100\n"
      "Microseconds per read:\n"
      "Percentiles: P50: 0.83 P75: 1.41 P99: 2.94 P99.9: 30.51 P99.99: 48.20\n"
      "[       0,       1 ]      200\n",
      "mixgraph", &measured));
  ASSERT_EQ(measured.latency.size(), 2u);
  EXPECT_DOUBLE_EQ(measured.latency[0].from_us, 0) << "ascending";
  EXPECT_DOUBLE_EQ(measured.round.p50_us.value(), 0.75);
  EXPECT_DOUBLE_EQ(measured.round.p99_us.value(), 3.94);
}

TEST(DbBenchOutputTest, WordsOfOurOwnPrograms) {
  Measured measured;
  ASSERT_TRUE(
      ReadWords("puts=500 seconds=2.000 puts_per_second=250 p50=10.5 "
                "p99=20.0 p999=30.0\n",
                &measured));
  EXPECT_DOUBLE_EQ(measured.round.ops_per_second, 250);
  EXPECT_DOUBLE_EQ(measured.round.p50_us.value(), 10.5);
  measured = {};
  ASSERT_TRUE(ReadWords("dbs=10 seconds=0.5 micros_per_db=50000\n", &measured));
  EXPECT_DOUBLE_EQ(measured.round.ops_per_second, 20);
  EXPECT_FALSE(measured.round.p50_us.has_value());
  EXPECT_FALSE(ReadWords("sync_puts: no such directory\n", &measured));
}

TEST(DbBenchOutputTest, CompactionsComeFromTheLogOfTheDatabase) {
  const std::string log =
      "2026/11/21-15:07:41.1 7 EVENT_LOG_v1 {\"time_micros\": 2500000, "
      "\"job\": 5, \"event\": \"compaction_started\", \"files\": 3}\n"
      "2026/11/21-15:07:41.2 7 EVENT_LOG_v1 {\"time_micros\": 2600000, "
      "\"job\": 6, \"event\": \"flush_started\"}\n"
      "2026/11/21-15:07:41.3 7 EVENT_LOG_v1 {\"time_micros\": 4000000, "
      "\"job\": 5, \"event\": \"compaction_finished\"}\n"
      "2026/11/21-15:07:41.4 7 EVENT_LOG_v1 {\"time_micros\": 4100000, "
      "\"job\": 8, \"event\": \"compaction_started\"}\n";
  const std::vector<Span> spans = ReadCompactions(log, 2000000);
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_DOUBLE_EQ(spans[0].begin, 0.5);
  EXPECT_DOUBLE_EQ(spans[0].end, 2);
}

TEST(DbBenchOutputTest, HistogramsAreAddedUp) {
  std::vector<Bucket> sum;
  AddTo(&sum, {{1, 2, 10}, {4, 6, 1}});
  AddTo(&sum, {{2, 3, 5}, {4, 6, 2}});
  ASSERT_EQ(sum.size(), 3u);
  EXPECT_EQ(sum[1].count, 5u);
  EXPECT_EQ(sum[2].count, 3u);
}

TEST(DbBenchOutputTest, LastLinesAreShownWithoutProgress) {
  EXPECT_EQ(LastLines("... finished 1 ops\rput error: full\n\n"),
            "put error: full\n");
}

}  // namespace
}  // namespace uringfs::bench
