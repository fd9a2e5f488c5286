// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// data_cache=warm: what was written round the page cache is in it all the same,
// soon after the file was closed.

#include "plugin/cache_warmer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

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

void WriteTable(const UringFsOptions& options, const std::string& path) {
  const auto fs = MakeUringFs(options);
  std::unique_ptr<rocksdb::FSWritableFile> file;
  const rocksdb::IOOptions io;
  ASSERT_TRUE(
      fs->NewWritableFile(path, rocksdb::FileOptions(), &file, nullptr).ok());
  ASSERT_TRUE(file->Append(std::string(kBytes, 'x'), io, nullptr).ok());
  ASSERT_TRUE(file->Sync(io, nullptr).ok());
  ASSERT_TRUE(file->Close(io, nullptr).ok());
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
    options_.direct_io = DirectIo::kRequired;
    WriteTable(options_, dir_.File("000001.sst"));
    if (ResidentBytes(dir_.File("000001.sst")) > 0) {
      GTEST_SKIP() << "this file system does not tell what is cached";
    }
  }

  const TempDir dir_;
  UringFsOptions options_;
};

TEST_F(CacheWarmerTest, AClosedTableGetsWarm) {
  options_.data_cache = DataCache::kWarm;
  WriteTable(options_, dir_.File("000002.sst"));
  EXPECT_TRUE(GetsWarm(dir_.File("000002.sst")));
}

TEST_F(CacheWarmerTest, WhatIsGoneOrIsNoFileHoldsNothingUp) {
  CacheWarmer& warmer = CacheWarmer::OfProcess();
  for (size_t i = 0; i < 2 * CacheWarmer::kMaxWaiting; ++i) {
    warmer.Warm(dir_.File("no_such_file"));
    warmer.Warm(dir_.path());
  }
  warmer.Warm(dir_.File("000001.sst"));
  EXPECT_TRUE(GetsWarm(dir_.File("000001.sst")));
}

}  // namespace
}  // namespace uringfs::test
