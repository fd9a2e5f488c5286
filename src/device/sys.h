// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Sys: the system calls of this room that a disk or a kernel can fail, in one
// place, so that tests can fail any of them at any call. Opening a file is not
// here: its failures can be had from a real file system.
//
// Every call answers with a result >= 0, or with a negative errno. None raises
// SIGXFSZ: what the process's file size limit forbids is answered with -EFBIG
// and not done, also not in part (src/base/file_size_limit.h). For what is
// submitted to a ring its owner has to ask.
//
// THREADS: thread-safe.

#ifndef URINGFS_DEVICE_SYS_H_
#define URINGFS_DEVICE_SYS_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>

struct io_uring;

namespace uringfs {

class Sys {
 public:
  // The real calls.
  static Sys* Real();

  virtual ~Sys() = default;

  virtual ssize_t Pwritev2(int fd, const iovec* vectors, int count,
                           off_t offset, int flags);
  virtual ssize_t Pread(int fd, char* data, size_t bytes, off_t offset);
  // What the page cache has of it: less perhaps, -EAGAIN if nothing.
  virtual ssize_t PreadCached(int fd, char* data, size_t bytes, off_t offset);
  virtual int Ftruncate(int fd, off_t bytes);
  virtual int Fallocate(int fd, int mode, off_t offset, off_t bytes);
  virtual int Fdatasync(int fd);
  virtual int Fsync(int fd);
  virtual int Close(int fd);

  virtual int RingSetup(unsigned entries, io_uring* ring);
  virtual int RingRegister(io_uring* ring, const iovec* vectors,
                           unsigned count);
  virtual int RingSubmit(io_uring* ring);
  // Waits until a completion can be seen, and leaves it there.
  virtual int RingWait(io_uring* ring);
  // What a completion said; a test may make something else of it.
  virtual int RingResult(int result);
};

}  // namespace uringfs

#endif  // URINGFS_DEVICE_SYS_H_
