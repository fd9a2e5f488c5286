// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Which data files are written through the page cache.

#include "plugin/page_cache.h"

#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plugin/base_file.h"
#include "plugin/file_system.h"
#include "test/plugin/evict.h"
#include "test/plugin/file_systems.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

constexpr size_t kBytes = 3 << 20;

void WriteFile(const std::string& path, size_t bytes) {
  std::ofstream(path) << std::string(bytes, 'x');
}

// Reads a part of a file through the cache.
void ReadIn(const std::string& path, off_t from, size_t bytes) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  std::string scratch(bytes, '?');
  EXPECT_EQ(::pread(fd, scratch.data(), bytes, from),
            static_cast<ssize_t>(bytes));
  ::close(fd);
}

TEST(PageCacheTest, HasWhatWasWrittenOrReadUntilItIsEvicted) {
  const TempDir dir;
  // One page, less than that, as many as are looked at, and a few more.
  for (const size_t bytes : {4096u, 10u, 64u * 4096, 70u * 4096 + 1}) {
    SCOPED_TRACE(bytes);
    const std::string path = dir.File("file");
    WriteFile(path, bytes);
    EXPECT_TRUE(IsInPageCache(path));
    EvictFromCache(path);
    EXPECT_FALSE(IsInPageCache(path));
    EXPECT_FALSE(IsInPageCache(path)) << "a look reads nothing in";
    ReadIn(path, 0, bytes);
    EXPECT_TRUE(IsInPageCache(path));
  }
}

TEST(PageCacheTest, HasAFileIfItHasHalfOfIt) {
  const TempDir dir;
  const std::string path = dir.File("file");
  WriteFile(path, kBytes);
  EvictFromCache(path);
  ReadIn(path, kBytes / 4, kBytes / 3);
  EXPECT_FALSE(IsInPageCache(path));
  ReadIn(path, 0, kBytes / 2);
  EXPECT_TRUE(IsInPageCache(path));
}

TEST(PageCacheTest, HasNothingOfWhatCannotBeOpened) {
  const TempDir dir;
  EXPECT_FALSE(IsInPageCache(dir.File("missing")));
  WriteFile(dir.File("empty"), 0);
  EXPECT_TRUE(IsInPageCache(dir.File("empty"))) << "nothing is missing";
}

// Whether a file that a flush or compaction writes is left to the base.
bool GoesThroughCache(rocksdb::FileSystem* fs, const std::string& path,
                      rocksdb::FileOptions options = {}) {
  const auto base_files = [&] {
    return static_cast<UringFileSystem*>(fs)->Totals().base_files;
  };
  options.io_options.type = rocksdb::IOType::kData;
  const uint64_t before = base_files();
  std::unique_ptr<rocksdb::FSWritableFile> file;
  EXPECT_TRUE(fs->NewWritableFile(path, options, &file, nullptr).ok());
  return base_files() > before;
}

// A file that is not written, but asked for writeback, which fails from some
// offset on.
class AskedFile : public rocksdb::FSWritableFile {
 public:
  using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;
  explicit AskedFile(Ranges* ranges, uint64_t fails_from = UINT64_MAX)
      : ranges_(ranges), fails_from_(fails_from) {}

  using FSWritableFile::Append;
  rocksdb::IOStatus Append(const rocksdb::Slice&, const rocksdb::IOOptions&,
                           rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus RangeSync(uint64_t offset, uint64_t bytes,
                              const rocksdb::IOOptions&,
                              rocksdb::IODebugContext*) override {
    ranges_->emplace_back(offset, bytes);
    return offset + bytes > fails_from_ ? rocksdb::IOStatus::IOError("lost")
                                        : rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Close(const rocksdb::IOOptions&,
                          rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Flush(const rocksdb::IOOptions&,
                          rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions&,
                         rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
  uint64_t GetFileSize(const rocksdb::IOOptions&,
                       rocksdb::IODebugContext*) override {
    return 0;
  }

 private:
  Ranges* const ranges_;
  const uint64_t fails_from_;
};

const std::string kPiece(100'000, 'x');

TEST(WriteBackTest, OfADataFileBeginsEarlyAndMissesNothing) {
  AskedFile::Ranges ranges;
  const auto stats = std::make_shared<FsStats>();
  BaseFile file(std::make_unique<AskedFile>(&ranges), rocksdb::FileOptions());
  file.IsDataOf(stats);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(file.Append(kPiece, rocksdb::IOOptions(), nullptr).ok());
  }
  EXPECT_EQ(stats->Totals().cached_data_bytes, 2'000'000u);
  uint64_t end = 0;
  for (const auto& [offset, bytes] : ranges) {
    EXPECT_EQ(offset, end);
    EXPECT_LE(bytes, 700'000u);
    EXPECT_EQ(bytes % 4096, 0u) << "half a page would be written twice";
    end += bytes;
  }
  EXPECT_GT(end, 1'300'000u);
}

// The kernel tells of an error once.
TEST(WriteBackTest, AnErrorOfItIsOneOfTheAppend) {
  AskedFile::Ranges ranges;
  BaseFile file(std::make_unique<AskedFile>(&ranges, 1'000'000),
                rocksdb::FileOptions());
  file.IsDataOf(std::make_shared<FsStats>());
  int good = 0;
  while (good < 20 && file.Append(kPiece, rocksdb::IOOptions(), nullptr).ok()) {
    ++good;
  }
  EXPECT_GE(good, 9);
  EXPECT_LT(good, 20);
}

TEST(WriteBackTest, OfOthersIsTheirs) {
  AskedFile::Ranges ranges;
  rocksdb::FileOptions strict;
  strict.strict_bytes_per_sync = true;
  for (const bool is_data : {false, true}) {
    BaseFile file(std::make_unique<AskedFile>(&ranges),
                  is_data ? strict : rocksdb::FileOptions());
    if (is_data) {
      file.IsDataOf(std::make_shared<FsStats>());
    }
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(file.Append(kPiece, rocksdb::IOOptions(), nullptr).ok());
    }
  }
  EXPECT_TRUE(ranges.empty());
}

struct Case {
  DataCache policy;
  DirectIo direct_io;
  bool table;
  bool blob;
};

class DataCacheTest : public testing::TestWithParam<Case> {};

TEST_P(DataCacheTest, SaysWhichFilesGoThroughIt) {
  const TempDir dir;
  UringFsOptions options;
  options.data_cache = GetParam().policy;
  options.direct_io = GetParam().direct_io;
  const auto fs = MakeUringFs(options);
  EXPECT_EQ(GoesThroughCache(fs.get(), dir.File("000001.sst")),
            GetParam().table);
  EXPECT_EQ(GoesThroughCache(fs.get(), dir.File("000002.blob")),
            GetParam().blob);
}

INSTANTIATE_TEST_SUITE_P(
    All, DataCacheTest,
    testing::Values(Case{DataCache::kNone, DirectIo::kOptional, false, false},
                    Case{DataCache::kAuto, DirectIo::kOptional, true, false},
                    Case{DataCache::kAll, DirectIo::kOptional, true, true},
                    // Written by us all the same, through the cache.
                    Case{DataCache::kAll, DirectIo::kOff, false, false}));

TEST(DataCacheAutoTest, ADatabaseMayAskForDirectWrites) {
  for (const bool asks : {false, true}) {
    const TempDir dir;
    const auto fs = MakeUringFs(UringFsOptions());
    const auto env = rocksdb::NewCompositeEnv(fs);
    rocksdb::Options options;
    options.env = env.get();
    options.create_if_missing = true;
    options.use_direct_io_for_flush_and_compaction = asks;
    rocksdb::DB* made = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(options, dir.File("db"), &made).ok());
    const std::unique_ptr<rocksdb::DB> db(made);
    ASSERT_TRUE(db->Put({}, "key", std::string(100, 'v')).ok());
    ASSERT_TRUE(db->Flush({}).ok());
    const FsTotals totals = static_cast<UringFileSystem*>(fs.get())->Totals();
    EXPECT_EQ(totals.data.files, asks ? 1u : 0u);
    EXPECT_EQ(totals.cached_data_bytes == 0, asks);
  }
}

TEST(DataCacheAutoTest, WhatACompactionWritesIsAsWhatItReads) {
  const TempDir dir;
  const auto fs = MakeUringFs(UringFsOptions());
  const std::string input = dir.File("000001.sst");
  rocksdb::IOOptions tagged;
  tagged.rate_limiter_priority = rocksdb::Env::IO_LOW;
  const auto read = [&] {
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    ASSERT_TRUE(fs->NewRandomAccessFile(input, {}, &file, nullptr).ok());
    char scratch = 0;
    rocksdb::Slice got;
    ASSERT_TRUE(file->Read(5, 1, tagged, &got, &scratch, nullptr).ok());
  };
  WriteFile(input, kBytes);
  read();
  EXPECT_TRUE(GoesThroughCache(fs.get(), dir.File("000002.sst")));
  EvictFromCache(input);
  read();
  EXPECT_FALSE(GoesThroughCache(fs.get(), dir.File("000003.sst")));
}

}  // namespace
}  // namespace uringfs::test
