// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/device/direct_file.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "src/base/align.h"
#include "src/base/assert.h"
#include "src/base/file_size_limit.h"

namespace uringfs {

int RemainingVectors(const Write& write, iovec vectors[Write::kMaxSegments]) {
  uint32_t skip = write.done_bytes;
  int count = 0;
  for (uint32_t i = 0; i < write.segment_count; ++i) {
    const Segment& segment = write.segments[i];
    if (skip >= segment.bytes) {
      skip -= segment.bytes;
      continue;
    }
    // iovec serves reads as well and has no const.
    vectors[count].iov_base = const_cast<char*>(segment.data) + skip;
    vectors[count].iov_len = segment.bytes - skip;
    skip = 0;
    ++count;
  }
  return count;
}

Progress BookTransfer(Write* write, uint32_t bytes) {
  const uint32_t total = write->bytes();
  const uint32_t reached = write->done_bytes + bytes;
  URINGFS_CHECK_LE(reached, total);
  if (reached == total) {
    write->done_bytes = total;
    write->error = 0;
    return Progress::kWhole;
  }
  const auto aligned =
      static_cast<uint32_t>(AlignDown(reached, kDeviceBlockBytes));
  if (aligned > write->done_bytes) {
    write->attempts = 0;
    write->done_bytes = aligned;
    return Progress::kContinue;
  }
  // A transfer of nothing is not tried again: the kernel promises progress or
  // an errno.
  return bytes == 0 || ++write->attempts >= kMaxShortTransfers
             ? Progress::kStuck
             : Progress::kContinue;
}

DirectFile::DirectFile(Sys* sys, int fd, std::string path, bool direct,
                       bool direct_required)
    : sys_(sys),
      path_(std::move(path)),
      direct_required_(direct_required),
      fd_(fd),
      direct_(direct) {}

DirectFile::~DirectFile() { (void)Close(); }

std::string DirectFile::reason() const {
  const MutexLock lock(&reason_mutex_);
  return reason_;
}

void DirectFile::AddReason(const std::string& sentence) {
  const MutexLock lock(&reason_mutex_);
  if (sentence.empty() || reason_.find(sentence) != std::string::npos) {
    return;
  }
  reason_ += reason_.empty() ? sentence : "; " + sentence;
}

bool DirectFile::DropDirect() {
  if (!direct() || direct_required_) {
    return false;
  }
  if (!SetDirectFlag(false)) {
    return false;
  }
  is_caching_ = false;
  direct_.store(false, std::memory_order_relaxed);
  AddReason("buffered: the file system refused an aligned O_DIRECT transfer");
  return true;
}

bool DirectFile::SetDirectFlag(bool direct) {
  const int flags = ::fcntl(fd_, F_GETFL);
  if (flags < 0 ||
      ::fcntl(fd_, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) !=
          0) {
    return false;
  }
  is_caching_ = !direct;
  return true;
}

bool DirectFile::MayRetry(IoOp op, int error, uint32_t* attempts) {
  switch (JudgeErrno(op, error)) {
    case Verdict::kRetry:
      return true;
    case Verdict::kRetryBounded:
      ::sched_yield();
      return ++*attempts <= kMaxRetries;
    case Verdict::kDropDirect:
      return DropDirect();
    case Verdict::kFail:
    case Verdict::kFallBackToPwrite:  // this is the fall-back
      return false;
    case Verdict::kImpossible:
      break;
  }
  URINGFS_CHECK_WITH(false && "impossible errno", op, error);
  return false;
}

void DirectFile::FinishByPwrite(Write* write) {
  const int flags = write->dsync ? RWF_DSYNC : 0;
  write->attempts = 0;
  write->error = 0;
  for (;;) {
    iovec vectors[Write::kMaxSegments];
    const int count = RemainingVectors(*write, vectors);
    const ssize_t result = sys_->Pwritev2(
        fd_, vectors, count,
        static_cast<off_t>(write->offset + write->done_bytes), flags);
    if (result >= 0) {
      const auto bytes = static_cast<uint32_t>(result);
      const Progress progress = BookTransfer(write, bytes);
      if (progress == Progress::kWhole ||
          (progress == Progress::kStuck && !Unstick(write, bytes))) {
        return;
      }
      continue;
    }
    const int error = static_cast<int>(-result);
    if (error == EFBIG && FinishWithoutPadding(write)) {
      return;
    }
    if (!MayRetry(IoOp::kPwrite, error, &write->attempts)) {
      write->error = error;
      return;
    }
  }
}

// Direct writes end at blocks, so this one goes through the page cache; a log
// gets here once it is within a block of the limit. Where O_DIRECT is required
// the last block whose end fits is all that can be had.
bool DirectFile::FinishWithoutPadding(Write* write) {
  const uint64_t limit = FileSizeLimit();
  const uint64_t end = write->end() - write->padding_bytes;
  if (direct_required_ || end > limit || write->end() <= limit) {
    return false;
  }
  write->error = StartCaching();
  uint64_t at = write->offset;
  for (uint32_t i = 0; i < write->segment_count && write->error == 0; ++i) {
    const Segment& segment = write->segments[i];
    write->error = WriteWhole(at, segment.data,
                              std::min<uint64_t>(segment.bytes, end - at),
                              write->dsync ? RWF_DSYNC : 0);
    at += segment.bytes;
  }
  return true;
}

bool DirectFile::Unstick(Write* write, uint32_t bytes) {
  write->error = EIO;
  if (bytes == 0) {
    return false;
  }
  const uint32_t done = write->done_bytes;
  write->done_bytes = done + bytes;
  iovec vectors[Write::kMaxSegments];
  const int count = RemainingVectors(*write, vectors);
  const ssize_t result =
      sys_->Pwritev2(fd_, vectors, count,
                     static_cast<off_t>(write->offset + write->done_bytes),
                     write->dsync ? RWF_DSYNC : 0);
  write->done_bytes = done;
  if (result < 0) {
    // EINVAL is only about the odd offset that we have chosen ourselves.
    write->error = result == -EINVAL ? EIO : static_cast<int>(-result);
    return false;
  }
  return BookTransfer(write, bytes + static_cast<uint32_t>(result)) ==
         Progress::kContinue;
}

Status DirectFile::MakeDurable(SyncKind kind) {
  const bool full = kind == SyncKind::kFull;
  uint32_t attempts = 0;
  for (;;) {
    // The plain call: io_uring hands every fsync to a worker thread anyway.
    const int result = full ? sys_->Fsync(fd_) : sys_->Fdatasync(fd_);
    if (result == 0) {
      return Status::Ok();
    }
    if (!MayRetry(IoOp::kFlush, -result, &attempts)) {
      return Status::FromErrno(-result, full ? "fsync" : "fdatasync", path_);
    }
  }
}

Status DirectFile::Resize(uint64_t bytes) {
  uint32_t attempts = 0;
  for (;;) {
    const int result = sys_->Ftruncate(fd_, static_cast<off_t>(bytes));
    if (result == 0) {
      return Status::Ok();
    }
    if (!MayRetry(IoOp::kResize, -result, &attempts)) {
      return Status::FromErrno(-result, "ftruncate", path_);
    }
  }
}

Status DirectFile::Read(uint64_t offset, char* data, size_t bytes,
                        size_t* got) {
  uint32_t attempts = 0;
  *got = 0;
  while (*got < bytes) {
    // A read that ended within a block is repeated from the block's begin, as
    // direct reads must; if that brings nothing more it was the end of file.
    const size_t start = AlignDown(*got, kDeviceBlockBytes);
    const ssize_t result = sys_->Pread(fd_, data + start, bytes - start,
                                       static_cast<off_t>(offset + start));
    if (result < 0) {
      const int error = static_cast<int>(-result);
      if (!MayRetry(IoOp::kRead, error, &attempts)) {
        return Status::FromErrno(error, "pread", path_);
      }
      continue;
    }
    const size_t reached = start + static_cast<size_t>(result);
    if (reached <= *got) {
      break;
    }
    *got = reached;
    attempts = 0;
  }
  return Status::Ok();
}

int DirectFile::StartCaching() {
  return direct() && !is_caching_ && !SetDirectFlag(false) ? errno : 0;
}

// Returns 0 or the errno.
int DirectFile::WriteWhole(uint64_t offset, const char* data, size_t bytes,
                           int flags) {
  uint32_t attempts = 0;
  for (size_t done = 0; done < bytes;) {
    // iovec serves reads as well and has no const.
    const iovec rest = {const_cast<char*>(data) + done, bytes - done};
    const ssize_t result =
        sys_->Pwritev2(fd_, &rest, 1, static_cast<off_t>(offset + done), flags);
    if (result > 0) {
      done += static_cast<size_t>(result);
      attempts = 0;
      continue;
    }
    const int error = result == 0 ? EIO : static_cast<int>(-result);
    if (result == 0 || !MayRetry(IoOp::kPwrite, error, &attempts)) {
      return error;
    }
  }
  return 0;
}

Status DirectFile::WriteCached(uint64_t offset, const char* data,
                               size_t bytes) {
  int error = StartCaching();
  if (error != 0) {
    return Status::FromErrno(error, "fcntl", path_);
  }
  error = WriteWhole(offset, data, bytes, 0);
  return error == 0 ? Status::Ok() : Status::FromErrno(error, "write", path_);
}

Status DirectFile::WriteBack() {
  int result = 0;
  do {
    result =
        ::sync_file_range(fd_, 0, 0,
                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                              SYNC_FILE_RANGE_WAIT_AFTER);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? Status::Ok()
                     : Status::FromErrno(errno, "sync_file_range", path_);
}

void DirectFile::SetLifetimeHint(int hint) {
  uint64_t value = static_cast<uint64_t>(hint);
  (void)::fcntl(fd_, F_SET_RW_HINT, &value);
}

Status DirectFile::Close() {
  if (fd_ >= 0) {
    // A child of fork may have a copy of the descriptor, and the lock with it.
    (void)::flock(fd_, LOCK_UN);
    const int result = sys_->Close(fd_);
    fd_ = -1;
    // Linux has freed the descriptor whatever close answers; a second close
    // could hit another thread's new file.
    if (result < 0 && result != -EINTR) {
      close_status_ = Status::FromErrno(-result, "close", path_);
    }
  }
  return close_status_;
}

}  // namespace uringfs
