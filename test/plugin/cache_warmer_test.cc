// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// data_cache: what was written round the page cache is in it all the same, soon
// after the file was closed, or once users read it.

#include "plugin/cache_warmer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "plugin/cache_demand.h"
#include "plugin/compaction_reader.h"
#include "plugin/file_system.h"
#include "test/plugin/file_systems.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

constexpr size_t kBytes = 3 << 20;

// Asks and reads nothing, which could bring it in. Tells all for files that
// are not the caller's.
size_t ResidentBytes(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  void* const memory = ::mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  if (memory == MAP_FAILED) {
    return 0;
  }
  std::vector<unsigned char> pages(kBytes / 4096);
  const int result = ::mincore(memory, kBytes, pages.data());
  ::munmap(memory, kBytes);
  return result != 0 ? 0
                     : 4096 * static_cast<size_t>(std::count_if(
                                  pages.begin(), pages.end(),
                                  [](unsigned char page) { return page & 1; }));
}

void WriteTable(rocksdb::FileSystem* fs, const std::string& path) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  const rocksdb::IOOptions io;
  ASSERT_TRUE(
      fs->NewWritableFile(path, rocksdb::FileOptions(), &file, nullptr).ok());
  ASSERT_TRUE(file->Append(std::string(kBytes, 'x'), io, nullptr).ok());
  ASSERT_TRUE(file->Sync(io, nullptr).ok());
  ASSERT_TRUE(file->Close(io, nullptr).ok());
}

constexpr auto kMemory = CacheWarmer::Memory::kReclaimable;
constexpr auto kUser = rocksdb::Env::IO_TOTAL;
constexpr auto kCompaction = rocksdb::Env::IO_LOW;

// `times` a block, always the same one.
void Read(rocksdb::FSRandomAccessFile* file, size_t times,
          rocksdb::Env::IOPriority priority) {
  rocksdb::IOOptions io;
  io.rate_limiter_priority = priority;
  std::string scratch(4096, '?');
  for (size_t i = 0; i < times; ++i) {
    rocksdb::Slice got;
    ASSERT_TRUE(
        file->Read(8192, scratch.size(), io, &got, scratch.data(), nullptr)
            .ok());
    ASSERT_EQ(got.ToString(), std::string(scratch.size(), 'x'));
  }
}

bool GetsWarm(const std::string& path) {
  for (int tries = 0; tries < 3000; ++tries) {
    if (ResidentBytes(path) == kBytes) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

class CacheWarmerTest : public testing::Test {
 protected:
  // Cold files can be told from warm ones here.
  void SetUp() override {
    Make(DataCache::kNone);
    Write("000001.sst");
    if (ResidentBytes(Path("000001.sst")) > 0) {
      GTEST_SKIP() << "this file system does not tell what is cached";
    }
  }

  void Make(DataCache policy) {
    UringFsOptions options;
    options.direct_io = DirectIo::kRequired;
    options.data_cache = policy;
    fs_ = MakeUringFs(options);
  }

  void Write(const std::string& name) { WriteTable(fs_.get(), Path(name)); }

  std::unique_ptr<rocksdb::FSRandomAccessFile> Open(
      const std::string& name, const rocksdb::FileOptions& options = {}) {
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    EXPECT_TRUE(
        fs_->NewRandomAccessFile(Path(name), options, &file, nullptr).ok());
    return file;
  }

  // Whether nothing but what is there already is on its way into the cache:
  // one that is asked for later is warm, and this one is not.
  bool StaysCold(const std::string& name) {
    const auto heat = std::make_shared<std::atomic<Heat>>(Heat::kCold);
    WriteTable(cold_.get(), Path("marker"));
    CacheWarmer::OfProcess().Warm(Path("marker"), heat, kMemory);
    return GetsWarm(Path("marker")) && ResidentBytes(Path(name)) < kBytes;
  }

  std::string Path(const std::string& name) const { return dir_.File(name); }

  const TempDir dir_;
  std::shared_ptr<rocksdb::FileSystem> fs_;

 private:
  static UringFsOptions Cold() {
    UringFsOptions options;
    options.data_cache = DataCache::kNone;
    return options;
  }

  const std::shared_ptr<rocksdb::FileSystem> cold_ = MakeUringFs(Cold());
};

TEST_F(CacheWarmerTest, AClosedTableGetsWarm) {
  Make(DataCache::kWarm);
  Write("000002.sst");
  EXPECT_TRUE(GetsWarm(Path("000002.sst")));
}

TEST_F(CacheWarmerTest, WhatIsGoneOrIsNoFileHoldsNothingUp) {
  CacheWarmer& warmer = CacheWarmer::OfProcess();
  const auto cold = [] {
    return std::make_shared<std::atomic<Heat>>(Heat::kCold);
  };
  for (size_t i = 0; i < 2 * CacheWarmer::kMaxWaiting; ++i) {
    warmer.Warm(Path("no_such_file"), cold(), kMemory);
    warmer.Warm(dir_.path(), cold(), kMemory);
  }
  const auto heat = cold();
  warmer.Warm(Path("000001.sst"), heat, kMemory);
  EXPECT_TRUE(GetsWarm(Path("000001.sst")));
  while (*heat != Heat::kWarm) {
    std::this_thread::yield();
  }
}

TEST_F(CacheWarmerTest, WhatNobodyReadsStaysCold) {
  Make(DataCache::kAuto);
  Write("000002.sst");
  Read(Open("000002.sst").get(), DemandReader::kReads, kUser);
  Read(Open("000002.sst").get(), 100, kCompaction);
  Write("000003.sst");
  EXPECT_TRUE(StaysCold("000002.sst"));
  EXPECT_TRUE(StaysCold("000003.sst"));
}

TEST_F(CacheWarmerTest, WhatUsersReadGetsWarmAndSoDoesWhatIsClosedThen) {
  Make(DataCache::kAuto);
  Write("000002.sst");
  Write("000003.sst");
  Read(Open("000002.sst").get(), DemandReader::kReads + 1, kUser);
  EXPECT_TRUE(GetsWarm(Path("000002.sst")));
  EXPECT_TRUE(StaysCold("000003.sst"));
  Write("000004.sst");
  EXPECT_TRUE(GetsWarm(Path("000004.sst")));
}

TEST_F(CacheWarmerTest, ManyReadsAtOnceCount) {
  Make(DataCache::kAuto);
  Write("000002.blob");
  const auto file = Open("000002.blob");
  std::vector<char> scratch(2 * DemandReader::kReads);
  for (int times = 0; times < 2; ++times) {
    std::vector<rocksdb::FSReadRequest> requests(DemandReader::kReads);
    for (size_t i = 0; i < requests.size(); ++i) {
      requests[i].offset = i;
      requests[i].len = 1;
      requests[i].scratch = &scratch[i];
    }
    ASSERT_TRUE(file->MultiRead(requests.data(), requests.size(),
                                rocksdb::IOOptions(), nullptr)
                    .ok());
    ASSERT_EQ(requests[3].result.ToString(), "x");
  }
  EXPECT_TRUE(GetsWarm(Path("000002.blob")));
}

TEST_F(CacheWarmerTest, WhoReadsRoundTheCacheWantsNothingInIt) {
  Make(DataCache::kAuto);
  Write("000002.sst");
  rocksdb::FileOptions direct;
  direct.use_direct_reads = true;
  const auto file = Open("000002.sst", direct);
  // Direct reads need memory that is aligned.
  alignas(4096) static char scratch[4096];
  for (size_t i = 0; i < 3 * DemandReader::kReads; ++i) {
    rocksdb::Slice got;
    ASSERT_TRUE(file->Read(4096, sizeof(scratch), rocksdb::IOOptions(), &got,
                           scratch, nullptr)
                    .ok());
  }
  Write("000003.sst");
  EXPECT_TRUE(StaysCold("000002.sst"));
  EXPECT_TRUE(StaysCold("000003.sst"));
}

// As those that another process has written. On posix they would be in the
// cache, unless the machine was started since.
TEST_F(CacheWarmerTest, FilesOfOthersGetWarmIfTheyAreOfThisBoot) {
  Write("000002.sst");
  Write("000003.sst");
  const timespec times[2] = {{0, UTIME_OMIT}, {946684800, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, Path("000003.sst").c_str(), times, 0), 0);
  Make(DataCache::kAuto);
  Read(Open("000003.sst").get(), 10 * DemandReader::kReads, kUser);
  EXPECT_TRUE(StaysCold("000003.sst"));
  Read(Open("000002.sst").get(), 10 * DemandReader::kReads, kUser);
  EXPECT_TRUE(GetsWarm(Path("000002.sst")));
}

// Compactions go round the cache only where it has nothing for them.
TEST_F(CacheWarmerTest, CompactionsReadWarmFilesFromTheCache) {
  for (const DataCache policy : {DataCache::kNone, DataCache::kWarm}) {
    Make(policy);
    Write("000002.sst");
    const auto file = Open("000002.sst");
    if (policy == DataCache::kWarm) {
      ASSERT_TRUE(GetsWarm(Path("000002.sst")));
      const auto& reader = static_cast<const CompactionReader&>(*file);
      while (!static_cast<const DemandReader*>(reader.target())->is_warm()) {
        std::this_thread::yield();
      }
    }
    std::vector<char> scratch(kBytes);
    rocksdb::IOOptions io;
    io.rate_limiter_priority = kCompaction;
    rocksdb::Slice got;
    ASSERT_TRUE(file->Read(0, kBytes, io, &got, scratch.data(), nullptr).ok());
    ASSERT_EQ(got.size(), kBytes);
    const uint64_t ahead =
        static_cast<UringFileSystem*>(fs_.get())->Totals().read_ahead_bytes;
    if (policy == DataCache::kWarm) {
      EXPECT_EQ(ahead, 0u);
    } else if (ahead == 0) {
      GTEST_SKIP() << "io_uring is not to be had here";
    }
  }
}

TEST(CacheDemandTest, ReadsAreForgottenAfterAWhile) {
  using Clock = CacheDemand::Clock;
  CacheDemand demand(DataCache::kAuto);
  const auto heat_after = [&](const std::string& path, Clock::time_point now) {
    demand.Closed(path, now);
    return demand.HeatOf(path)->load();
  };
  const Clock::time_point begin = Clock::now();
  EXPECT_EQ(heat_after("/nowhere/1", begin), Heat::kCold);
  demand.Read();
  EXPECT_NE(heat_after("/nowhere/2", begin), Heat::kCold);
  EXPECT_NE(heat_after("/nowhere/3", begin + CacheDemand::kLasts / 2),
            Heat::kCold);
  EXPECT_EQ(heat_after("/nowhere/4", begin + CacheDemand::kLasts), Heat::kCold);
}

TEST(CacheDemandTest, OldFilesAndGoneOnesAreForgotten) {
  CacheDemand demand(DataCache::kAuto);
  demand.Closed("first");
  demand.Closed("second");
  demand.Forget("second");
  EXPECT_EQ(demand.HeatOf("second"), nullptr);
  EXPECT_NE(demand.HeatOf("first"), nullptr);
  for (size_t i = 0; i < CacheDemand::kMaxFiles - 1; ++i) {
    demand.Closed(std::to_string(i));
  }
  EXPECT_EQ(demand.HeatOf("first"), nullptr);
  EXPECT_NE(demand.HeatOf("0"), nullptr);
}

}  // namespace
}  // namespace uringfs::test
