// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What is done about every errno of every operation on a file: one table, so
// that no two places can disagree.

#ifndef URINGFS_DEVICE_IO_ERRNO_H_
#define URINGFS_DEVICE_IO_ERRNO_H_

#include <cstdint>

#include "uringfs/status.h"

namespace uringfs {

enum class IoOp : uint8_t {
  kRingWrite,   // the completion of a write through io_uring
  kPwrite,      // pwritev2
  kRead,        // pread
  kFlush,       // fdatasync, fsync
  kResize,      // ftruncate
  kAllocate,    // fallocate
  kRingSubmit,  // io_uring_enter that submits
  kRingWait,    // io_uring_enter that waits
  kRingSetup,   // io_uring_setup and the mappings after it
};

enum class Verdict : uint8_t {
  kRetry,             // at once, as often as it takes
  kRetryBounded,      // kMaxRetries times without progress, then give up: a
                      // ring falls back to pwrite, pwrite fails
  kFallBackToPwrite,  // finish by pwrite from the current thread
  kDropDirect,        // clear O_DIRECT and retry; fail if it was not set
  kFail,              // tell the caller
  kImpossible,        // a broken invariant: die
};

// Longest series of kRetryBounded for one write without progress.
inline constexpr uint32_t kMaxRetries = 16;

// Longest series of short transfers that do not reach the next block.
inline constexpr uint32_t kMaxShortTransfers = 8;

struct ErrnoRow {
  IoOp op;
  int error;  // positive errno; 0 stands for all that have no row
  Verdict verdict;
  const char* why;
};

// REQUIRES: error > 0.
const ErrnoRow& LookUpErrno(IoOp op, int error);
Verdict JudgeErrno(IoOp op, int error);

// NotSupported, naming why a kernel refuses io_uring_setup with `error` and
// what can be done about it.
Status RingRefused(int error);

}  // namespace uringfs

#endif  // URINGFS_DEVICE_IO_ERRNO_H_
