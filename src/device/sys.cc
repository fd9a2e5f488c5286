// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/device/sys.h"

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <cerrno>

#include "src/base/file_size_limit.h"

namespace uringfs {
namespace {

template <typename Result>
Result OrErrno(Result result) {
  return result < 0 ? -errno : result;
}

}  // namespace

Sys* Sys::Real() {
  static Sys* const real =
      new Sys;  // never destroyed: devices may outlive main
  return real;
}

ssize_t Sys::Pwritev2(int fd, const iovec* vectors, int count, off_t offset,
                      int flags) {
  auto end = static_cast<uint64_t>(offset);
  for (int i = 0; i < count; ++i) {
    end += vectors[i].iov_len;
  }
  if (!MayWriteUpTo(end)) {
    return -EFBIG;
  }
  return OrErrno(::pwritev2(fd, vectors, count, offset, flags));
}

ssize_t Sys::Pread(int fd, char* data, size_t bytes, off_t offset) {
  return OrErrno(::pread(fd, data, bytes, offset));
}

ssize_t Sys::PreadCached(int fd, char* data, size_t bytes, off_t offset) {
  const iovec vector = {data, bytes};
  return OrErrno(::preadv2(fd, &vector, 1, offset, RWF_NOWAIT));
}

int Sys::Ftruncate(int fd, off_t bytes) {
  return MayBecome(fd, static_cast<uint64_t>(bytes))
             ? OrErrno(::ftruncate(fd, bytes))
             : -EFBIG;
}

int Sys::Fallocate(int fd, int mode, off_t offset, off_t bytes) {
  return MayBecome(fd, static_cast<uint64_t>(offset + bytes))
             ? OrErrno(::fallocate(fd, mode, offset, bytes))
             : -EFBIG;
}

int Sys::Fdatasync(int fd) { return OrErrno(::fdatasync(fd)); }

int Sys::Fsync(int fd) { return OrErrno(::fsync(fd)); }

int Sys::Close(int fd) { return OrErrno(::close(fd)); }

int Sys::RingSetup(unsigned entries, io_uring* ring) {
  return ::io_uring_queue_init(entries, ring, 0);
}

int Sys::RingRegister(io_uring* ring, const iovec* vectors, unsigned count) {
  return ::io_uring_register_buffers(ring, vectors, count);
}

int Sys::RingSubmit(io_uring* ring) { return ::io_uring_submit(ring); }

int Sys::RingWait(io_uring* ring) {
  io_uring_cqe* cqe = nullptr;
  return ::io_uring_wait_cqe(ring, &cqe);
}

int Sys::RingResult(int result) { return result; }

}  // namespace uringfs
