// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// ReadAhead::Open on a workspace of the caller's: tests have system calls fail
// that way.

#ifndef URINGFS_LOG_READ_AHEAD_ON_H_
#define URINGFS_LOG_READ_AHEAD_ON_H_

#include <cstddef>
#include <memory>
#include <string>

#include "src/log/workspace.h"

#include "uringfs/read_ahead.h"
#include "uringfs/status.h"

namespace uringfs {

// REQUIRES: the ring memory of `workspace` has all windows.
Status OpenReadAheadOn(std::unique_ptr<Workspace> workspace,
                       const std::string& path, size_t window_bytes,
                       size_t windows, std::unique_ptr<ReadAhead>* reader);

}  // namespace uringfs

#endif  // URINGFS_LOG_READ_AHEAD_ON_H_
