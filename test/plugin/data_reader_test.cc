// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Readers of data files answer as posix's do, however many reads are at the
// device together; a handle of ReadAsync is answered once, polled or aborted.

#include "plugin/data_reader.h"

#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/table.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "plugin/file_system.h"
#include "test/plugin/evict.h"
#include "test/plugin/file_systems.h"
#include "test/plugin/fs_fixture.h"
#include "test/support/seed.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

constexpr size_t kBytes = (size_t{3} << 20) + 777;

// Memory for direct reads, too.
struct Memory {
  explicit Memory(size_t bytes)
      : data(static_cast<char*>(std::aligned_alloc(4096, bytes)), &std::free) {
    std::fill_n(data.get(), bytes, '?');
  }
  std::unique_ptr<char, decltype(&std::free)> data;
};

struct Answer {
  int times = 0;
  rocksdb::Status status;
  std::string bytes;
};

class DataReaderTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::ofstream(path_) << content_;
    options_.use_direct_reads = GetParam();
    EvictFromCache(path_);
  }

  std::unique_ptr<rocksdb::FSRandomAccessFile> Open(UringFileSystem* fs) {
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    EXPECT_TRUE(fs->NewRandomAccessFile(path_, options_, &file, nullptr).ok());
    EXPECT_EQ(file->use_direct_io(), GetParam());
    return file;
  }

  std::string Expected(uint64_t offset, size_t bytes) const {
    return offset < content_.size() ? content_.substr(offset, bytes) : "";
  }

  // Callback of ReadAsync.
  static void Note(const rocksdb::FSReadRequest& request, void* argument) {
    auto* const answer = static_cast<Answer*>(argument);
    ++answer->times;
    answer->status = request.status;
    answer->bytes = request.result.ToString();
  }

  // The read of `bytes` at `offset`; a null handle if it is done.
  struct Async {
    Memory memory;
    rocksdb::FSReadRequest request;
    Answer answer;
    void* handle = nullptr;
    rocksdb::IOHandleDeleter deleter;

    Async(rocksdb::FSRandomAccessFile* file, uint64_t offset, size_t bytes)
        : memory(bytes) {
      request.offset = offset;
      request.len = bytes;
      request.scratch = memory.data.get();
      EXPECT_TRUE(file->ReadAsync(request, rocksdb::IOOptions(), &Note, &answer,
                                  &handle, &deleter, nullptr)
                      .ok());
      EXPECT_EQ(handle == nullptr ? 1 : 0, answer.times);
    }
    ~Async() {
      if (handle != nullptr) {
        deleter(handle);
      }
    }
    Async(const Async&) = delete;
    Async& operator=(const Async&) = delete;
  };

  static std::vector<void*> HandlesOf(
      const std::vector<std::unique_ptr<Async>>& reads) {
    std::vector<void*> handles;
    for (const auto& read : reads) {
      if (read->handle != nullptr) {
        handles.push_back(read->handle);
      }
    }
    return handles;
  }

  const TempDir dir_;
  const std::string path_ = dir_.File("000009.sst");
  const std::string content_ = Pattern(kBytes);
  rocksdb::FileOptions options_;
  UringFsOptions fs_options_;
  Random random_{SeedOr(1)};
};

void ExpectMultiRead(rocksdb::FSRandomAccessFile* file,
                     const std::string& content, size_t count, Random* random) {
  constexpr size_t kLen = 8192;
  const Memory memory(count * kLen);
  std::vector<rocksdb::FSReadRequest> requests(count);
  for (size_t i = 0; i < count; ++i) {
    requests[i].offset = random->Below(kBytes / 4096 + 2) * 4096;
    requests[i].len = kLen;
    requests[i].scratch = memory.data.get() + i * kLen;
  }
  ASSERT_TRUE(
      file->MultiRead(requests.data(), count, rocksdb::IOOptions(), nullptr)
          .ok());
  for (const rocksdb::FSReadRequest& request : requests) {
    ASSERT_TRUE(request.status.ok()) << request.status.ToString();
    const std::string expected =
        request.offset < content.size()
            ? content.substr(request.offset, request.len)
            : "";
    ASSERT_EQ(request.result.ToString(), expected) << "at " << request.offset;
  }
}

TEST_P(DataReaderTest, ManyAtOnce) {
  UringFileSystem fs(rocksdb::FileSystem::Default(), fs_options_);
  const auto file = Open(&fs);
  for (const size_t count : {1, 2, 32, 300}) {
    EvictFromCache(path_);
    ExpectMultiRead(file.get(), content_, count, &random_);
    ExpectMultiRead(file.get(), content_, count, &random_);
  }
}

TEST_P(DataReaderTest, TheyAreCounted) {
  UringFileSystem fs(rocksdb::FileSystem::Default(), fs_options_);
  const auto file = Open(&fs);
  ExpectMultiRead(file.get(), content_, 64, &random_);
  const ReadCounts counts = fs.Totals().reads;
  EXPECT_EQ(counts.cached + counts.ring + counts.alone, 64u);
  if (GetParam()) {
    EXPECT_EQ(counts.cached, 0u);
  }
}

TEST_P(DataReaderTest, WithoutARingPosixReads) {
  fs_options_.io_engine = IoEngine::kPwrite;
  UringFileSystem fs(rocksdb::FileSystem::Default(), fs_options_);
  const auto file = Open(&fs);
  ExpectMultiRead(file.get(), content_, 64, &random_);
  const ReadCounts counts = fs.Totals().reads;
  EXPECT_EQ(counts.cached + counts.ring + counts.alone, 0u);
}

TEST_P(DataReaderTest, AskedForAhead) {
  UringFileSystem fs(rocksdb::FileSystem::Default(), fs_options_);
  const auto file = Open(&fs);
  for (const size_t count : {1, 2, 40, 400}) {
    EvictFromCache(path_);
    std::vector<std::unique_ptr<Async>> reads;
    for (size_t i = 0; i < count; ++i) {
      reads.push_back(std::make_unique<Async>(
          file.get(), random_.Below(kBytes / 4096 + 2) * 4096, 16384));
    }
    std::vector<void*> handles = HandlesOf(reads);
    ASSERT_TRUE(fs.Poll(handles, handles.size()).ok());
    // Once more does nothing.
    ASSERT_TRUE(fs.Poll(handles, handles.size()).ok());
    for (const auto& read : reads) {
      ASSERT_EQ(read->answer.times, 1);
      ASSERT_TRUE(read->answer.status.ok());
      ASSERT_EQ(read->answer.bytes,
                Expected(read->request.offset, read->request.len));
    }
  }
}

TEST_P(DataReaderTest, AbortedOnesAreAnsweredToo) {
  UringFileSystem fs(rocksdb::FileSystem::Default(), fs_options_);
  const auto file = Open(&fs);
  for (int round = 0; round < 20; ++round) {
    EvictFromCache(path_);
    std::vector<std::unique_ptr<Async>> reads;
    for (size_t i = 0; i < 30; ++i) {
      reads.push_back(std::make_unique<Async>(
          file.get(), random_.Below(kBytes / 4096) * 4096, 65536));
    }
    std::vector<void*> handles = HandlesOf(reads);
    std::vector<void*> polled(
        handles.begin(),
        handles.begin() + static_cast<long>(handles.size() / 2));
    ASSERT_TRUE(fs.Poll(polled, polled.size()).ok());
    ASSERT_TRUE(fs.AbortIO(handles).ok());
    for (const auto& read : reads) {
      ASSERT_EQ(read->answer.times, 1);
      const bool is_aborted =
          read->handle != nullptr &&
          std::find(polled.begin(), polled.end(), read->handle) == polled.end();
      ASSERT_EQ(read->answer.status.IsAborted(), is_aborted);
    }
  }
}

TEST_P(DataReaderTest, AHandleThatNobodyAskedFor) {
  UringFileSystem fs(rocksdb::FileSystem::Default(), fs_options_);
  const auto file = Open(&fs);
  // Its memory goes with it: the kernel must be done by then.
  { const Async read(file.get(), 0, 1 << 20); }
  EXPECT_EQ(::access(path_.c_str(), F_OK), 0);
}

TEST_P(DataReaderTest, ThreadsThatAbortBesideThreadsThatPoll) {
  UringFileSystem fs(rocksdb::FileSystem::Default(), fs_options_);
  const auto file = Open(&fs);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Random random(SeedOr(1) + static_cast<uint64_t>(t));
      for (int round = 0; round < 50; ++round) {
        Async read(file.get(), random.Below(kBytes / 4096) * 4096, 32768);
        std::vector<void*> handles;
        if (read.handle != nullptr) {
          handles.push_back(read.handle);
        }
        if (random.OneIn(2)) {
          ASSERT_TRUE(fs.AbortIO(handles).ok());
        } else {
          ASSERT_TRUE(fs.Poll(handles, handles.size()).ok());
          ASSERT_EQ(read.answer.bytes,
                    Expected(read.request.offset, read.request.len));
        }
        ASSERT_EQ(read.answer.times, 1);
        if (t == 0) {
          EvictFromCache(path_);
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

TEST_P(DataReaderTest, AFileThatIsMissingIsPosixsToTell) {
  UringFileSystem fs(rocksdb::FileSystem::Default(), fs_options_);
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  std::unique_ptr<rocksdb::FSRandomAccessFile> of_posix;
  const std::string missing = dir_.File("000010.sst");
  const auto ours = fs.NewRandomAccessFile(missing, options_, &file, nullptr);
  const auto posix = rocksdb::FileSystem::Default()->NewRandomAccessFile(
      missing, options_, &of_posix, nullptr);
  EXPECT_EQ(ours.ToString(), posix.ToString());
  EXPECT_TRUE(ours.IsPathNotFound());
}

std::string NameOf(const testing::TestParamInfo<bool>& is_direct) {
  return is_direct.param ? "Direct" : "Buffered";
}

INSTANTIATE_TEST_SUITE_P(All, DataReaderTest, testing::Bool(), NameOf);

// RocksDB's own calls: batches, and iterators that read ahead.
TEST(DataReaderDbTest, MultiGetAndAsyncScan) {
  const TempDir dir;
  const auto fs = std::make_shared<UringFileSystem>(
      rocksdb::FileSystem::Default(), UringFsOptions());
  const auto env = rocksdb::NewCompositeEnv(fs);
  rocksdb::Options options;
  options.create_if_missing = true;
  options.env = env.get();
  options.compression = rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, dir.File("db"), &opened).ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  constexpr int kKeys = 8000;
  const auto key = [](int i) { return std::to_string(1000000 + i); };
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(db->Put({}, key(i), key(i) + std::string(500, 'v')).ok());
  }
  ASSERT_TRUE(db->Flush({}).ok());

  Random random(SeedOr(1));
  for (int round = 0; round < 50; ++round) {
    std::vector<std::string> names;
    for (int i = 0; i < 32; ++i) {
      names.push_back(key(static_cast<int>(random.Below(kKeys + 100))));
    }
    const std::vector<rocksdb::Slice> keys(names.begin(), names.end());
    std::vector<rocksdb::PinnableSlice> values(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db->MultiGet({}, db->DefaultColumnFamily(), keys.size(), keys.data(),
                 values.data(), statuses.data());
    for (size_t i = 0; i < keys.size(); ++i) {
      const bool is_there = names[i] < key(kKeys);
      ASSERT_EQ(statuses[i].ok(), is_there) << statuses[i].ToString();
      ASSERT_TRUE(!is_there || values[i].ToString().compare(0, names[i].size(),
                                                            names[i]) == 0);
    }
  }
  const ReadCounts batched = fs->Totals().reads;
  EXPECT_GT(batched.cached + batched.ring + batched.alone, 0u);

  for (const bool goes_on : {true, false}) {
    rocksdb::ReadOptions ahead;
    ahead.async_io = true;
    ahead.readahead_size = 64 << 10;
    const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(ahead));
    int found = 0;
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      ASSERT_EQ(it->key().ToString(), key(found++));
      if (!goes_on && found == kKeys / 2) {
        break;  // reads that are under way are aborted
      }
    }
    ASSERT_TRUE(it->status().ok()) << it->status().ToString();
    EXPECT_EQ(found, goes_on ? kKeys : kKeys / 2);
  }
  const ReadCounts scanned = fs->Totals().reads;
  EXPECT_GT(scanned.cached + scanned.ring + scanned.alone,
            batched.cached + batched.ring + batched.alone);
}

}  // namespace
}  // namespace uringfs::test
