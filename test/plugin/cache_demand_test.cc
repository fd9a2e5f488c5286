// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Which files are to be read into the page cache. There are none behind these
// names, so that whatever is asked for is passed over.

#include "plugin/cache_demand.h"

#include <ctime>
#include <memory>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

constexpr uint64_t kBytes = uint64_t{2} << 20;
constexpr int64_t kNow = 1000;

CacheDemand Make(uint64_t max_bytes = 0) {
  return CacheDemand(UringFsOptions(), std::make_shared<FsStats>(), max_bytes);
}

// Of a file of earlier times, which is unknown unless it was closed here.
std::shared_ptr<FileHeat> HeatOf(CacheDemand* demand, const std::string& path) {
  return demand->Opened(path, {});
}

bool IsWantedWhenClosed(CacheDemand* demand, const std::string& path,
                        int64_t now) {
  demand->Closed(path, kBytes, false, now);
  return HeatOf(demand, path)->heat != Heat::kCold;
}

TEST(CacheDemandTest, ReadsCountForAWhile) {
  CacheDemand demand = Make();
  EXPECT_FALSE(IsWantedWhenClosed(&demand, "/no/1", kNow));
  demand.Read(kNow);
  EXPECT_TRUE(IsWantedWhenClosed(&demand, "/no/2", kNow));
  EXPECT_TRUE(
      IsWantedWhenClosed(&demand, "/no/3", kNow + CacheDemand::kLasts - 1));
  EXPECT_FALSE(
      IsWantedWhenClosed(&demand, "/no/4", kNow + CacheDemand::kLasts));
}

TEST(CacheDemandTest, WhileUsersReadFilesAreWrittenThroughTheCache) {
  CacheDemand demand = Make();
  EXPECT_FALSE(demand.WantsCached(kNow));
  demand.Read(kNow);
  EXPECT_TRUE(demand.WantsCached(kNow));
  EXPECT_FALSE(demand.WantsCached(kNow + CacheDemand::kLasts));
  // One that went through it is there, and is not read in again.
  demand.Closed("/no/1", kBytes, true, kNow);
  EXPECT_EQ(HeatOf(&demand, "/no/1")->heat, Heat::kWarm);
}

TEST(CacheDemandTest, WithoutMemoryFilesAreWrittenRoundTheCache) {
  CacheDemand demand = Make(CacheDemand::kUsualBytes + kBytes);
  demand.Read(kNow);
  demand.Closed("/no/1", kBytes, true, kNow);
  EXPECT_TRUE(demand.WantsCached(kNow));
  demand.Closed("/no/2", kBytes, true, kNow);
  EXPECT_FALSE(demand.WantsCached(kNow));
  demand.Forget("/no/1");
  EXPECT_TRUE(demand.WantsCached(kNow));
}

// However long ago the file before was closed.
TEST(CacheDemandTest, AReadLongAgoCountsForNothing) {
  CacheDemand demand = Make();
  demand.Read(kNow);
  EXPECT_FALSE(IsWantedWhenClosed(&demand, "/no/1", kNow + 18000));
}

TEST(CacheDemandTest, WhatWentThroughTheCacheIsNoConcern) {
  CacheDemand demand = Make();
  demand.Closed("/no/1", UringFsOptions().data_cached_bytes, false);
  EXPECT_EQ(HeatOf(&demand, "/no/1"), nullptr);
  demand.Closed("/no/2", UringFsOptions().data_cached_bytes + 1, false);
  EXPECT_NE(HeatOf(&demand, "/no/2"), nullptr);
}

TEST(CacheDemandTest, AllTogetherTakeNoMoreThanTheyMay) {
  CacheDemand demand = Make(3 * kBytes);
  for (const char* path : {"/no/1", "/no/2", "/no/3", "/no/4"}) {
    demand.Closed(path, kBytes, false);
  }
  // As it is when they have been read in.
  for (const char* path : {"/no/1", "/no/2"}) {
    HeatOf(&demand, path)->heat = Heat::kWarm;
  }
  const auto small = HeatOf(&demand, "/no/3");
  small->bytes = kBytes + 1;
  demand.Want("/no/3", small);
  EXPECT_EQ(small->heat, Heat::kPassedOver);
  EXPECT_EQ(HeatOf(&demand, "/no/4")->heat, Heat::kCold);
  demand.Forget("/no/1");
  small->heat = Heat::kCold;
  HeatOf(&demand, "/no/4")->heat = Heat::kPassedOver;
  demand.Want("/no/3", small);
  // There is no such file; but it was asked for.
  while (small->heat == Heat::kWaiting) {
    std::this_thread::yield();
  }
  EXPECT_EQ(small->heat, Heat::kPassedOver);
}

TEST(CacheDemandTest, OldFilesAndGoneOnesAreForgotten) {
  CacheDemand demand = Make();
  const auto close_others = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      demand.Closed("/no/" + std::to_string(i), kBytes, false);
    }
  };
  demand.Closed("first", kBytes, false);
  demand.Closed("second", kBytes, false);
  demand.Forget("second");
  EXPECT_EQ(HeatOf(&demand, "second"), nullptr);
  close_others(CacheDemand::kMaxFiles - 1);
  EXPECT_NE(HeatOf(&demand, "first"), nullptr);
  // One that comes again is as young as any.
  demand.Closed("first", kBytes, false);
  close_others(CacheDemand::kMaxFiles - 1);
  EXPECT_NE(HeatOf(&demand, "first"), nullptr);
  demand.Closed("last", kBytes, false);
  EXPECT_EQ(HeatOf(&demand, "first"), nullptr);
  EXPECT_NE(HeatOf(&demand, "/no/0"), nullptr);
}

TEST(CacheDemandTest, ForeignFilesAreRememberedToo) {
  CacheDemand demand = Make();
  struct stat stat = {};
  stat.st_mtime = ::time(nullptr);
  stat.st_size = kBytes;
  const auto file = demand.Opened("/no/1", stat);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->memory, CacheMemory::kUnused);
  EXPECT_EQ(demand.Opened("/no/1", stat), file);
  stat.st_mtime = 1;
  EXPECT_EQ(demand.Opened("/no/2", stat), nullptr);
}

TEST(CacheDemandTest, OnRequestForeignFilesAreLeftAlone) {
  UringFsOptions options;
  options.data_cache = DataCache::kWarm;
  CacheDemand demand(options, std::make_shared<FsStats>());
  struct stat stat = {};
  stat.st_mtime = ::time(nullptr);
  EXPECT_EQ(demand.Opened("/no/1", stat), nullptr);
}

}  // namespace
}  // namespace uringfs::test
