// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The file size limit of the process: RLIMIT_FSIZE, `ulimit -f`.
//
// A call that would go behind it gets EFBIG from the kernel, and the thread
// gets SIGXFSZ, which ends the process if nobody has said otherwise. That is
// not for a library to do to its host: an offer that does not fit, such as
// space ahead, is declined, and a write that is needed fails like any other.
// So every call of ours that can make a file longer, or write behind the limit,
// asks here first and answers EFBIG itself.
//
// Asked each time, because prlimit can change it at any time; never per append,
// only where there is a system call anyway.
//
// Why it is asked and the signal not caught: to hold it up, look whether it
// came and take it away are three system calls around each write, not one; and
// a write through io_uring is not known to have raised it when the submission
// returns. (The kernel's worker threads have all signals blocked, but it writes
// from the submitting thread where it can.) To ignore it for the whole process
// would be our host's decision.
//
// What remains: the limit is lowered, by another thread or from outside, to
// below where a file is being written, and between the question and the call,
// which is about a microsecond. The file would have ended the process an
// instant later without us.
//
// THREADS: any.

#ifndef URINGFS_BASE_FILE_SIZE_LIMIT_H_
#define URINGFS_BASE_FILE_SIZE_LIMIT_H_

#include <cstdint>

namespace uringfs {

// UINT64_MAX: there is none.
uint64_t FileSizeLimit();

// Whether a write may end at `end`. It is the kernel's rule for overwrites as
// well.
inline bool MayWriteUpTo(uint64_t end) { return end <= FileSizeLimit(); }

// Whether the file `fd` may be made `bytes` long: it is that long already, or
// the limit allows it.
bool MayBecome(int fd, uint64_t bytes);

}  // namespace uringfs

#endif  // URINGFS_BASE_FILE_SIZE_LIMIT_H_
