// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Checksums that RocksDB hands over with its appends.

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <memory>
#include <string>

#include "src/base/crc32c.h"
#include "test/plugin/file_systems.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

// Little-endian, as RocksDB encodes it.
std::string Encoded(uint32_t value) {
  std::string text;
  for (int i = 0; i < 4; ++i) {
    text += static_cast<char>(value >> (8 * i));
  }
  return text;
}

rocksdb::IOStatus AppendWith(rocksdb::FSWritableFile* file,
                             const std::string& bytes, uint32_t crc32c) {
  const std::string encoded = Encoded(crc32c);
  rocksdb::DataVerificationInfo info;
  info.checksum = rocksdb::Slice(encoded);
  return file->Append(bytes, rocksdb::IOOptions(), info, nullptr);
}

TEST(ChecksumHandoffTest, AWrongOneIsCorruptionOfATableAndOfAWal) {
  const TempDir dir;
  const rocksdb::IOOptions io;
  for (const char* name : {"000007.sst", "000008.log"}) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    ASSERT_TRUE(MakeUringFs()
                    ->NewWritableFile(dir.File(name), rocksdb::FileOptions(),
                                      &file, nullptr)
                    .ok());
    const std::string bytes(5000, 'x');
    const uint32_t crc32c = Crc32c(bytes.data(), bytes.size());
    ASSERT_TRUE(AppendWith(file.get(), bytes, crc32c).ok());
    ASSERT_TRUE(file->Sync(io, nullptr).ok());
    ASSERT_TRUE(AppendWith(file.get(), bytes, crc32c + 1).ok());
    const rocksdb::IOStatus status = file->Sync(io, nullptr);
    EXPECT_TRUE(status.IsCorruption()) << status.ToString();
    EXPECT_FALSE(file->Close(io, nullptr).ok());
  }
}

TEST(ChecksumHandoffTest, ADatabaseThatHandsThemOver) {
  for (const char* name : {"uringfs", "uringfs_ring"}) {
    const TempDir dir;
    const auto env = rocksdb::NewCompositeEnv(MakeFs(name));
    rocksdb::Options options;
    options.env = env.get();
    options.create_if_missing = true;
    options.write_buffer_size = 1 << 20;
    options.checksum_handoff_file_types.Add(rocksdb::FileType::kWalFile);
    options.checksum_handoff_file_types.Add(rocksdb::FileType::kTableFile);
    rocksdb::DB* made = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(options, dir.File("db"), &made).ok());
    const std::unique_ptr<rocksdb::DB> db(made);
    rocksdb::WriteOptions write;
    for (int i = 0; i < 5000; ++i) {
      write.sync = i % 500 == 0;
      ASSERT_TRUE(
          db->Put(write, std::to_string(i), std::string(1000, 'v')).ok());
    }
    ASSERT_TRUE(
        db->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr)
            .ok());
    EXPECT_TRUE(db->VerifyChecksum().ok());
    EXPECT_TRUE(db->Close().ok());
  }
}

}  // namespace
}  // namespace uringfs::test
