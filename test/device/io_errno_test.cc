// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/device/io_errno.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace uringfs {
namespace {

constexpr IoOp kAllOps[] = {
    IoOp::kRingWrite,  IoOp::kPwrite,   IoOp::kRead,
    IoOp::kFlush,      IoOp::kResize,   IoOp::kAllocate,
    IoOp::kRingSubmit, IoOp::kRingWait, IoOp::kRingSetup};

TEST(IoErrno, EveryErrnoOfEveryOperationIsDecidedAndHasAReason) {
  for (const IoOp op : kAllOps) {
    for (int error = 1; error < 140; ++error) {
      const ErrnoRow& row = LookUpErrno(op, error);
      EXPECT_EQ(row.op, op);
      EXPECT_TRUE(row.error == error || row.error == 0);
      EXPECT_NE(std::string(row.why), "");
    }
  }
}

TEST(IoErrno, InterruptionIsAlwaysRetried) {
  for (const IoOp op : kAllOps) {
    EXPECT_EQ(JudgeErrno(op, EINTR), Verdict::kRetry);
  }
}

TEST(IoErrno, NoOtherFlushIsEverRetried) {
  for (int error = 1; error < 140; ++error) {
    if (error == EINTR) {
      continue;
    }
    const Verdict verdict = JudgeErrno(IoOp::kFlush, error);
    EXPECT_TRUE(verdict == Verdict::kFail || verdict == Verdict::kImpossible)
        << error;
  }
}

TEST(IoErrno, WritesLostWithTheirThreadAreDoneAgain) {
  EXPECT_EQ(JudgeErrno(IoOp::kRingWrite, ECANCELED),
            Verdict::kFallBackToPwrite);
  EXPECT_EQ(JudgeErrno(IoOp::kRingWrite, EFAULT), Verdict::kFallBackToPwrite);
  EXPECT_EQ(JudgeErrno(IoOp::kPwrite, EFAULT), Verdict::kFail);
}

TEST(IoErrno, MediaErrorsAndFullDisksAreToldAtOnce) {
  for (const int error : {EIO, ENOSPC, EDQUOT, EFBIG, EROFS, ENODEV}) {
    EXPECT_EQ(JudgeErrno(IoOp::kRingWrite, error), Verdict::kFail) << error;
    EXPECT_EQ(JudgeErrno(IoOp::kPwrite, error), Verdict::kFail) << error;
  }
}

TEST(IoErrno, PwriteNeverFallsBackToItself) {
  for (int error = 1; error < 140; ++error) {
    EXPECT_NE(JudgeErrno(IoOp::kPwrite, error), Verdict::kFallBackToPwrite);
  }
}

TEST(IoErrno, RefusalOfARingNamesCauseAndWayOut) {
  EXPECT_EQ(RingRefused(EPERM).code(), Status::Code::kNotSupported);
  EXPECT_NE(RingRefused(EPERM).ToString().find("kernel.io_uring_disabled"),
            std::string::npos);
  EXPECT_NE(RingRefused(EPERM).ToString().find("seccomp"), std::string::npos);
  EXPECT_NE(RingRefused(ENOMEM).ToString().find("ulimit -l"),
            std::string::npos);
  EXPECT_NE(RingRefused(ENOSYS).ToString().find("5.10"), std::string::npos);
  EXPECT_NE(RingRefused(EMFILE).ToString().find("ulimit -n"),
            std::string::npos);
}

TEST(IoErrnoDeathTest, ThereIsNoErrnoZero) {
  EXPECT_DEATH((void)LookUpErrno(IoOp::kPwrite, 0), "check failed");
}

}  // namespace
}  // namespace uringfs
