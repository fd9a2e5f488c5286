// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// NoFileSizeSignal: as long as it lives no call of this thread ends the process
// by SIGXFSZ; the call fails with EFBIG all the same. For calls that are not
// ours, or do not know where in a file they will write: the core asks for the
// limit first, see src/base/file_size_limit.h. One system call where there is
// no limit, else four.
//
// A SIGXFSZ that somebody else sends to the process meanwhile may be lost.

#ifndef URINGFS_PLUGIN_FILE_SIZE_SIGNAL_H_
#define URINGFS_PLUGIN_FILE_SIZE_SIGNAL_H_

#include <csignal>

namespace uringfs {

class NoFileSizeSignal {
 public:
  NoFileSizeSignal();
  ~NoFileSizeSignal();
  NoFileSizeSignal(const NoFileSizeSignal&) = delete;
  NoFileSizeSignal& operator=(const NoFileSizeSignal&) = delete;

 private:
  sigset_t before_ = {};
  bool is_ours_ = false;  // it was not held up before
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_FILE_SIZE_SIGNAL_H_
