// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// IoContext: one io_uring and the memory registered with it, handed from one
// file to the next, because setting them up costs more than writing a small
// file does. The ring is made on first use; nothing is made for files that go
// over pwrite.
//
// THREADS: single-owner, as the Device that borrows it.

#ifndef URINGFS_DEVICE_IO_CONTEXT_H_
#define URINGFS_DEVICE_IO_CONTEXT_H_

#include <cstddef>
#include <memory>

#include "src/device/sys.h"

#include "uringfs/status.h"

namespace uringfs {

class UringQueue;

class IoContext {
 public:
  // Writes from [memory, memory + bytes) can use registered buffers. The
  // memory outlives the context; `bytes` == 0 registers nothing. `sys` is for
  // tests; null stands for the real calls.
  IoContext(char* memory, size_t bytes, Sys* sys = nullptr);
  ~IoContext();
  IoContext(const IoContext&) = delete;
  IoContext& operator=(const IoContext&) = delete;

  // The ring, made on the first call. NotSupported with the reason where the
  // kernel refuses one (ENOSYS, EPERM, ENOMEM, EINVAL). Asked again, it tries
  // again: a refusal may pass (EMFILE), and costs one system call a file.
  Status Queue(UringQueue** queue);

  Sys* sys() const { return sys_; }

 private:
  char* const memory_;
  const size_t bytes_;
  Sys* const sys_;
  std::unique_ptr<UringQueue> queue_;
};

}  // namespace uringfs

#endif  // URINGFS_DEVICE_IO_CONTEXT_H_
