// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Giving a file blocks ahead of its data: written ones for a log, allocated
// ones for data files. A write into written ones is an overwrite: neither the
// file's size nor its extents change, so making it durable takes no commit of
// the file system's journal. Blocks that are only allocated would not do there:
// their first write has to note that they are written.

#include <algorithm>
#include <cerrno>

#include "src/base/align.h"
#include "src/device/direct_file.h"

namespace uringfs {
namespace {

// Of <linux/falloc.h>, since Linux 6.17: allocates, and lets the device write
// the zeros itself; refused where it cannot.
constexpr int kWriteZeroes = 0x80;

// Never written to, so that all its pages are the kernel's one page of zeros.
const char* Zeros() {
  alignas(kDeviceBlockBytes) static char zeros[kMaxWriteBytes];
  return zeros;
}

}  // namespace

Status DirectFile::Fallocate(int mode, uint64_t from, uint64_t to) {
  uint32_t attempts = 0;
  for (;;) {
    const int result = sys_->Fallocate(fd_, mode, static_cast<off_t>(from),
                                       static_cast<off_t>(to - from));
    if (result == 0) {
      return Status::Ok();
    }
    if (!MayRetry(IoOp::kAllocate, -result, &attempts)) {
      return result == -EOPNOTSUPP || result == -EINVAL || result == -ENOSYS
                 ? Status::NotSupported("fallocate of " + path_)
                 : Status::FromErrno(-result, "fallocate", path_);
    }
  }
}

// Not by FinishByPwrite: giving up O_DIRECT is not for a thread beside the
// owner to decide.
Status DirectFile::WriteZeros(uint64_t from, uint64_t to) {
  uint32_t attempts = 0;
  for (uint64_t at = from; at < to;) {
    // iovec serves reads as well and has no const.
    const iovec zeros = {const_cast<char*>(Zeros()),
                         std::min<uint64_t>(kMaxWriteBytes, to - at)};
    const ssize_t result =
        sys_->Pwritev2(fd_, &zeros, 1, static_cast<off_t>(at), 0);
    // Direct writes begin at a block.
    const uint64_t bytes =
        result > 0 ? AlignDown(static_cast<uint64_t>(result), kDeviceBlockBytes)
                   : 0;
    if (bytes > 0) {
      at += bytes;
      attempts = 0;
      continue;
    }
    const int error = result < 0 ? static_cast<int>(-result) : EIO;
    const Verdict verdict = JudgeErrno(IoOp::kPwrite, error);
    if (verdict == Verdict::kRetry) {
      continue;
    }
    if (verdict != Verdict::kRetryBounded || ++attempts > kMaxRetries) {
      return Status::FromErrno(error, "write zeros ahead", path_);
    }
  }
  return Status::Ok();
}

Status DirectFile::Extend(uint64_t from, uint64_t to) {
  if (!direct()) {
    return Status::NotSupported("a buffered file is not extended ahead: " +
                                path_);
  }
  Status status = Fallocate(kWriteZeroes, from, to);
  if (status.code() != Status::Code::kNotSupported) {
    return status;
  }
  // The size first, in one short step: what extends a file keeps other writes
  // out, and what fills it does not.
  status = Fallocate(0, from, to);
  return status.ok() ? WriteZeros(from, to) : status;
}

Status DirectFile::Allocate(uint64_t from, uint64_t to) {
  return direct() ? Fallocate(0, from, to)
                  : Status::NotSupported(
                        "a buffered file is not allocated ahead: " + path_);
}

}  // namespace uringfs
