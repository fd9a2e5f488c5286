// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/device/io_errno.h"

#include <cerrno>
#include <string>
#include <system_error>

#include "src/base/assert.h"

namespace uringfs {
namespace {

// The first row that matches counts; the row with errno 0 closes each group.
constexpr ErrnoRow kTable[] = {
    {IoOp::kRingWrite, EINTR, Verdict::kRetry,
     "a signal came before anything was written"},
    {IoOp::kRingWrite, EAGAIN, Verdict::kRetryBounded,
     "the write would have had to block (XFS, device mapper, a full request "
     "queue); pwrite may block, so it ends the series"},
    {IoOp::kRingWrite, ECANCELED, Verdict::kFallBackToPwrite,
     "the thread that submitted it exited while the request was parked with "
     "its workers: the request is over and its bytes were not written"},
    {IoOp::kRingWrite, EFAULT, Verdict::kFallBackToPwrite,
     "as ECANCELED, where the submission was retried without the thread's "
     "memory; an address that is really bad fails again in pwrite"},
    {IoOp::kRingWrite, ENOMEM, Verdict::kFallBackToPwrite,
     "no memory for the request itself; pwrite needs none"},
    {IoOp::kRingWrite, EINVAL, Verdict::kFallBackToPwrite,
     "the kernel lacks the opcode, or the file system refuses O_DIRECT after "
     "all: pwrite finds out which"},
    {IoOp::kRingWrite, EOPNOTSUPP, Verdict::kFallBackToPwrite,
     "the file system cannot do this asynchronously"},
    {IoOp::kRingWrite, ENOSPC, Verdict::kFail, "no space: the caller decides"},
    {IoOp::kRingWrite, EDQUOT, Verdict::kFail, "quota: the caller decides"},
    {IoOp::kRingWrite, EFBIG, Verdict::kFail, "beyond the file size limit"},
    {IoOp::kRingWrite, EIO, Verdict::kFail,
     "the media failed; a second try could succeed on other sectors and hide "
     "that earlier bytes are lost"},
    {IoOp::kRingWrite, EBADF, Verdict::kImpossible,
     "someone closed our descriptor: its number may be another file's next"},
    {IoOp::kRingWrite, ESPIPE, Verdict::kImpossible,
     "only regular files are opened"},
    {IoOp::kRingWrite, 0, Verdict::kFail, "unknown: nothing may be assumed"},

    {IoOp::kPwrite, EINTR, Verdict::kRetry,
     "a signal came before anything was written"},
    {IoOp::kPwrite, EAGAIN, Verdict::kRetryBounded,
     "a passing shortage below the file system"},
    {IoOp::kPwrite, EINVAL, Verdict::kDropDirect,
     "offset, length and address are aligned, so it is O_DIRECT itself that "
     "the file system refuses"},
    {IoOp::kPwrite, ENOSPC, Verdict::kFail, "no space: the caller decides"},
    {IoOp::kPwrite, EDQUOT, Verdict::kFail, "quota: the caller decides"},
    {IoOp::kPwrite, EFBIG, Verdict::kFail, "beyond the file size limit"},
    {IoOp::kPwrite, EIO, Verdict::kFail, "as for the ring"},
    {IoOp::kPwrite, EFAULT, Verdict::kFail,
     "the memory is a file mapping that was cut below us"},
    {IoOp::kPwrite, EBADF, Verdict::kImpossible, "as for the ring"},
    {IoOp::kPwrite, ESPIPE, Verdict::kImpossible, "as for the ring"},
    {IoOp::kPwrite, 0, Verdict::kFail, "unknown: nothing may be assumed"},

    {IoOp::kRead, EINTR, Verdict::kRetry, "a signal came first"},
    {IoOp::kRead, EAGAIN, Verdict::kRetryBounded, "as for pwrite"},
    {IoOp::kRead, EINVAL, Verdict::kDropDirect, "as for pwrite"},
    {IoOp::kRead, EBADF, Verdict::kImpossible, "as for the ring"},
    {IoOp::kRead, 0, Verdict::kFail, "reading again is up to the caller"},

    // No other flush is ever repeated: the kernel marks pages clean when their
    // write-back fails, and the second fsync answers OK over lost bytes.
    {IoOp::kFlush, EINTR, Verdict::kRetry,
     "interrupted before the device answered: nothing was reported yet"},
    {IoOp::kFlush, EBADF, Verdict::kImpossible, "as for the ring"},
    {IoOp::kFlush, 0, Verdict::kFail,
     "the state of all earlier writes is unknown from here on"},

    {IoOp::kResize, EINTR, Verdict::kRetry, "a signal came first"},
    {IoOp::kResize, EBADF, Verdict::kImpossible, "as for the ring"},
    {IoOp::kResize, 0, Verdict::kFail, "the size is as it was"},

    {IoOp::kAllocate, EINTR, Verdict::kRetry, "a signal came first"},
    {IoOp::kAllocate, EBADF, Verdict::kImpossible, "as for the ring"},
    {IoOp::kAllocate, 0, Verdict::kFail,
     "nothing depends on it: the log grows as it is written"},

    {IoOp::kRingSubmit, EINTR, Verdict::kRetry, "a signal came first"},
    {IoOp::kRingSubmit, EAGAIN, Verdict::kRetryBounded,
     "no memory for a request: completions that are reaped give some back"},
    {IoOp::kRingSubmit, EBUSY, Verdict::kRetryBounded,
     "completions overflowed: reap, then retry"},
    {IoOp::kRingSubmit, 0, Verdict::kFallBackToPwrite,
     "the kernel did not take the request, so it can be done without it (a "
     "seccomp filter that was installed late answers EPERM or ENOSYS)"},

    {IoOp::kRingWait, EINTR, Verdict::kRetry, "a signal came first"},
    {IoOp::kRingWait, EAGAIN, Verdict::kRetry, "nothing has completed yet"},
    {IoOp::kRingWait, EBUSY, Verdict::kRetry, "completions overflowed: reap"},
    {IoOp::kRingWait, 0, Verdict::kImpossible,
     "without its completion nobody can tell when the kernel stops reading "
     "the memory of a write: neither going on nor giving up is safe"},

    {IoOp::kRingSetup, EINTR, Verdict::kRetry, "a signal came first"},
    {IoOp::kRingSetup, 0, Verdict::kFallBackToPwrite,
     "everything a ring does can be done by pwrite"},
};

const char* RefusalAdvice(int error) {
  switch (error) {
    case ENOSYS:
      return "this kernel or sandbox has no io_uring; Linux 5.10 or newer "
             "has it";
    case EPERM:
    case EACCES:
      return "forbidden by a seccomp filter (the default of containers) or by "
             "the sysctl kernel.io_uring_disabled; allow io_uring_setup, "
             "io_uring_enter and io_uring_register in the seccomp profile or "
             "set the sysctl to 0";
    case ENOMEM:
      return "the limit of locked memory is too low; raise it (ulimit -l)";
    case EMFILE:
    case ENFILE:
      return "too many open files; raise the limit (ulimit -n)";
    case EINVAL:
      return "this kernel's io_uring is too old; Linux 5.10 or newer is "
             "needed";
    default:
      return "the reason is not known";
  }
}

}  // namespace

const ErrnoRow& LookUpErrno(IoOp op, int error) {
  URINGFS_CHECK_LT(0, error);
  for (const ErrnoRow& row : kTable) {
    if (row.op == op && (row.error == error || row.error == 0)) {
      return row;
    }
  }
  URINGFS_CHECK(false && "an operation has no closing row");
  return kTable[0];
}

Verdict JudgeErrno(IoOp op, int error) {
  return LookUpErrno(op, error).verdict;
}

Status RingRefused(int error) {
  return Status::NotSupported(std::string("io_uring_setup: ") +
                              std::generic_category().message(error) + ": " +
                              RefusalAdvice(error));
}

}  // namespace uringfs
