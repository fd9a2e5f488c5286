// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// UringQueue: one io_uring with registered memory, and what it takes to hand a
// write to it and to get every completion back.
//
// The ring has no flags. SINGLE_ISSUER and DEFER_TASKRUN bind a ring to the
// thread that made it, and the threads that write a database's files change;
// COOP_TASKRUN delays completions until the submitting thread enters the
// kernel, which it may never do again.
//
// THREADS: single-owner, as Device. A child of fork must not use it.

#ifndef URINGFS_DEVICE_URING_QUEUE_H_
#define URINGFS_DEVICE_URING_QUEUE_H_

#include <liburing.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "src/device/sys.h"

#include "uringfs/status.h"

namespace uringfs {

class UringQueue {
 public:
  // Entries of the submission queue; the completion queue has twice as many,
  // so that the writes of one device and the no-ops of Withdraw fit.
  static constexpr unsigned kEntries = 128;

  // Errors: NotSupported with cause and way out. `memory` is registered; if
  // the kernel refuses that, the queue works without, see
  // registration_refusal(). `bytes` == 0: nothing to register.
  static Status Create(Sys* sys, char* memory, size_t bytes,
                       std::unique_ptr<UringQueue>* queue);
  ~UringQueue();
  UringQueue(const UringQueue&) = delete;
  UringQueue& operator=(const UringQueue&) = delete;

  bool registered() const { return registered_; }
  // Empty, or why memory could not be registered.
  const std::string& registration_refusal() const {
    return registration_refusal_;
  }

  // False in a child of fork: the ring is the parent's.
  bool IsOurs() const;

  // Prepares a write. `vectors` and `user` stay where they are until its
  // completion. False if the submission queue is full.
  bool Prepare(int fd, const iovec* vectors, int count, uint64_t offset,
               bool dsync, void* user);

  // Prepares a read, of which the vector is not needed any more; else the same
  // holds.
  bool PrepareRead(int fd, const iovec& vector, uint64_t offset, void* user);

  // Submits what is prepared. 0 if the kernel took all, else the errno; then
  // the last ones prepared were not taken.
  int Submit();

  // Makes what was prepared and not taken no-ops. Returns how many there were,
  // perhaps none.
  size_t Withdraw();

  // Takes the next completion. False if there is none now.
  bool Next(void** user, int* result);

  // Waits until Next has something (a no-op's completion may be all).
  // REQUIRES: something is submitted and not taken. Returns 0 or the errno.
  int Wait();

 private:
  UringQueue(Sys* sys, char* memory, size_t bytes);
  void Register();
  // Index of the registered buffer that holds all of `vector`, or -1.
  int BufferOf(const iovec& vector) const;

  Sys* const sys_;
  char* const memory_;
  const size_t bytes_;
  const uint32_t forks_;
  io_uring ring_ = {};
  bool registered_ = false;
  std::string registration_refusal_;
};

}  // namespace uringfs

#endif  // URINGFS_DEVICE_URING_QUEUE_H_
