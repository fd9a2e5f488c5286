// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A file closed by uringfs is, byte for byte, what the posix file system would
// have left.

#include <algorithm>

#include "test/plugin/file_systems.h"
#include "test/plugin/fs_fixture.h"
#include "test/support/seed.h"

namespace uringfs::test {
namespace {

constexpr uint64_t kMaxAppend = 20 << 20;

// The same appends, flushes and syncs, from the same seed.
void WriteRandomFile(rocksdb::FileSystem* fs, const std::string& path,
                     const std::string& source, uint64_t seed) {
  Random random(seed);
  const rocksdb::IOOptions io;
  std::unique_ptr<rocksdb::FSWritableFile> file;
  ASSERT_TRUE(
      fs->NewWritableFile(path, rocksdb::FileOptions(), &file, nullptr).ok());
  const uint64_t target = random.LogUniform(1, kMaxAppend);
  uint64_t size = 0;
  while (size < target) {
    // Mostly far smaller than the file, now and then all of it.
    const uint64_t limit = random.OneIn(4) ? target : target / 16 + 1;
    const uint64_t n = random.LogUniform(1, limit);
    const uint64_t at = random.Below(source.size() - n + 1);
    ASSERT_TRUE(
        file->Append(rocksdb::Slice(source.data() + at, n), io, nullptr).ok());
    size += n;
    if (random.OneIn(16)) {
      ASSERT_TRUE(file->Flush(io, nullptr).ok());
    }
    if (random.OneIn(64)) {
      ASSERT_TRUE(file->Sync(io, nullptr).ok());
    }
  }
  if (random.OneIn(2)) {
    ASSERT_TRUE(file->Close(io, nullptr).ok());
  }
}

void CompareFiles(uint64_t max_files, uint64_t max_bytes) {
  const uint64_t seed = SeedOr(13);
  SCOPED_TRACE(SeedTrace(seed));
  const TempDir dir;
  const std::string source = Pattern(kMaxAppend + (1 << 20), seed);
  const char* const names[] = {"uringfs_direct", "uringfs_pwrite"};
  const std::shared_ptr<rocksdb::FileSystem> ours[] = {MakeFs(names[0]),
                                                       MakeFs(names[1])};
  uint64_t bytes = 0;
  uint64_t files = 0;
  for (; files < max_files && bytes < max_bytes; ++files) {
    const bool wal = files % 2 == 0;
    const size_t which = files % 8 == 7 ? 1 : 0;
    const std::string name = wal ? "000004.log" : "000007.sst";
    SCOPED_TRACE("file " + std::to_string(files) + " " + name + " " +
                 names[which]);
    WriteRandomFile(ours[which].get(), dir.File(name), source, seed + files);
    WriteRandomFile(rocksdb::FileSystem::Default().get(), dir.File("posix"),
                    source, seed + files);
    const std::string expected = ReadWholeFile(dir.File("posix"));
    const std::string found = ReadWholeFile(dir.File(name));
    ASSERT_EQ(found.size(), expected.size());
    ASSERT_TRUE(found == expected)
        << "first difference at "
        << std::mismatch(found.begin(), found.end(), expected.begin()).first -
               found.begin();
    bytes += expected.size();
  }
  ::testing::Test::RecordProperty("files", static_cast<int>(files));
  ::testing::Test::RecordProperty("megabytes", static_cast<int>(bytes >> 20));
}

TEST(ByteIdentityTest, FilesAreWhatPosixLeaves) {
  CompareFiles(300, 300ull << 20);
}

TEST(ByteIdentityTest, LongFilesAreWhatPosixLeaves) {
  CompareFiles(4000, 6ull << 30);
}

}  // namespace
}  // namespace uringfs::test
