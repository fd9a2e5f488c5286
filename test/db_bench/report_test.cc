// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/report.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "db_bench_ext/judge/page.h"
#include "db_bench_ext/judge/syncs.h"
#include "db_bench_ext/judge/table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

CandidateResult ResultOf(const std::string& name, std::vector<double> rates) {
  CandidateResult result;
  result.candidate = name;
  for (const double rate : rates) {
    Round round;
    round.ops_per_second = rate;
    round.operations = 1000;
    round.user_bytes = 100000;
    round.p99_us = 1e6 / rate;
    round.device_bytes = 200000;
    result.rounds.push_back(round);
  }
  return result;
}

Report ReportOf(std::vector<double> posix, std::vector<double> uringfs) {
  Report report;
  report.is_complete = true;
  report.candidates = {{"posix", "", {}, {}}, {"uringfs", "", {}, {}}};
  WorkloadResult& workload = report.workloads.emplace_back();
  workload.name = "fill";
  workload.metric = "ops_per_second";
  workload.results = {ResultOf("posix", std::move(posix)),
                      ResultOf("uringfs", std::move(uringfs))};
  Judge(&workload);
  return report;
}

TEST(ReportTest, RatiosAreTakenWithinTheRounds) {
  const Report report = ReportOf({100, 200, 400}, {200, 400, 800});
  const CandidateResult& uringfs = report.workloads[0].results[1];
  EXPECT_THAT(uringfs.ratio.value().rounds, ElementsAre(2, 2, 2));
  EXPECT_EQ(uringfs.ratio->verdict, "faster");
  EXPECT_FALSE(report.workloads[0].results[0].ratio.has_value());
  EXPECT_DOUBLE_EQ(MedianOf(uringfs, OpsOf).value(), 400);
  EXPECT_DOUBLE_EQ(MedianOf(uringfs, DeviceBytesPerUserByteOf).value(), 2);
}

TEST(ReportTest, ALatencyIsASpeedTheOtherWayRound) {
  Report report = ReportOf({100, 100, 100}, {200, 200, 200});
  report.workloads[0].metric = "p99_us";
  Judge(&report.workloads[0]);
  EXPECT_NEAR(report.workloads[0].results[1].ratio.value().median, 2, 1e-9);
}

TEST(ReportTest, RoundsThatAreMissingAreNotHeldAgainstOthers) {
  const Report report = ReportOf({100, 200, 400}, {200});
  EXPECT_THAT(report.workloads[0].results[1].ratio.value().rounds,
              ElementsAre(2));
  EXPECT_FALSE(ReportOf({100}, {}).workloads[0].results[1].ratio.has_value());
}

TEST(ReportTest, WhatOneRoundLacksIsLeftOutOfBoth) {
  Report report = ReportOf({100, 200, 400}, {200, 0, 800});
  EXPECT_THAT(report.workloads[0].results[1].ratio.value().rounds,
              ElementsAre(2, 2));
  report = ReportOf({100, 0, 400}, {200, 300, 800});
  EXPECT_THAT(report.workloads[0].results[1].ratio.value().rounds,
              ElementsAre(2, 2));
}

TEST(ReportTest, LimitsAreOfOperationsOrOfBytes) {
  Report report = ReportOf({100, 100, 100}, {200, 200, 200});
  WorkloadResult& workload = report.workloads[0];
  EXPECT_FALSE(PartOfLimit(workload, workload.results[1]).has_value());
  workload.limit = {"durable overwrites", 400};
  EXPECT_DOUBLE_EQ(PartOfLimit(workload, workload.results[1]).value(), 0.5);
  workload.limit->is_of_bytes = true;
  EXPECT_DOUBLE_EQ(PartOfLimit(workload, workload.results[1]).value(), 50);
}

TEST(ReportTest, WhatIsWrittenIsReadAgain) {
  Report report = ReportOf({100, 200, 400}, {200, 400, 801});
  report.disk.device = "vda";
  report.workloads[0].limit = {"x", 3};
  report.workloads[0].results[1].doubts = {"\"odd\" \xff </script>"};
  report.workloads[0].results[1].latency = {{1, 2, 3}};
  const std::string json = ToJson(report);
  Report again;
  std::string error;
  ASSERT_TRUE(FromJson(json, &again, &error)) << error;
  EXPECT_TRUE(again.is_complete);
  EXPECT_EQ(again.baseline(), "posix");
  const CandidateResult& uringfs = again.workloads.at(0).results.at(1);
  EXPECT_EQ(uringfs.ratio.value().rounds,
            report.workloads[0].results[1].ratio->rounds);
  EXPECT_EQ(uringfs.latency.at(0).count, 3u);
  EXPECT_EQ(uringfs.doubts.size(), 1u);
}

TEST(ReportTest, OtherFilesAreRefused) {
  Report report;
  std::string error;
  for (const char* text : {"", "{", "[]", "{\"format\": 2}", "{\"format\": 1}",
                           "{\"format\": 1, \"complete\": 7}"}) {
    error.clear();
    EXPECT_FALSE(FromJson(text, &report, &error)) << text;
    EXPECT_FALSE(error.empty());
  }
}

TEST(ReportTest, ThePageHoldsTheReportAndNothingEndsItsScript) {
  Report report = ReportOf({1, 1, 1}, {1, 1, 1});
  report.notes = {"</script><b>/*SCRIPT*/"};
  const std::string page = PageOf(ToJson(report));
  EXPECT_THAT(page, HasSubstr("\"baseline\": \"posix\""));
  EXPECT_THAT(page, Not(HasSubstr("</script><b>")));
  EXPECT_THAT(page, HasSubstr("\\u003c/script>\\u003cb>"))
      << "it is there, and harmless";
  EXPECT_THAT(page, Not(HasSubstr("/*STYLE*/")));
}

TEST(ReportTest, NewIsHeldAgainstOldByWhatEachIsToItsBaseline) {
  // The machine became twice as fast, uringfs did not.
  const Report old = ReportOf({100, 101, 99, 100}, {200, 201, 199, 202});
  const Report now = ReportOf({200, 201, 199, 200}, {200, 202, 198, 201});
  const std::vector<Change> changes = ChangesOf(old, now);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].candidate, "uringfs");
  EXPECT_NEAR(changes[0].ratio.median, 0.5, 0.02);
  EXPECT_EQ(changes[0].ratio.verdict, "slower");
  EXPECT_EQ(ChangesOf(old, old)[0].ratio.verdict, "no difference");
  Report other = now;
  other.workloads[0].name = "another";
  EXPECT_THAT(ChangesOf(old, other), IsEmpty());
}

class DoubtsTest : public testing::Test {
 protected:
  DoubtsTest() {
    workload_.sync_every = 1;
    round_.operations = 10000;
    round_.device_writes = 10050;
    round_.device_flushes = 10050;
    disk_.write_cache = "write back";
  }

  std::vector<std::string> Doubts() const {
    return DoubtsOf(workload_, round_, disk_, limits_);
  }

  Workload workload_;
  Round round_;
  DiskFacts disk_;
  std::optional<DiskLimits> limits_;
};

TEST_F(DoubtsTest, RealSyncsRaiseNone) { EXPECT_THAT(Doubts(), IsEmpty()); }

TEST_F(DoubtsTest, AWriteForEachSyncIsNeeded) {
  round_.device_writes = 500;
  ASSERT_EQ(Doubts().size(), 1u);
  EXPECT_THAT(Doubts()[0], HasSubstr("500 writes"));
}

TEST_F(DoubtsTest, AndAFlushWhereTheCacheIsVolatile) {
  round_.device_flushes = 500;
  ASSERT_EQ(Doubts().size(), 1u);
  EXPECT_THAT(Doubts()[0], HasSubstr("500 flushes"));
  disk_.has_fua = true;
  EXPECT_THAT(Doubts(), IsEmpty()) << "a write may carry its own";
  disk_.has_fua = false;
  disk_.write_cache = "write through";
  EXPECT_THAT(Doubts(), IsEmpty()) << "there is nothing to flush";
}

TEST_F(DoubtsTest, ThreadsMayShareASync) {
  round_.device_writes = round_.device_flushes = 700;
  workload_.run = {"--threads=16"};
  EXPECT_THAT(Doubts(), IsEmpty());
  workload_.run = {"--threads=4"};
  EXPECT_THAT(Doubts(), Not(IsEmpty()));
}

TEST_F(DoubtsTest, NothingIsAskedOfUnsyncedPuts) {
  round_.device_writes = round_.device_flushes = 0;
  workload_.sync_every = 0;
  EXPECT_THAT(Doubts(), IsEmpty());
  workload_.sync_every = 10;
  EXPECT_THAT(Doubts(), Not(IsEmpty()));
}

TEST_F(DoubtsTest, ItNeedNotBeMoreThanTheRunsOwn) {
  // The last group may not have been acknowledged.
  round_.device_writes = round_.device_flushes = 9500;
  EXPECT_THAT(Doubts(), IsEmpty());
  round_.device_writes = round_.device_flushes = 9499;
  EXPECT_EQ(Doubts().size(), 2u);
  workload_.sync_every = 10;
  round_.device_writes = round_.device_flushes = 950;
  EXPECT_THAT(Doubts(), IsEmpty());
  round_.device_flushes = 949;
  EXPECT_EQ(Doubts().size(), 1u);
}

// Not even where others keep it so busy that its counters prove nothing.
TEST_F(DoubtsTest, ADiskCannotBeOutrun) {
  limits_.emplace();
  limits_->durable_overwrite.fastest_us = 100;
  limits_->flush.fastest_us = 90;
  round_.p50_us = 36;
  EXPECT_THAT(Doubts(), IsEmpty());
  round_.p50_us = 35.9;
  ASSERT_EQ(Doubts().size(), 1u);
  EXPECT_THAT(Doubts()[0], HasSubstr("90.0 us"));
  round_.device_writes.reset();
  round_.device_flushes.reset();
  EXPECT_EQ(Doubts().size(), 1u);
  limits_->durable_overwrite.fastest_us = 0;
  EXPECT_THAT(Doubts(), IsEmpty()) << "it was not measured";
}

TEST(NotesTest, WhatIsNoDiskIsNamed) {
  DiskFacts disk;
  disk.file_system = "tmpfs";
  EXPECT_THAT(NotesOn(disk, std::nullopt), ElementsAre(HasSubstr("tmpfs")));
  disk.file_system = "ext4";
  EXPECT_THAT(NotesOn(disk, std::nullopt),
              ElementsAre(HasSubstr("no counters")));
  disk.device = "vda";
  EXPECT_THAT(NotesOn(disk, std::nullopt), IsEmpty());
  std::optional<DiskLimits> limits(std::in_place);
  limits->flush.p50_us = 9;
  EXPECT_THAT(NotesOn(disk, limits), ElementsAre(HasSubstr("9.0 us")));
  limits->flush.p50_us = 10;
  EXPECT_THAT(NotesOn(disk, limits), IsEmpty());
}

TEST(FaultsTest, AReportThatLacksSomethingIsNoSuccessor) {
  const Report old = ReportOf({100, 101, 99}, {200, 201, 199});
  Report now = old;
  EXPECT_THAT(FaultsOf(old, now), IsEmpty());
  EXPECT_EQ(NotesOnBoth(old, now), "");
  now.preset = "full";
  EXPECT_THAT(NotesOnBoth(old, now), HasSubstr("presets"));
  now.workloads[0].results[1].doubts = {"odd"};
  EXPECT_THAT(FaultsOf(old, now), ElementsAre("fill, uringfs: odd"));
  now.workloads[0].results[1].doubts.clear();
  now.workloads[0].results[1].rounds.clear();
  EXPECT_THAT(FaultsOf(old, now),
              ElementsAre("the newer report lacks fill of uringfs"));
  now = old;
  now.is_complete = false;
  EXPECT_THAT(FaultsOf(old, now), ElementsAre(HasSubstr("incomplete")));
}

TEST(TableTest, NumbersHaveThreeDigitsThatCount) {
  EXPECT_EQ(Short(0), "0");
  EXPECT_EQ(Short(0.0421), "0.042");
  EXPECT_EQ(Short(1.234), "1.23");
  EXPECT_EQ(Short(45.67), "45.7");
  EXPECT_EQ(Short(999), "999");
  EXPECT_EQ(Short(1234567), "1,234,567");
}

TEST(TableTest, LossesAndDoubtsAreNotToBeOverlooked) {
  Report report = ReportOf({100, 101, 102}, {50, 51, 50});
  report.workloads[0].results[1].doubts = {"its syncs are not real"};
  const std::string table = TableOf(report.workloads[0]);
  EXPECT_THAT(table, HasSubstr("SLOWER"));
  EXPECT_THAT(table, HasSubstr("!! its syncs are not real"));
}

}  // namespace
}  // namespace uringfs::bench
