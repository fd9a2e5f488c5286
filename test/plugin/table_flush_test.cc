// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What Flush of a data file promises: of tables that RocksDB's jobs write, that
// they can be read here; of all others, that the file has the bytes.

#include <memory>
#include <string>

#include "plugin/file_system.h"
#include "test/plugin/file_systems.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

using rocksdb::IOOptions;

class TableFlushTest : public testing::Test {
 protected:
  void Open(const std::string& name, bool is_tagged) {
    rocksdb::FileOptions options;
    if (is_tagged) {
      options.io_options.type = rocksdb::IOType::kData;
    }
    path_ = dir_.File(name);
    ASSERT_TRUE(fs_->NewWritableFile(path_, options, &file_, nullptr).ok());
  }

  void AppendAndFlush(const std::string& bytes) {
    ASSERT_TRUE(file_->Append(bytes, IOOptions(), nullptr).ok());
    ASSERT_TRUE(file_->Flush(IOOptions(), nullptr).ok());
    appended_ += bytes;
  }

  void ExpectReadableHere() {
    std::string seen;
    ASSERT_TRUE(rocksdb::ReadFileToString(fs_.get(), path_, &seen).ok());
    EXPECT_TRUE(seen == appended_);
    uint64_t size = 0;
    ASSERT_TRUE(fs_->GetFileSize(path_, IOOptions(), &size, nullptr).ok());
    EXPECT_EQ(size, appended_.size());
  }

  const TempDir dir_;
  const std::shared_ptr<rocksdb::FileSystem> fs_ = MakeFs("uringfs_direct");
  std::unique_ptr<rocksdb::FSWritableFile> file_;
  std::string path_;
  std::string appended_;
};

TEST_F(TableFlushTest, OfAJobsTableCostsNoWriteAndItCanBeRead) {
  Open("000001.sst", /*is_tagged=*/true);
  AppendAndFlush(std::string(1000, 'a'));
  EXPECT_EQ(ReadWholeFile(path_), "") << "Flush has written a short table";
  ExpectReadableHere();
  AppendAndFlush(std::string(3 << 20, 'b'));
  AppendAndFlush(std::string(77, 'c'));
  ExpectReadableHere();
  ASSERT_TRUE(file_->Sync(IOOptions(), nullptr).ok());
  EXPECT_TRUE(ReadWholeFile(path_) == appended_);
  AppendAndFlush(std::string(5, 'd'));
  ASSERT_TRUE(file_->Close(IOOptions(), nullptr).ok());
  EXPECT_TRUE(ReadWholeFile(path_) == appended_);
}

TEST_F(TableFlushTest, OfAnyOtherPutsTheBytesIntoTheFile) {
  Open("000001.sst", /*is_tagged=*/false);
  AppendAndFlush(std::string(1000, 'a'));
  EXPECT_EQ(ReadWholeFile(path_), appended_);
  AppendAndFlush(std::string(3 << 20, 'b'));
  EXPECT_TRUE(ReadWholeFile(path_).substr(0, appended_.size()) == appended_);
  ExpectReadableHere();
}

}  // namespace
}  // namespace uringfs::test
