// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A file that no longer changes, read from one end to the other: by direct I/O
// into memory that is used over and over, and ahead of the reader, so that the
// device works while the reader does. Nothing is left in the page cache, and
// what is there is not looked for.

#ifndef URINGFS_READ_AHEAD_H_
#define URINGFS_READ_AHEAD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "uringfs/status.h"

namespace uringfs {

// Holds memory for its windows and a descriptor. THREADS: one at a time.
class ReadAhead {
 public:
  // Larger requests io_uring hands to worker threads.
  static constexpr size_t kMaxWindowBytes = size_t{256} << 10;
  static constexpr size_t kMaxWindows = 64;

  // `window_bytes`: what the device is asked for at once; `windows` times that
  // is held. All but one of them are ahead of the reader at any time, so that
  // a read of up to that much finds that the device was asked for it before.
  // Bytes that are appended later are never seen. Errors: NotSupported where
  // io_uring or direct I/O is refused; InvalidArgument unless `window_bytes`
  // is a multiple of 4096, more than 0 and at most kMaxWindowBytes, and
  // `windows` from 2 to kMaxWindows; those of opening.
  static Status Open(const std::string& path, size_t window_bytes,
                     size_t windows, std::unique_ptr<ReadAhead>* reader);

  // Waits for reads that are under way.
  virtual ~ReadAhead() = default;

  // Copies `bytes` from `offset`; *got is less only at the end of the file, as
  // it was when it was opened. Goes on reading behind them. An offset that is
  // in no window begins anew, and costs all windows. Errors: the
  // device's, for the window that has the bytes; a later call tries again.
  // NotSupported in a child of fork.
  virtual Status Read(uint64_t offset, size_t bytes, char* out,
                      size_t* got) = 0;

  // Read from the device so far.
  virtual uint64_t device_bytes() const = 0;
};

}  // namespace uringfs

#endif  // URINGFS_READ_AHEAD_H_
