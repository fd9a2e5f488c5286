// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Compactions read ahead and round the page cache what it does not have;
// everybody gets the bytes of the file, and nobody who reads another way is
// disturbed.

#include "plugin/compaction_reader.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "plugin/file_system.h"
#include "plugin/page_cache.h"
#include "plugin/register.h"
#include "test/plugin/evict.h"
#include "test/plugin/file_systems.h"
#include "test/support/seed.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

constexpr size_t kBytes = 5'000'001;

class CompactionReaderTest : public testing::Test {
 protected:
  // Files that are there before, and that the page cache does not have.
  void Write(const std::string& name, size_t bytes) {
    content_.resize(bytes);
    for (char& byte : content_) {
      byte = static_cast<char>(random_.Below(256));
    }
    std::ofstream(dir_.File(name)) << content_;
    EvictFromCache(dir_.File(name));
  }

  std::unique_ptr<rocksdb::FSRandomAccessFile> Open(
      const std::string& name, const rocksdb::FileOptions& options = {}) {
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    EXPECT_TRUE(
        fs_->NewRandomAccessFile(dir_.File(name), options, &file, nullptr)
            .ok());
    return file;
  }

  static rocksdb::IOOptions Tagged() {
    rocksdb::IOOptions options;
    options.rate_limiter_priority = rocksdb::Env::IO_LOW;
    return options;
  }

  void ExpectRead(const rocksdb::FSRandomAccessFile& file, uint64_t offset,
                  size_t bytes, const rocksdb::IOOptions& options) {
    std::string scratch(bytes, '?');
    rocksdb::Slice got;
    ASSERT_TRUE(
        file.Read(offset, bytes, options, &got, scratch.data(), nullptr).ok());
    const size_t first = std::min<size_t>(offset, content_.size());
    ASSERT_EQ(got.size(), std::min(bytes, content_.size() - first));
    ASSERT_EQ(content_.compare(first, got.size(), got.data(), got.size()), 0)
        << "at " << offset;
  }

  void ReadWhole(const rocksdb::FSRandomAccessFile& file, size_t step,
                 const rocksdb::IOOptions& options) {
    for (uint64_t at = 0; at < content_.size(); at += step) {
      ASSERT_NO_FATAL_FAILURE(ExpectRead(file, at, step, options));
    }
  }

  uint64_t ReadAhead() const {
    return static_cast<UringFileSystem*>(fs_.get())->Totals().read_ahead_bytes;
  }

  // Skips where nothing is ever read ahead.
  void NeedReadAhead() {
    Write("000099.sst", kBytes);
    ReadWhole(*Open("000099.sst"), 5000, Tagged());
    if (ReadAhead() == 0) {
      GTEST_SKIP() << "io_uring or direct I/O is not to be had here";
    }
  }

  const uint64_t seed_ = SeedOr(91);
  const testing::ScopedTrace trace_{__FILE__, __LINE__, SeedTrace(seed_)};
  Random random_{seed_};
  const TempDir dir_;
  std::string content_;
  UringFsOptions options_;
  std::shared_ptr<rocksdb::FileSystem> fs_ = MakeUringFs(options_);
};

TEST_F(CompactionReaderTest, ATableThatIsReadAsAWholeIsReadAhead) {
  NeedReadAhead();
  for (const size_t step : {4101u, 2097152u}) {
    SCOPED_TRACE(step);
    Write("000001.sst", kBytes);
    const uint64_t before = ReadAhead();
    ReadWhole(*Open("000001.sst"), step, Tagged());
    // But for the first reads, which tell nothing yet.
    EXPECT_GE(ReadAhead() - before, kBytes - 80000);
    EXPECT_LE(ReadAhead() - before, kBytes);
  }
}

// What compaction_readahead_size makes of it: so much, and one block.
TEST_F(CompactionReaderTest, OfALargeReadNothingIsAskedForOnlyThen) {
  NeedReadAhead();
  for (const size_t readahead : {1u << 20, 2u << 20, 3u << 20}) {
    SCOPED_TRACE(readahead);
    Write("000001.sst", 3 * kBytes);
    const auto file = Open("000001.sst");
    const uint64_t before = ReadAhead();
    const size_t step = readahead + 4096;
    for (uint64_t at = 0; at < content_.size(); at += step) {
      ExpectRead(*file, at, step, Tagged());
      EXPECT_GE(ReadAhead() - before,
                std::min<uint64_t>(at + 2 * step, content_.size()));
    }
  }
}

// What this process has had devices read so far.
uint64_t DeviceBytes() {
  std::ifstream file("/proc/self/io");
  std::string name;
  for (uint64_t value = 0; file >> name >> value;) {
    if (name == "read_bytes:") {
      return value;
    }
  }
  return 0;
}

// As RocksDB has done since 8.6: a call for the next MiB, then block by block.
TEST_F(CompactionReaderTest, WhatIsAnnouncedIsReadOnce) {
  NeedReadAhead();
  constexpr size_t kBlock = 4101;
  constexpr size_t kAnnounced = kBlock + (1 << 20);
  Write("000001.sst", kBytes);
  const auto file = Open("000001.sst");
  const uint64_t before = ReadAhead();
  const uint64_t device_before = DeviceBytes();
  uint64_t announced = 0;
  for (uint64_t at = 0; at < kBytes; at += kBlock) {
    if (at + kBlock > announced) {
      ASSERT_TRUE(file->Prefetch(at, kAnnounced, Tagged(), nullptr).ok());
      announced = at + kAnnounced;
    }
    ASSERT_NO_FATAL_FAILURE(ExpectRead(*file, at, kBlock, Tagged()));
  }
  EXPECT_EQ(ReadAhead() - before, kBytes);
  EXPECT_LE(DeviceBytes() - device_before, kBytes + kBytes / 10);
}

TEST_F(CompactionReaderTest, WhoAnnouncesTheTailOrIsAUserIsNotReadAhead) {
  Write("000001.sst", kBytes);
  const auto file = Open("000001.sst");
  const uint64_t tail = kBytes - 200001;
  EXPECT_TRUE(file->Prefetch(tail, 200001, Tagged(), nullptr).ok());
  ExpectRead(*file, tail, 4096, Tagged());
  EXPECT_TRUE(file->Prefetch(0, 1 << 20, rocksdb::IOOptions(), nullptr).ok());
  ExpectRead(*file, 0, 4096, Tagged());
  // Beyond the end, and with nothing to read.
  EXPECT_TRUE(file->Prefetch(kBytes + 5, 1 << 20, Tagged(), nullptr).ok());
  EXPECT_TRUE(file->Prefetch(0, 0, Tagged(), nullptr).ok());
  EXPECT_EQ(ReadAhead(), 0u);
}

#if URINGFS_ROCKSDB_GE(8, 3)
TEST_F(CompactionReaderTest, WhoSaysThatItCompactsIsReadAheadInBlobFilesToo) {
  NeedReadAhead();
  rocksdb::IOOptions options;
  options.io_activity = rocksdb::Env::IOActivity::kCompaction;
  for (const char* name : {"000001.sst", "000002.blob"}) {
    Write(name, kBytes);
    const uint64_t before = ReadAhead();
    ReadWhole(*Open(name), 100000, options);
    EXPECT_GE(ReadAhead() - before, kBytes - 200000) << name;
  }
  // And a user who reads with a priority is a user.
  options.io_activity = rocksdb::Env::IOActivity::kGet;
  options.rate_limiter_priority = rocksdb::Env::IO_LOW;
  Write("000003.sst", kBytes);
  const uint64_t before = ReadAhead();
  ReadWhole(*Open("000003.sst"), 100000, options);
  EXPECT_EQ(ReadAhead(), before);
}
#else
TEST_F(CompactionReaderTest, BlobFilesAreReadAsBefore) {
  Write("000004.blob", kBytes);
  ReadWhole(*Open("000004.blob"), 100000, Tagged());
  EXPECT_EQ(ReadAhead(), 0u);
}
#endif

TEST_F(CompactionReaderTest, OthersReadAsBefore) {
  Write("000001.sst", kBytes);
  ReadWhole(*Open("000001.sst"), 100000, rocksdb::IOOptions());
  Write("MANIFEST-000001", kBytes);
  ReadWhole(*Open("MANIFEST-000001"), 100000, Tagged());
  rocksdb::FileOptions mapped;
  mapped.use_mmap_reads = true;
  Write("000002.sst", kBytes);
  ReadWhole(*Open("000002.sst", mapped), 100000, Tagged());
  Write("000003.sst", options_.data_cached_bytes);
  ReadWhole(*Open("000003.sst"), 100000, Tagged());
  EXPECT_EQ(ReadAhead(), 0u);
}

TEST_F(CompactionReaderTest, OnRequestNobodyIsReadAhead) {
  rocksdb::ConfigOptions config;
  config.registry->AddLibrary("uringfs", &register_uringfs, "");
  // Whether told when it is made or, as RocksDB does, a moment later.
  for (const char* text :
       {"uringfs://?compaction_reads=cached",
        "id=uringfs;compaction_reads=cached", "id=uringfs;direct_io=off"}) {
    fs_.reset();
    const rocksdb::Status made =
        rocksdb::FileSystem::CreateFromString(config, text, &fs_);
    ASSERT_TRUE(made.ok()) << made.ToString();
    Write("000001.sst", kBytes);
    ReadWhole(*Open("000001.sst"), 100000, Tagged());
    EXPECT_EQ(ReadAhead(), 0u) << text;
  }
}

TEST_F(CompactionReaderTest, ReadsHereAndThereCostNoWindows) {
  NeedReadAhead();
  Write("000001.sst", kBytes);
  const auto file = Open("000001.sst");
  const uint64_t before = ReadAhead();
  for (int i = 0; i < 300; ++i) {
    // Of every size, some right behind the one before, some a bit further on.
    const uint64_t at = random_.Below(kBytes - 400000);
    const size_t bytes = random_.LogUniform(1, 300000);
    ExpectRead(*file, at, bytes, Tagged());
    ExpectRead(*file, at + bytes + random_.Below(50000), 4000, Tagged());
  }
  EXPECT_EQ(ReadAhead(), before);
}

// Subcompactions: each reads its part of the same table, in bursts.
TEST_F(CompactionReaderTest, SeveralAtOnceEachHaveALane) {
  NeedReadAhead();
  Write("000001.sst", 4 * kBytes);
  const auto file = Open("000001.sst");
  const uint64_t before = ReadAhead();
  constexpr int kReaders = 4;
  std::vector<uint64_t> at;
  std::vector<uint64_t> end;
  for (uint64_t i = 0; i < kReaders; ++i) {
    at.push_back(i * kBytes + 77);
    end.push_back((i + 1) * kBytes);
  }
  for (int left = kReaders; left > 0;) {
    const size_t who = random_.Below(kReaders);
    for (uint64_t burst = random_.Below(8); burst > 0; --burst) {
      if (at[who] < end[who]) {
        ExpectRead(*file, at[who], 4096, Tagged());
        at[who] += 4096;
        left -= at[who] >= end[who] ? 1 : 0;
      }
    }
  }
  // Each reads on for its windows at its end, and none is thrown away.
  EXPECT_GE(ReadAhead() - before, 4 * (kBytes - 100000));
  EXPECT_LE(ReadAhead() - before,
            4 * (kBytes + (ReadStreams::kWindows + 1) *
                              uint64_t{ReadStreams::kWindowBytes}));
}

// Counts what the base is asked for.
class CountingFile : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  using FSRandomAccessFileOwnerWrapper::FSRandomAccessFileOwnerWrapper;
  rocksdb::IOStatus Read(uint64_t offset, size_t n,
                         const rocksdb::IOOptions& options,
                         rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext* dbg) const override {
    ++reads;
    return target()->Read(offset, n, options, result, scratch, dbg);
  }
  mutable int reads = 0;
};

TEST_F(CompactionReaderTest, TheEndOfTheFileIsNotReadAgain) {
  NeedReadAhead();
  Write("000001.sst", kBytes);
  std::unique_ptr<rocksdb::FSRandomAccessFile> base;
  ASSERT_TRUE(
      rocksdb::FileSystem::Default()
          ->NewRandomAccessFile(dir_.File("000001.sst"), {}, &base, nullptr)
          .ok());
  struct stat file = {};
  ASSERT_EQ(::stat(dir_.File("000001.sst").c_str(), &file), 0);
  auto counting = std::make_unique<CountingFile>(std::move(base));
  const CountingFile& counts = *counting;
  const CompactionReader reader(
      std::move(counting), dir_.File("000001.sst"), file,
      std::make_shared<ReadStreams>(ReadStreams::kMinBytes,
                                    std::make_shared<FsStats>()));
  ReadWhole(reader, 2 << 20, Tagged());
  EXPECT_EQ(counts.reads, 0);
}

TEST_F(CompactionReaderTest, ManyThreadsReadTheSameTable) {
  Write("000001.sst", kBytes);
  const auto file = Open("000001.sst");
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      ReadWhole(*file, 3000 + i * 40000,
                i % 3 == 0 ? rocksdb::IOOptions() : Tagged());
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

// The table of the handle, whatever its name has become.
TEST_F(CompactionReaderTest, ATableThatIsReplacedIsReadToItsEnd) {
  Write("000001.sst", kBytes);
  const std::string old = content_;
  const auto file = Open("000001.sst");
  Write("000002.sst", kBytes);
  content_ = old;
  std::filesystem::rename(dir_.File("000002.sst"), dir_.File("000001.sst"));
  ReadWhole(*file, 5000, Tagged());
}

TEST_F(CompactionReaderTest, ATableThatIsGoneIsReadToItsEnd) {
  Write("000001.sst", kBytes);
  const auto file = Open("000001.sst");
  std::filesystem::remove(dir_.File("000001.sst"));
  ReadWhole(*file, 5000, Tagged());
}

TEST_F(CompactionReaderTest, AFileThatIsBeingWrittenIsReadAsALiveOne) {
  std::unique_ptr<rocksdb::FSWritableFile> writer;
  ASSERT_TRUE(fs_->NewWritableFile(dir_.File("000001.sst"),
                                   rocksdb::FileOptions(), &writer, nullptr)
                  .ok());
  for (int i = 0; i < 40; ++i) {
    const std::string part(100'001, static_cast<char>('a' + i % 26));
    content_ += part;
    ASSERT_TRUE(writer->Append(part, rocksdb::IOOptions(), nullptr).ok());
  }
  ASSERT_TRUE(writer->Flush(rocksdb::IOOptions(), nullptr).ok());
  const auto file = Open("000001.sst");
  ReadWhole(*file, 50000, Tagged());
  EXPECT_EQ(ReadAhead(), 0u);
  ASSERT_TRUE(writer->Close(rocksdb::IOOptions(), nullptr).ok());
  ReadWhole(*file, 50000, Tagged());
  ReadWhole(*Open("000001.sst"), 50000, Tagged());
}

TEST_F(CompactionReaderTest, MemoryIsCappedAndComesBack) {
  NeedReadAhead();
  constexpr uint64_t kMost = 3 * ReadStreams::kMinBytes;
  const auto stats = std::make_shared<FsStats>();
  const auto streams = std::make_shared<ReadStreams>(kMost, stats);
  Write("000001.sst", kBytes);
  const std::string path = dir_.File("000001.sst");
  struct stat file = {};
  ASSERT_EQ(::stat(path.c_str(), &file), 0);
  std::vector<std::unique_ptr<CompactionReader>> readers;
  // Whether one more reader is read ahead.
  const auto next_is_ahead = [&] {
    std::unique_ptr<rocksdb::FSRandomAccessFile> base;
    EXPECT_TRUE(rocksdb::FileSystem::Default()
                    ->NewRandomAccessFile(path, {}, &base, nullptr)
                    .ok());
    readers.push_back(std::make_unique<CompactionReader>(std::move(base), path,
                                                         file, streams));
    const uint64_t before = stats->Totals().read_ahead_bytes;
    ReadWhole(*readers.back(), 100000, Tagged());
    EXPECT_LE(streams->in_use(), kMost);
    return stats->Totals().read_ahead_bytes > before;
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(next_is_ahead());
  }
  for (const auto& reader : readers) {
    ExpectRead(*reader, 0, 100000, Tagged());
  }
  EXPECT_FALSE(next_is_ahead()) << "the others were read a moment ago";
  EvictFromCache(path);  // who is not read ahead reads it in
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  EXPECT_TRUE(next_is_ahead()) << "nobody has read the others for a while";
  ReadWhole(*readers.front(), 100000, Tagged());
  readers.clear();
  EXPECT_EQ(streams->in_use(), 0u);
}

// A look at the page cache is good for a while.
TEST_F(CompactionReaderTest, WhatTheCacheHasIsReadFromThere) {
  NeedReadAhead();
  Write("000001.sst", kBytes);
  ReadWhole(*Open("000001.sst"), 100000, rocksdb::IOOptions());
  const uint64_t before = ReadAhead();
  ReadWhole(*Open("000001.sst"), 100000, Tagged());
  EXPECT_EQ(ReadAhead(), before);
}

TEST_F(CompactionReaderTest, AThreadReadsColdFilesUntilItReadsAnother) {
  NeedReadAhead();
  const ReadStreams others(ReadStreams::kMinBytes, std::make_shared<FsStats>());
  const auto streams = std::make_shared<ReadStreams>(
      ReadStreams::kMinBytes, std::make_shared<FsStats>());
  const auto read = [&](const char* name, const rocksdb::IOOptions& options) {
    const std::string path = dir_.File(name);
    std::unique_ptr<rocksdb::FSRandomAccessFile> base;
    ASSERT_TRUE(rocksdb::FileSystem::Default()
                    ->NewRandomAccessFile(path, {}, &base, nullptr)
                    .ok());
    struct stat file = {};
    ASSERT_EQ(::stat(path.c_str(), &file), 0);
    const CompactionReader reader(std::move(base), path, file, streams);
    ExpectRead(reader, 1000, 100, options);
  };
  Write("000001.sst", kBytes);
  read("000001.sst", rocksdb::IOOptions());
  EXPECT_FALSE(streams->ReadsColdHere()) << "a user";
  read("000001.sst", Tagged());
  EXPECT_TRUE(streams->ReadsColdHere()) << "from its first read on";
  EXPECT_FALSE(others.ReadsColdHere());
  std::thread([&] { EXPECT_FALSE(streams->ReadsColdHere()); }).join();
  ReadWhole(*Open("000001.sst"), 100000, rocksdb::IOOptions());
  read("000001.sst", Tagged());
  EXPECT_FALSE(streams->ReadsColdHere());
}

class CompactionTest : public CompactionReaderTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(NeedReadAhead());
    if (IsSkipped()) {
      return;
    }
    env_ = rocksdb::NewCompositeEnv(fs_);
    ASSERT_NO_FATAL_FAILURE(Reopen());
    for (int table = 0; table < 3; ++table) {
      for (int key = 0; key < 3000; ++key) {
        std::string value(1000, static_cast<char>('a' + table));
        value += std::to_string(random_.Below(1000000));
        ASSERT_TRUE(db_->Put({}, std::to_string(key), value).ok());
      }
      ASSERT_TRUE(db_->Flush({}).ok());
    }
  }

  // Its tables are opened anew: what readers know of the cache is forgotten.
  void Reopen() {
    db_.reset();
    rocksdb::Options options;
    options.env = env_.get();
    options.create_if_missing = true;
    options.compression = rocksdb::kNoCompression;
    options.disable_auto_compactions = true;
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(options, dir_.File("db"), &opened).ok());
    db_.reset(opened);
  }

  std::vector<std::string> Tables() const {
    std::vector<std::string> paths;
    for (const auto& entry :
         std::filesystem::directory_iterator(dir_.File("db"))) {
      if (entry.path().extension() == ".sst") {
        paths.push_back(entry.path());
      }
    }
    return paths;
  }

  // How many bytes of it were read ahead.
  uint64_t Compact() {
    const uint64_t before = ReadAhead();
    rocksdb::CompactRangeOptions whole;
    whole.bottommost_level_compaction =
        rocksdb::BottommostLevelCompaction::kForce;
    EXPECT_TRUE(db_->CompactRange(whole, nullptr, nullptr).ok());
    return ReadAhead() - before;
  }

  void ExpectTheLastValues() {
    for (int key = 0; key < 3000; ++key) {
      std::string value;
      ASSERT_TRUE(db_->Get({}, std::to_string(key), &value).ok());
      ASSERT_EQ(value.compare(0, 1000, std::string(1000, 'c')), 0);
    }
  }

  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
};

TEST_F(CompactionTest, OfColdTablesReadsAheadAndLeavesColdOnes) {
  ASSERT_EQ(Tables().size(), 3u);
  for (const std::string& path : Tables()) {
    EXPECT_TRUE(IsInPageCache(path)) << "a flush leaves them there";
    EvictFromCache(path);
  }
  ASSERT_NO_FATAL_FAILURE(Reopen());
  EXPECT_GT(Compact(), 8'000'000u);
  ASSERT_EQ(Tables().size(), 1u);
  EXPECT_FALSE(IsInPageCache(Tables()[0]));
  ExpectTheLastValues();
}

TEST_F(CompactionTest, OfTablesInTheCacheReadsThemThereAndAddsItsOwn) {
  EXPECT_EQ(Compact(), 0u);
  ASSERT_EQ(Tables().size(), 1u);
  EXPECT_TRUE(IsInPageCache(Tables()[0]));
  ExpectTheLastValues();
}

}  // namespace
}  // namespace uringfs::test
