// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Many files open for write at the smallest max_buffer_bytes: memory stays
// below it, and nobody waits for ever.

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "plugin/file_system.h"
#include "test/plugin/file_systems.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

constexpr uint32_t kCap = 1 << 20;

UringFsOptions Small(uint32_t buffer_bytes) {
  UringFsOptions options;
  options.max_buffer_bytes = kCap;
  options.data_buffer_bytes = buffer_bytes;
  options.data_cache = DataCache::kNone;
  options.data_cached_bytes = 0;
  return options;
}

FsTotals TotalsOf(const std::shared_ptr<rocksdb::FileSystem>& fs) {
  return fs->CheckedCast<UringFileSystem>()->Totals();
}

std::string ContentOf(size_t file, size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) {
    text[i] = static_cast<char>('a' + (i / 7 + i * file) % 26);
  }
  return text;
}

using Files = std::vector<std::unique_ptr<rocksdb::FSWritableFile>>;

void OpenMany(rocksdb::FileSystem* fs, const TempDir& dir, size_t count,
              Files* files) {
  for (size_t i = 0; i < count; ++i) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    ASSERT_TRUE(fs->NewWritableFile(dir.File(std::to_string(i) + ".sst"),
                                    rocksdb::FileOptions(), &file, nullptr)
                    .ok());
    files->push_back(std::move(file));
  }
}

TEST(FsBuffersTest, SixtyFourFilesAtTheSmallestCap) {
  constexpr size_t kFiles = 64;
  constexpr size_t kBytes = 600000;
  constexpr size_t kThreads = 4;
  const TempDir dir;
  constexpr uint32_t kBuffer = 16 << 10;
  const UringFsOptions options = Small(kBuffer);
  const auto fs = MakeUringFs(options);
  const rocksdb::IOOptions io;
  Files files;
  OpenMany(fs.get(), dir, kFiles, &files);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      // All of its files a little at a time, so that all of them hold bytes.
      for (size_t at = 0; at < kBytes; at += 10000) {
        for (size_t i = t; i < kFiles; i += kThreads) {
          const std::string content = ContentOf(i, kBytes);
          ASSERT_TRUE(files[i]
                          ->Append(rocksdb::Slice(content.data() + at, 10000),
                                   io, nullptr)
                          .ok());
        }
        ASSERT_LE(TotalsOf(fs).buffer_bytes, kCap);
      }
      for (size_t i = t; i < kFiles; i += kThreads) {
        ASSERT_TRUE(files[i]->Sync(io, nullptr).ok());
        ASSERT_TRUE(files[i]->Close(io, nullptr).ok());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const FsTotals totals = TotalsOf(fs);
  EXPECT_GT(totals.unbuffered_files, 0u);
  EXPECT_EQ(totals.data.files + totals.unbuffered_files, kFiles);
  EXPECT_GT(totals.data.files, kCap / (kBuffer * options.data_buffers))
      << "late ones get fewer, not none";
  EXPECT_LE(totals.peak_buffer_bytes, kCap);
  files.clear();
  EXPECT_EQ(TotalsOf(fs).buffer_bytes, 0u);
  for (size_t i = 0; i < kFiles; ++i) {
    EXPECT_EQ(ReadWholeFile(dir.File(std::to_string(i) + ".sst")),
              ContentOf(i, kBytes));
  }
}

TEST(FsBuffersTest, AFileThatCannotBeOpenedTakesNone) {
  const TempDir dir;
  const auto fs = MakeUringFs(Small(64 << 10));
  std::unique_ptr<rocksdb::FSWritableFile> file;
  EXPECT_FALSE(fs->NewWritableFile(dir.File("no/such.sst"),
                                   rocksdb::FileOptions(), &file, nullptr)
                   .ok());
  EXPECT_EQ(TotalsOf(fs).buffer_bytes, 0u);
}

TEST(FsBuffersTest, ADatabaseWithManyJobsAndBlobFiles) {
  const TempDir dir;
  const auto fs = MakeUringFs(Small(256 << 10));
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(fs);
  rocksdb::Options options;
  options.env = env.get();
  options.create_if_missing = true;
  options.write_buffer_size = 256 << 10;
  options.target_file_size_base = 256 << 10;
  options.max_background_jobs = 8;
  options.max_subcompactions = 4;
  options.enable_blob_files = true;
  options.min_blob_size = 500;
  options.blob_file_size = 256 << 10;
  rocksdb::DB* made = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, dir.File("db"), &made).ok());
  const std::unique_ptr<rocksdb::DB> db(made);
  for (size_t i = 0; i < 8000; ++i) {
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), std::to_string(i),
                        ContentOf(i, i % 1000))
                    .ok());
  }
  ASSERT_TRUE(
      db->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr).ok());
  for (size_t i = 0; i < 8000; ++i) {
    std::string value;
    ASSERT_TRUE(
        db->Get(rocksdb::ReadOptions(), std::to_string(i), &value).ok());
    ASSERT_EQ(value, ContentOf(i, i % 1000));
  }
  EXPECT_LE(TotalsOf(fs).peak_buffer_bytes, kCap);
  EXPECT_TRUE(db->VerifyChecksum().ok());
}

}  // namespace
}  // namespace uringfs::test
