// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Threads for work that nobody waits for.

#ifndef URINGFS_PLUGIN_BACKGROUND_THREAD_H_
#define URINGFS_PLUGIN_BACKGROUND_THREAD_H_

#include <functional>

namespace uringfs {

// Starts a thread that nobody joins, with all signals blocked: those are for
// the program's own threads. False if there is none to be had now.
bool StartBackgroundThread(const std::function<void()>& run);

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_BACKGROUND_THREAD_H_
