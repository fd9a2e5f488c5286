// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/device/uring_queue.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "src/base/assert.h"
#include "src/base/fork_count.h"
#include "src/device/io_errno.h"

namespace uringfs {
namespace {

// The kernel's limit for one registered buffer.
constexpr size_t kMaxBufferBytes = size_t{1} << 30;

static_assert((UringQueue::kEntries & (UringQueue::kEntries - 1)) == 0,
              "an entry's place is its number, modulo this");

}  // namespace

UringQueue::UringQueue(Sys* sys, char* memory, size_t bytes)
    : sys_(sys), memory_(memory), bytes_(bytes), forks_(ForkCount()) {}

Status UringQueue::Create(Sys* sys, char* memory, size_t bytes,
                          std::unique_ptr<UringQueue>* queue) {
  queue->reset();
  auto made = std::unique_ptr<UringQueue>(new UringQueue(sys, memory, bytes));
  int result = 0;
  do {
    std::memset(&made->ring_, 0, sizeof(made->ring_));
    result = sys->RingSetup(kEntries, &made->ring_);
  } while (result < 0 &&
           JudgeErrno(IoOp::kRingSetup, -result) == Verdict::kRetry);
  if (result < 0) {
    made->ring_.ring_fd = -1;
    return RingRefused(-result);
  }
  // Best effort: a child that inherits the mappings must not touch them, and
  // IsOurs sees to that too.
  (void)::io_uring_ring_dontfork(&made->ring_);
  made->Register();
  *queue = std::move(made);
  return Status::Ok();
}

UringQueue::~UringQueue() {
  if (ring_.ring_fd < 0) {
    return;
  }
  if (IsOurs()) {
    ::io_uring_queue_exit(&ring_);
  } else {
    // The mappings were not inherited: other memory may be there by now.
    ::close(ring_.ring_fd);
  }
}

void UringQueue::Register() {
  if (bytes_ == 0) {
    return;
  }
  std::vector<iovec> vectors;
  for (size_t at = 0; at < bytes_; at += kMaxBufferBytes) {
    vectors.push_back(
        iovec{memory_ + at, std::min(kMaxBufferBytes, bytes_ - at)});
  }
  const int result = sys_->RingRegister(&ring_, vectors.data(),
                                        static_cast<unsigned>(vectors.size()));
  registered_ = result >= 0;
  if (!registered_) {
    registration_refusal_ = std::string("buffers not registered: ") +
                            std::generic_category().message(-result);
    if (result == -ENOMEM) {
      registration_refusal_ +=
          ": the limit of locked memory is too low; raise it (ulimit -l)";
    }
  }
}

bool UringQueue::IsOurs() const { return forks_ == ForkCount(); }

int UringQueue::BufferOf(const iovec& vector) const {
  const auto begin = reinterpret_cast<uintptr_t>(vector.iov_base);
  const auto first = reinterpret_cast<uintptr_t>(memory_);
  if (!registered_ || begin < first ||
      begin + vector.iov_len > first + bytes_) {
    return -1;
  }
  const size_t index = (begin - first) / kMaxBufferBytes;
  const size_t last = (begin - first + vector.iov_len - 1) / kMaxBufferBytes;
  return index == last ? static_cast<int>(index) : -1;
}

bool UringQueue::Prepare(int fd, const iovec* vectors, int count,
                         uint64_t offset, bool dsync, void* user) {
  io_uring_sqe* sqe = ::io_uring_get_sqe(&ring_);
  if (sqe == nullptr) {
    return false;
  }
  const auto bytes = static_cast<unsigned>(vectors[0].iov_len);
  const int buffer = count == 1 ? BufferOf(vectors[0]) : -1;
  if (buffer >= 0) {
    ::io_uring_prep_write_fixed(sqe, fd, vectors[0].iov_base, bytes, offset,
                                buffer);
  } else if (count == 1) {
    ::io_uring_prep_write(sqe, fd, vectors[0].iov_base, bytes, offset);
  } else {
    ::io_uring_prep_writev(sqe, fd, vectors, static_cast<unsigned>(count),
                           offset);
  }
  sqe->rw_flags = dsync ? RWF_DSYNC : 0;
  ::io_uring_sqe_set_data(sqe, user);
  return true;
}

bool UringQueue::PrepareRead(int fd, const iovec& vector, uint64_t offset,
                             void* user) {
  io_uring_sqe* sqe = ::io_uring_get_sqe(&ring_);
  if (sqe == nullptr) {
    return false;
  }
  const auto bytes = static_cast<unsigned>(vector.iov_len);
  const int buffer = BufferOf(vector);
  if (buffer >= 0) {
    ::io_uring_prep_read_fixed(sqe, fd, vector.iov_base, bytes, offset, buffer);
  } else {
    ::io_uring_prep_read(sqe, fd, vector.iov_base, bytes, offset);
  }
  ::io_uring_sqe_set_data(sqe, user);
  return true;
}

int UringQueue::Submit() {
  for (;;) {
    const int result = sys_->RingSubmit(&ring_);
    if (result == -EINTR) {
      continue;
    }
    if (result < 0) {
      return -result;
    }
    // The count alone does not tell: it may cover older no-ops.
    if (::io_uring_sq_ready(&ring_) == 0) {
      return 0;
    }
    if (result == 0) {
      return EAGAIN;
    }
  }
}

size_t UringQueue::Withdraw() {
  // The kernel takes entries in order, so the last ones are still ours. They
  // cannot be taken out of the queue, but can be made to do nothing.
  const unsigned untaken = ::io_uring_sq_ready(&ring_);
  size_t withdrawn = 0;
  for (unsigned i = 1; i <= untaken; ++i) {
    io_uring_sqe* const sqe =
        &ring_.sq.sqes[(ring_.sq.sqe_tail - i) & (kEntries - 1)];
    withdrawn += sqe->user_data != 0 ? 1 : 0;
    ::io_uring_prep_nop(sqe);
    ::io_uring_sqe_set_data(sqe, nullptr);
  }
  return withdrawn;
}

bool UringQueue::Next(void** user, int* result) {
  io_uring_cqe* cqe = nullptr;
  while (::io_uring_peek_cqe(&ring_, &cqe) == 0) {
    *user = ::io_uring_cqe_get_data(cqe);
    *result = cqe->res;
    ::io_uring_cqe_seen(&ring_, cqe);
    if (*user != nullptr) {
      *result = sys_->RingResult(*result);
      return true;
    }
  }
  return false;
}

int UringQueue::Wait() { return -sys_->RingWait(&ring_); }

}  // namespace uringfs
