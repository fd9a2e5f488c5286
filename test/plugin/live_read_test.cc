// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Files that are read while they are written: the same expectations for
// RocksDB's own file system and for ours.

#include <algorithm>
#include <atomic>
#include <thread>

#include "test/plugin/fs_fixture.h"
#include "test/support/seed.h"

namespace uringfs::test {
namespace {

class LiveReadTest : public FsFixture {};

INSTANTIATE_TEST_SUITE_P(All, LiveReadTest,
                         ::testing::Values("posix", "uringfs", "uringfs_direct",
                                           "uringfs_pwrite"),
                         [](const auto& param) { return param.param; });

const char* const kNames[] = {"000004.log", "000007.sst", "plain"};

TEST_P(LiveReadTest, SizeAndBytesAgreeAfterEachAppend) {
  for (const char* name : kNames) {
    const std::string bytes = Pattern(60000);
    const File file = Create(name);
    for (size_t at = 0; at < bytes.size(); at += 6007) {
      Append(file, bytes.substr(at, 6007));
      const size_t end = std::min(at + 6007, bytes.size());
      ASSERT_EQ(Size(name), end) << name;
      ASSERT_EQ(ReadAll(name), bytes.substr(0, end)) << name;
    }
    Close(file);
  }
}

TEST_P(LiveReadTest, ASequentialReaderAtTheOldEndSeesLaterAppends) {
  for (const char* name : kNames) {
    const std::string bytes = Pattern(20000);
    const File file = Create(name);
    const Reader reader = OpenReader(name);
    EXPECT_EQ(Read(reader, 100), "");
    Append(file, bytes.substr(0, 5000));
    EXPECT_EQ(Read(reader, 3000), bytes.substr(0, 3000)) << name;
    EXPECT_EQ(Read(reader, 32768), bytes.substr(3000, 2000)) << name;
    EXPECT_EQ(Read(reader, 32768), "");
    Append(file, bytes.substr(5000, 10));
    ASSERT_TRUE(file->Flush(io_, nullptr).ok());
    EXPECT_EQ(Read(reader, 32768), bytes.substr(5000, 10)) << name;
    Append(file, bytes.substr(5010));
    Close(file);
    EXPECT_EQ(Read(reader, 32768), bytes.substr(5010)) << name;
    EXPECT_EQ(Read(reader, 32768), "");
  }
}

TEST_P(LiveReadTest, SkipMovesTheReader) {
  const File file = Create("000004.log");
  Append(file, Pattern(9000));
  const Reader reader = OpenReader("000004.log");
  ASSERT_TRUE(reader->Skip(8990).ok());
  EXPECT_EQ(Read(reader, 100), Pattern(9000).substr(8990));
  ASSERT_TRUE(reader->Skip(10).ok());
  EXPECT_EQ(Read(reader, 100), "");
  Close(file);
}

TEST_P(LiveReadTest, ARandomReaderEndsWhereTheFileEnds) {
  for (const char* name : kNames) {
    const std::string bytes = Pattern(20000);
    const File file = Create(name);
    Append(file, bytes.substr(0, 5000));
    const RandomReader reader = OpenRandom(name);
    EXPECT_EQ(Read(reader, 4990, 100), bytes.substr(4990, 10)) << name;
    EXPECT_EQ(Read(reader, 5000, 100), "");
    EXPECT_EQ(Read(reader, 9000, 100), "");
    Append(file, bytes.substr(5000));
    EXPECT_EQ(Read(reader, 4990, 100), bytes.substr(4990, 100)) << name;
    rocksdb::FSReadRequest requests[2];
    std::string scratch(200, '?');
    for (size_t i = 0; i < 2; ++i) {
      requests[i].offset = 19950 + 10 * i;
      requests[i].len = 100;
      requests[i].scratch = scratch.data() + size_t{100} * i;
    }
    ASSERT_TRUE(reader->MultiRead(requests, 2, io_, nullptr).ok());
    EXPECT_EQ(requests[0].result.ToString(), bytes.substr(19950));
    EXPECT_EQ(requests[1].result.ToString(), bytes.substr(19960));
    Close(file);
    EXPECT_EQ(Read(reader, 0, 30000), bytes) << name;
  }
}

TEST_P(LiveReadTest, AReaderOutlivesTheWriter) {
  RandomReader reader;
  {
    const File file = Create("000004.log");
    Append(file, Pattern(5000));
    reader = OpenRandom("000004.log");
  }
  EXPECT_EQ(Read(reader, 0, 9000), Pattern(5000));
  ASSERT_TRUE(fs_->DeleteFile(Path("000004.log"), io_, nullptr).ok());
  EXPECT_EQ(Read(reader, 0, 9000), Pattern(5000));
}

TEST_P(LiveReadTest, AfterDeleteAndRecreateTheOldReaderKeepsTheOldFile) {
  const File old_file = Create("000004.log");
  Append(old_file, Pattern(5000));
  const RandomReader old_reader = OpenRandom("000004.log");
  ASSERT_TRUE(fs_->DeleteFile(Path("000004.log"), io_, nullptr).ok());
  const File file = Create("000004.log");
  Append(file, "new");
  EXPECT_EQ(Size("000004.log"), 3u);
  EXPECT_EQ(Read(old_reader, 0, 9000), Pattern(5000));
  Append(old_file, "more");
  Close(old_file);
  EXPECT_EQ(Size("000004.log"), 3u);
  EXPECT_EQ(ReadAll("000004.log"), "new");
  EXPECT_EQ(Read(old_reader, 5000, 9000), "more");
  Close(file);
}

TEST_P(LiveReadTest, AnotherFileSystemObjectOfTheKindSeesTheSame) {
  const auto other = MakeFs(GetParam());
  const File file = Create("000004.log");
  Append(file, Pattern(5000));
  uint64_t size = 0;
  ASSERT_TRUE(other->GetFileSize(Path("000004.log"), io_, &size, nullptr).ok());
  EXPECT_EQ(size, 5000u);
  std::string all;
  ASSERT_TRUE(
      rocksdb::ReadFileToString(other.get(), Path("000004.log"), &all).ok());
  EXPECT_EQ(all, Pattern(5000));
  Close(file);
}

// What a writer has done so far.
struct Progress {
  std::atomic<uint64_t> appended{0};
  std::atomic<bool> done{false};
};

class LiveReadRaceTest : public LiveReadTest {
 protected:
  void Follow(const char* name, const std::string& bytes,
              const Progress& progress) {
    const Reader handle = OpenReader(name);
    std::string seen;
    for (bool last = false; !last;) {
      last = progress.done.load();
      const uint64_t promised = progress.appended.load();
      const uint64_t size = Size(name);
      ASSERT_GE(size, promised);
      for (std::string piece; !(piece = Read(handle, 50000)).empty();) {
        seen += piece;
      }
      ASSERT_GE(seen.size(), size);
      ASSERT_EQ(bytes.compare(0, seen.size(), seen), 0);
    }
    ASSERT_EQ(seen.size(), bytes.size());
  }

  void Write(const File& file, const std::string& bytes, uint64_t seed,
             Progress* progress) {
    Random random(seed);
    for (size_t at = 0; at < bytes.size();) {
      const size_t n =
          std::min<size_t>(random.LogUniform(1, 200000), bytes.size() - at);
      Append(file, bytes.substr(at, n));
      at += n;
      progress->appended.store(at);
      if (random.OneIn(4)) {
        ASSERT_TRUE(file->Flush(io_, nullptr).ok());
      }
    }
    progress->done.store(true);
  }
};

INSTANTIATE_TEST_SUITE_P(All, LiveReadRaceTest,
                         ::testing::Values("posix", "uringfs", "uringfs_direct",
                                           "uringfs_pwrite"),
                         [](const auto& param) { return param.param; });

TEST_P(LiveReadRaceTest, AReaderBesideAWriterNeverSeesAnythingElse) {
  const uint64_t seed = SeedOr(7);
  SCOPED_TRACE(SeedTrace(seed));
  for (const char* name : {"000004.log", "000007.sst"}) {
    const std::string bytes = Pattern(8 << 20);
    const File file = Create(name);
    Progress progress;
    std::thread reader([&] { Follow(name, bytes, progress); });
    Write(file, bytes, seed, &progress);
    reader.join();
    Close(file);
  }
}

TEST_P(LiveReadTest, LinksMadeBesideAWriterAreWholeAndExact) {
  const std::string bytes = Pattern(4 << 20);
  const File file = Create("000004.log");
  std::atomic<bool> done{false};
  std::thread linker([&] {
    for (int i = 0; !done.load(); ++i) {
      const std::string link = "link" + std::to_string(i);
      ASSERT_TRUE(
          fs_->LinkFile(Path("000004.log"), Path(link), io_, nullptr).ok());
      ASSERT_TRUE(fs_->DeleteFile(Path(link), io_, nullptr).ok());
    }
  });
  for (size_t at = 0; at < bytes.size(); at += 1000) {
    Append(file, bytes.substr(at, 1000));
  }
  done.store(true);
  linker.join();
  Close(file);
  EXPECT_EQ(ReadWholeFile(Path("000004.log")), bytes);
}

}  // namespace
}  // namespace uringfs::test
