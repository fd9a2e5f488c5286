// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_BASE_FORK_COUNT_H_
#define URINGFS_BASE_FORK_COUNT_H_

#include <cstdint>

namespace uringfs {

// How often this process descends from a fork since the library was loaded.
// What was opened under another count belongs to an ancestor: its memory is
// not mapped here, its requests complete there, and whoever cuts or writes its
// file does it behind the ancestor's back. Costs a load, where getpid is a
// system call. (A child of vfork shares the memory and must not come here.)
uint32_t ForkCount();

}  // namespace uringfs

#endif  // URINGFS_BASE_FORK_COUNT_H_
