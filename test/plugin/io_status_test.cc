// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "plugin/io_status.h"

#include <cerrno>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs {
namespace {

rdb::IOStatus From(int error) {
  return ToIOStatus(Status::FromErrno(error, "pwrite", "/db/1.log"));
}

TEST(IoStatusTest, OkIsOk) { EXPECT_TRUE(ToIOStatus(Status::Ok()).ok()); }

TEST(IoStatusTest, NoSpaceIsRetryable) {
  for (int error : {ENOSPC, EDQUOT}) {
    const rdb::IOStatus status = From(error);
    EXPECT_TRUE(status.IsNoSpace());
    EXPECT_TRUE(status.GetRetryable());
    EXPECT_FALSE(status.GetDataLoss());
    EXPECT_EQ(status.GetScope(), rdb::IOStatus::kIOErrorScopeFileSystem);
  }
}

TEST(IoStatusTest, AMissingPathIsPathNotFound) {
  EXPECT_TRUE(From(ENOENT).IsPathNotFound());
  EXPECT_TRUE(From(ENOENT).IsIOError());
}

TEST(IoStatusTest, AStaleHandleIsStaleFile) {
  EXPECT_TRUE(From(ESTALE).IsIOError());
  EXPECT_EQ(From(ESTALE).subcode(), rdb::Status::kStaleFile);
}

TEST(IoStatusTest, OtherFailuresAreIoErrorsThatAreNotRetried) {
  for (int error : {EIO, EACCES, EFBIG, EROFS, EBADF}) {
    const rdb::IOStatus status = From(error);
    EXPECT_TRUE(status.IsIOError()) << error;
    EXPECT_EQ(status.subcode(), rdb::Status::kNone) << error;
    EXPECT_FALSE(status.GetRetryable()) << error;
  }
}

TEST(IoStatusTest, TheMessageIsTheCores) {
  EXPECT_THAT(From(EIO).ToString(), ::testing::HasSubstr("/db/1.log"));
}

TEST(IoStatusTest, CodesWithoutAnErrno) {
  EXPECT_TRUE(ToIOStatus(Status::InvalidArgument("x")).IsInvalidArgument());
  EXPECT_TRUE(ToIOStatus(Status::NotSupported("x")).IsNotSupported());
  EXPECT_TRUE(ToIOStatus(Status::Closed("/db/1.log")).IsIOError());
}

}  // namespace
}  // namespace uringfs
