// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A directory and a file system by name, with the handful of calls the
// conformance tests are made of. Each asserts that it succeeds.

#ifndef URINGFS_TEST_PLUGIN_FS_FIXTURE_H_
#define URINGFS_TEST_PLUGIN_FS_FIXTURE_H_

#include <rocksdb/db.h>
#include <rocksdb/file_system.h>

#include <filesystem>
#include <memory>
#include <string>

#include "test/plugin/file_systems.h"
#include "test/rocksdb_wal/wal_writer.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {

class FsFixture : public ::testing::TestWithParam<const char*> {
 protected:
  using File = std::unique_ptr<rocksdb::FSWritableFile>;
  using Reader = std::unique_ptr<rocksdb::FSSequentialFile>;
  using RandomReader = std::unique_ptr<rocksdb::FSRandomAccessFile>;

  std::string Path(const std::string& name) const { return dir_.File(name); }

  File Create(const std::string& name) {
    File file;
    const auto status =
        fs_->NewWritableFile(Path(name), file_options_, &file, nullptr);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return file;
  }

  void Append(const File& file, const std::string& bytes) {
    const auto status = file->Append(bytes, io_, nullptr);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  void Close(const File& file) {
    const auto status = file->Close(io_, nullptr);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  void Write(const std::string& name, const std::string& bytes) {
    const File file = Create(name);
    Append(file, bytes);
    Close(file);
  }

  // What there is of a database without its logs. Where there is none LockFile
  // recovers nothing.
  void MakeDatabase() {
    const TempDir elsewhere;
    rocksdb::Options options;
    options.create_if_missing = true;
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(options, elsewhere.File("db"), &db);
    ASSERT_TRUE(status.ok()) << status.ToString();
    delete db;
    namespace files = std::filesystem;
    for (const auto& entry : files::directory_iterator(elsewhere.File("db"))) {
      const std::string name = entry.path().filename();
      if (name == "CURRENT" || name.compare(0, 8, "MANIFEST") == 0) {
        files::copy(entry.path(), Path(name));
      }
    }
  }

  // The size by path.
  uint64_t Size(const std::string& name) {
    uint64_t size = ~0ull;
    const auto status = fs_->GetFileSize(Path(name), io_, &size, nullptr);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return size;
  }

  Reader OpenReader(const std::string& name) {
    Reader reader;
    const auto status =
        fs_->NewSequentialFile(Path(name), file_options_, &reader, nullptr);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return reader;
  }
  RandomReader OpenRandom(const std::string& name) {
    RandomReader reader;
    const auto status =
        fs_->NewRandomAccessFile(Path(name), file_options_, &reader, nullptr);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return reader;
  }

  std::string Read(const Reader& reader, size_t n) {
    std::string scratch(n, '?');
    rocksdb::Slice result;
    const auto status = reader->Read(n, io_, &result, scratch.data(), nullptr);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return result.ToString();
  }
  std::string Read(const RandomReader& reader, uint64_t offset, size_t n) {
    std::string scratch(n, '?');
    rocksdb::Slice result;
    const auto status =
        reader->Read(offset, n, io_, &result, scratch.data(), nullptr);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return result.ToString();
  }
  // The whole file through a new handle.
  std::string ReadAll(const std::string& name) {
    std::string all;
    const auto status = rocksdb::ReadFileToString(fs_.get(), Path(name), &all);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return all;
  }

  TempDir dir_;
  std::shared_ptr<rocksdb::FileSystem> fs_ = MakeFs(GetParam());
  rocksdb::FileOptions file_options_;
  const rocksdb::IOOptions io_;
};

// Bytes no two stretches of which are alike, so that a shift is seen. If it is
// long enough it begins as a WAL; else somebody seems to encrypt it.
inline std::string Pattern(size_t bytes, uint64_t seed = 1) {
  std::string text(bytes, '\0');
  uint64_t state = seed;
  for (size_t i = 0; i < bytes; ++i) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    text[i] = static_cast<char>(state >> 56);
  }
  const std::string begin = WalWriter().Add(text.substr(0, 5)).bytes();
  if (bytes >= begin.size()) {
    text.replace(0, begin.size(), begin);
  }
  return text;
}

}  // namespace uringfs::test

#endif  // URINGFS_TEST_PLUGIN_FS_FIXTURE_H_
