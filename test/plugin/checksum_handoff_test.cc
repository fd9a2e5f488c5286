// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Checksums that RocksDB hands over with its appends.

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <memory>
#include <string>

#include "test/plugin/file_systems.h"
#include "test/rocksdb_wal/wal_writer.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"
#include "uringfs/internal/crc32c.h"

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

// The one that is left to the base when it is appended, the others at the
// latest when they are synced.
TEST(ChecksumHandoffTest, AWrongOneIsCorruptionOfAnyFile) {
  const TempDir dir;
  const rocksdb::IOOptions io;
  const auto fs = MakeFs("uringfs");
  for (const char* name : {"000007.sst", "000008.log", "000009.blob"}) {
    SCOPED_TRACE(name);
    std::unique_ptr<rocksdb::FSWritableFile> file;
    rocksdb::FileOptions options;
    options.handoff_checksum_type = rocksdb::ChecksumType::kCRC32c;
    if (std::string(name) == "000009.blob") {
      options.io_options.type = rocksdb::IOType::kData;
    }
    ASSERT_TRUE(
        fs->NewWritableFile(dir.File(name), options, &file, nullptr).ok());
    const std::string bytes(5000, 'x');
    const uint32_t crc32c = Crc32c(bytes.data(), bytes.size());
    ASSERT_TRUE(AppendWith(file.get(), bytes, crc32c).ok());
    ASSERT_TRUE(file->Sync(io, nullptr).ok());
    rocksdb::IOStatus status = AppendWith(file.get(), bytes, crc32c + 1);
    status = status.ok() ? file->Sync(io, nullptr) : status;
    EXPECT_TRUE(status.IsCorruption()) << status.ToString();
    static_cast<void>(file->Close(io, nullptr));
    EXPECT_EQ(ReadWholeFile(dir.File(name)).substr(0, 5000), bytes);
  }
}

// RocksDB takes Corruption of a WAL that it reads for the log's end.
TEST(ChecksumHandoffTest, ReadersOfADamagedWalAreToldOfAnIoError) {
  const TempDir dir;
  const rocksdb::IOOptions io;
  const auto fs = MakeFs("uringfs_ring");
  const std::string path = dir.File("000008.log");
  std::unique_ptr<rocksdb::FSWritableFile> file;
  rocksdb::FileOptions options;
  options.handoff_checksum_type = rocksdb::ChecksumType::kCRC32c;
  ASSERT_TRUE(fs->NewWritableFile(path, options, &file, nullptr).ok());
  const std::string bytes = WalWriter().AddBytes(500).bytes();
  const uint32_t crc32c = Crc32c(bytes.data(), bytes.size());
  ASSERT_TRUE(AppendWith(file.get(), bytes, crc32c).ok());
  ASSERT_TRUE(AppendWith(file.get(), bytes, crc32c + 1).ok());
  ASSERT_TRUE(file->Flush(io, nullptr).ok()) << "it is not looked at";
  EXPECT_TRUE(file->Sync(io, nullptr).IsCorruption());
  std::unique_ptr<rocksdb::FSSequentialFile> reader;
  uint64_t size = 0;
  for (const rocksdb::IOStatus& status :
       {fs->NewSequentialFile(path, options, &reader, nullptr),
        fs->GetFileSize(path, io, &size, nullptr)}) {
    EXPECT_TRUE(status.IsIOError()) << status.ToString();
  }
  static_cast<void>(file->Close(io, nullptr));
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
