// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// data_cache: what was written round the page cache is in it all the same, soon
// after the file was closed, or once users read it.

#include "plugin/cache_warmer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

constexpr auto kUser = rocksdb::Env::IO_TOTAL;
constexpr auto kCompaction = rocksdb::Env::IO_LOW;

// Whole blocks, `times`: always the same one, or onward through the file.
void Read(rocksdb::FSRandomAccessFile* file, size_t times,
          rocksdb::Env::IOPriority priority, bool goes_on = false) {
  rocksdb::IOOptions io;
  io.rate_limiter_priority = priority;
  std::string scratch(4096, '?');
  for (size_t i = 0; i < times; ++i) {
    rocksdb::Slice got;
    ASSERT_TRUE(file->Read(8192 + (goes_on ? i * scratch.size() : 0),
                           scratch.size(), io, &got, scratch.data(), nullptr)
                    .ok());
    ASSERT_EQ(got.ToString(), std::string(scratch.size(), 'x'));
  }
}

// Enough for it to be wanted. The first read does not jump back.
constexpr size_t kEnough = DemandReader::kReads + 2;

std::shared_ptr<FileHeat> Cold() { return std::make_shared<FileHeat>(); }

// Half a minute long.
template <class Condition>
bool Eventually(const Condition& condition) {
  for (int tries = 0; tries < 3000; ++tries) {
    if (condition()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

bool BecomesWarm(const FileHeat& file) {
  return Eventually([&] { return file.heat == Heat::kWarm; });
}

bool GetsWarm(const std::string& path) {
  return Eventually([&] { return ResidentBytes(path) == kBytes; });
}

class CacheWarmerTest : public testing::Test {
 protected:
  // Cold files can be told from warm ones here.
  void SetUp() override {
    Make(DataCache::kNone);
    std::unique_ptr<rocksdb::FSWritableFile> file;
    if (!fs_->NewWritableFile(Path("first.sst"), {}, &file, nullptr).ok()) {
      GTEST_SKIP() << "no direct I/O here";
    }
    Write("000001.sst");
    if (ResidentBytes(Path("000001.sst")) > 0) {
      GTEST_SKIP() << "nobody tells what is cached";
    }
  }

  void Make(DataCache policy) { fs_ = MakeUringFs(With(policy)); }

  void Write(const std::string& name) { WriteTable(fs_.get(), Path(name)); }

  std::unique_ptr<rocksdb::FSRandomAccessFile> Open(
      const std::string& name, const rocksdb::FileOptions& options = {}) {
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    EXPECT_TRUE(
        fs_->NewRandomAccessFile(Path(name), options, &file, nullptr).ok());
    return file;
  }

  // Whether it is not on its way into the cache either: one that is asked for
  // now is there, and this one still is not.
  bool StaysCold(const std::string& name) {
    WriteTable(cold_.get(), Path("000099.sst"));
    EXPECT_LT(ResidentBytes(Path("000099.sst")), kBytes);
    const auto marker = Cold();
    CacheWarmer::OfProcess().Warm(Path("000099.sst"), marker);
    return BecomesWarm(*marker) && ResidentBytes(Path(name)) < kBytes;
  }

  std::string Path(const std::string& name) const { return dir_.File(name); }

  const TempDir dir_;
  std::shared_ptr<rocksdb::FileSystem> fs_;

 private:
  // Direct from the first byte on.
  static UringFsOptions With(DataCache policy) {
    UringFsOptions options;
    options.direct_io = DirectIo::kRequired;
    options.data_cache = policy;
    return options;
  }

  const std::shared_ptr<rocksdb::FileSystem> cold_ =
      MakeUringFs(With(DataCache::kNone));
};

TEST_F(CacheWarmerTest, AClosedTableGetsWarm) {
  Make(DataCache::kWarm);
  Write("000002.sst");
  EXPECT_TRUE(GetsWarm(Path("000002.sst")));
}

TEST_F(CacheWarmerTest, WhatIsGoneOrIsNoFileHoldsNothingUp) {
  CacheWarmer& warmer = CacheWarmer::OfProcess();
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  std::vector<std::shared_ptr<FileHeat>> files;
  for (const std::string& path :
       {Path("no_such_file"), dir_.path(), Path("fifo")}) {
    files.push_back(Cold());
    warmer.Warm(path, files.back());
  }
  const auto file = Cold();
  warmer.Warm(Path("000001.sst"), file);
  EXPECT_TRUE(BecomesWarm(*file));
  EXPECT_EQ(ResidentBytes(Path("000001.sst")), kBytes);
  for (const auto& other : files) {
    EXPECT_EQ(other->heat, Heat::kPassedOver);
  }
}

TEST_F(CacheWarmerTest, WhatNobodyKnowsAnyMoreIsNotRead) {
  Write("000002.sst");
  CacheWarmer::OfProcess().Warm(Path("000002.sst"), Cold());
  EXPECT_TRUE(StaysCold("000002.sst"));
}

TEST_F(CacheWarmerTest, AFullQueueEmptiesAgain) {
  std::vector<std::shared_ptr<FileHeat>> files;
  CacheWarmer& warmer = CacheWarmer::OfProcess();
  for (size_t i = 0; i < 100 * CacheWarmer::kMaxWaiting && warmer.HasRoom();
       ++i) {
    files.push_back(Cold());
    warmer.Warm(Path("no_such_file"), files.back());
  }
  const auto file = Cold();
  if (!warmer.HasRoom()) {
    warmer.Warm(Path("000001.sst"), file);
  }
  // Asked for when there is room it is read, whatever became of the others.
  while (!warmer.HasRoom()) {
    std::this_thread::yield();
  }
  warmer.Warm(Path("000001.sst"), file);
  EXPECT_TRUE(BecomesWarm(*file));
}

TEST_F(CacheWarmerTest, WhatNobodyReadsStaysCold) {
  Make(DataCache::kAuto);
  Write("000002.sst");
  Read(Open("000002.sst").get(), DemandReader::kReads, kUser);
  Read(Open("000002.sst").get(), 100, kCompaction);
  // As compactions do whose priority was lost on the way.
  Read(Open("000002.sst").get(), 100, kUser, /*goes_on=*/true);
  Write("000003.sst");
  EXPECT_TRUE(StaysCold("000002.sst"));
  EXPECT_TRUE(StaysCold("000003.sst"));
}

TEST_F(CacheWarmerTest, WhatUsersReadGetsWarmAndSoDoesWhatIsClosedThen) {
  Make(DataCache::kAuto);
  Write("000002.sst");
  Write("000003.sst");
  Read(Open("000002.sst").get(), kEnough, kUser);
  EXPECT_TRUE(GetsWarm(Path("000002.sst")));
  EXPECT_TRUE(StaysCold("000003.sst"));
  Write("000004.sst");
  EXPECT_TRUE(GetsWarm(Path("000004.sst")));
  const auto& fs = static_cast<const UringFileSystem&>(*fs_);
  Eventually([&] { return fs.Totals().warmed_bytes >= 2 * kBytes; });
  EXPECT_EQ(fs.Totals().warmed_bytes, 2 * kBytes);
}

// Where direct I/O is no must.
TEST_F(CacheWarmerTest, WhatIsWrittenWhileUsersReadIsInTheCacheAtOnce) {
  for (const DataCache policy : {DataCache::kAuto, DataCache::kWarm}) {
    UringFsOptions options;
    options.data_cache = policy;
    fs_ = MakeUringFs(options);
    Write("000002.sst");
    EXPECT_EQ(ResidentBytes(Path("000002.sst")) == kBytes,
              policy == DataCache::kWarm);
    Read(Open("000002.sst").get(), kEnough, kUser);
    Write("000003.sst");
    EXPECT_EQ(ResidentBytes(Path("000003.sst")), kBytes);
    Write("000004.blob");
    EXPECT_EQ(ResidentBytes(Path("000004.blob")), kBytes);
    const auto& fs = static_cast<const UringFileSystem&>(*fs_);
    EXPECT_EQ(fs.Totals().base_files, policy == DataCache::kWarm ? 3u : 2u);
    EXPECT_EQ(fs.Totals().unbuffered_files, 0u);
    // Nobody reads it in once more.
    Read(Open("000003.sst").get(), kEnough, kUser);
    ASSERT_TRUE(GetsWarm(Path("000002.sst")));
    EXPECT_LE(fs.Totals().warmed_bytes, kBytes);
  }
}

// By another name it is the same file; and by an old name another one.
TEST_F(CacheWarmerTest, ANameIsNotAFile) {
  Make(DataCache::kAuto);
  const rocksdb::IOOptions io;
  Write("000002.sst");
  Write("000003.sst");
  Read(Open("000002.sst").get(), kEnough, kUser);
  ASSERT_TRUE(GetsWarm(Path("000002.sst")));
  ASSERT_TRUE(
      fs_->RenameFile(Path("000003.sst"), Path("000002.sst"), io, nullptr)
          .ok());
  EXPECT_TRUE(StaysCold("000002.sst"));
  ASSERT_TRUE(
      fs_->LinkFile(Path("000002.sst"), Path("000005.sst"), io, nullptr).ok());
  const timespec times[2] = {{0, UTIME_OMIT}, {946684800, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, Path("000005.sst").c_str(), times, 0), 0);
  Read(Open("000005.sst").get(), kEnough, kUser);
  EXPECT_TRUE(GetsWarm(Path("000005.sst")));
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
  Read(Open("000003.sst").get(), kEnough, kUser);
  EXPECT_TRUE(StaysCold("000003.sst"));
  Read(Open("000002.sst").get(), kEnough, kUser);
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
      const auto& warmth = static_cast<const DemandReader&>(*reader.target());
      EXPECT_TRUE(Eventually([&] { return warmth.is_warm(); }));
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

// Other threads of the parent may hold what the child would wait for.
TEST_F(CacheWarmerTest, AChildOfForkReads) {
  Make(DataCache::kAuto);
  Write("000002.sst");
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        Open("000002.sst");
      }
    });
  }
  int failed = 0;
  for (int i = 0; i < 400 && failed == 0; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(10);  // ends it if it hangs
      std::unique_ptr<rocksdb::FSRandomAccessFile> file;
      const bool is_ok =
          fs_->NewRandomAccessFile(Path("000002.sst"), rocksdb::FileOptions(),
                                   &file, nullptr)
              .ok();
      ::_exit(is_ok ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    failed += status != 0 ? 1 : 0;
  }
  stop = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace uringfs::test
