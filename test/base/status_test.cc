// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "uringfs/status.h"

#include <cerrno>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(StatusTest, DefaultIsOk) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), Status::Code::kOk);
  EXPECT_EQ(status.error_number(), 0);
  EXPECT_EQ(status.ToString(), "OK");
  EXPECT_TRUE(Status::Ok().ok());
}

TEST(StatusTest, ErrnoMessageNamesOperationPathAndCause) {
  const Status status = Status::FromErrno(EIO, "write", "/db/000004.log");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code(), Status::Code::kIoError);
  EXPECT_EQ(status.error_number(), EIO);
  EXPECT_EQ(status.ToString(), "write: /db/000004.log: Input/output error");
}

TEST(StatusTest, FullDiskAndQuotaAreNoSpaceAndSayWhatToDo) {
  for (int error : {ENOSPC, EDQUOT}) {
    const Status status = Status::FromErrno(error, "extend", "/db/7.sst");
    EXPECT_EQ(status.code(), Status::Code::kNoSpace);
    EXPECT_EQ(status.error_number(), error);
    EXPECT_THAT(status.ToString(),
                AllOf(HasSubstr("/db/7.sst"), HasSubstr("free space")));
  }
}

TEST(StatusTest, CausesAUserCanRemoveComeWithAdvice) {
  const struct {
    int error;
    const char* advice;
  } cases[] = {
      {EFBIG, "ulimit -f"},       {EROFS, "read-only"},
      {EACCES, "permissions"},    {EPERM, "permissions"},
      {EMFILE, "ulimit -n"},      {ENOMEM, "fewer or smaller flush buffers"},
      {EDQUOT, "the disk quota"},
  };
  for (const auto& one : cases) {
    EXPECT_THAT(Status::FromErrno(one.error, "open", "f").ToString(),
                HasSubstr(one.advice))
        << "errno " << one.error;
  }
}

TEST(StatusTest, MessageWithoutPathHasNoEmptyPart) {
  EXPECT_THAT(
      Status::FromErrno(ENOMEM, "allocate flush buffers", "").ToString(),
      HasSubstr("allocate flush buffers: Cannot allocate memory"));
  EXPECT_EQ(Status::InvalidArgument("buffers_count = 1").ToString(),
            "buffers_count = 1");
}

TEST(StatusTest, KindsWithoutErrno) {
  EXPECT_EQ(Status::InvalidArgument("a").code(),
            Status::Code::kInvalidArgument);
  EXPECT_EQ(Status::NotSupported("b").code(), Status::Code::kNotSupported);
  const Status closed = Status::Closed("/db/000004.log");
  EXPECT_EQ(closed.code(), Status::Code::kClosed);
  EXPECT_EQ(closed.error_number(), 0);
  EXPECT_EQ(closed.ToString(), "the log is closed: /db/000004.log");
}

TEST(StatusTest, CopiesOutliveTheOriginal) {
  Status copy;
  {
    const Status original = Status::FromErrno(EIO, "sync", "/db/f");
    copy = original;
    EXPECT_EQ(copy.ToString(), original.ToString());
  }
  EXPECT_EQ(copy.error_number(), EIO);
  copy = Status::Ok();
  EXPECT_TRUE(copy.ok());
}

}  // namespace
}  // namespace uringfs
