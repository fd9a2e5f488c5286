// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What becomes of a side file whose name somebody uses.

#include "plugin/side_files.h"

#include <rocksdb/db.h>

#include <filesystem>
#include <memory>
#include <string>

#include "plugin/fs_stats.h"
#include "test/plugin/fs_fixture.h"
#include "test/side/side_builder.h"

#include "gmock/gmock.h"

namespace uringfs::test {
namespace {

class SideFileNameTest : public FsFixture {
 protected:
  void SetUp() override { fs_ = MakeFs("uringfs"); }

  const std::string path_ = Path("000004.log");
};
INSTANTIATE_TEST_SUITE_P(All, SideFileNameTest, ::testing::Values("uringfs"));

// As RocksDB does where it restores a backup: it keeps logs, and deletes files
// that it does not know.
TEST_P(SideFileNameTest, WhoDeletesItHasItsBytesInTheLog) {
  SideBuilder built(path_);
  built.Prepare();
  built.WriteSide();
  ASSERT_TRUE(fs_->DeleteFile(built.side_path(), io_, nullptr).ok());
  EXPECT_FALSE(std::filesystem::exists(built.side_path()));
  EXPECT_EQ(ReadWholeFile(path_), built.whole());
  EXPECT_TRUE(fs_->DeleteFile(built.side_path(), io_, nullptr).ok());
}

// Its log is open here: nothing can be moved, and nobody else writes there.
TEST_P(SideFileNameTest, OneThatIsInUseStays) {
  const std::string side = path_ + ".uringfs";
  const File log = Create("000004.log");
  const std::string bytes = Pattern(200000);
  Append(log, bytes);
  ASSERT_TRUE(log->Flush(io_, nullptr).ok());
  Append(log, "more");
  ASSERT_TRUE(log->Flush(io_, nullptr).ok());
  ASSERT_TRUE(std::filesystem::exists(side));
  EXPECT_TRUE(fs_->DeleteFile(side, io_, nullptr).ok());
  File file;
  EXPECT_TRUE(
      fs_->NewWritableFile(side, {}, &file, nullptr).IsInvalidArgument());
  EXPECT_TRUE(
      fs_->ReopenWritableFile(side, {}, &file, nullptr).IsInvalidArgument());
  EXPECT_TRUE(fs_->ReuseWritableFile(side, Path("none"), {}, &file, nullptr)
                  .IsInvalidArgument());
  std::unique_ptr<rocksdb::FSRandomRWFile> both;
  EXPECT_TRUE(
      fs_->NewRandomRWFile(side, {}, &both, nullptr).IsInvalidArgument());
  EXPECT_TRUE(fs_->Truncate(side, 0, io_, nullptr).IsInvalidArgument());
  EXPECT_EQ(ReadAll("000004.log"), bytes + "more");
  Close(log);
  EXPECT_EQ(ReadWholeFile(path_), bytes + "more");
}

TEST_P(SideFileNameTest, OneThatIsUnusableStays) {
  SideBuilder built(path_);
  built.Prepare();
  ++built.header.checksum;
  built.WriteSide();
  EXPECT_FALSE(fs_->DeleteFile(built.side_path(), io_, nullptr).ok());
  const std::string elsewhere = Path("elsewhere");
  EXPECT_FALSE(
      fs_->RenameFile(built.side_path(), elsewhere, io_, nullptr).ok());
  EXPECT_FALSE(fs_->Truncate(built.side_path(), 0, io_, nullptr).ok());
  File file;
  EXPECT_FALSE(
      fs_->NewWritableFile(built.side_path(), {}, &file, nullptr).ok());
  // Its log neither; but who deletes by a list has to have one.
  std::vector<std::string> names;
  EXPECT_FALSE(fs_->GetChildren(Path(""), io_, &names, nullptr).ok());
  EXPECT_THAT(names, ::testing::Contains("000004.log"));
  EXPECT_FALSE(fs_->DeleteFile(path_, io_, nullptr).ok());
  EXPECT_EQ(ReadWholeFile(built.side_path()), built.side_bytes());
}

}  // namespace
}  // namespace uringfs::test
