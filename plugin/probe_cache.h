// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What logs get in which place, asked for once a file system: a probe makes a
// nameless file and an io_uring, which costs more than a small database does.

#ifndef URINGFS_PLUGIN_PROBE_CACHE_H_
#define URINGFS_PLUGIN_PROBE_CACHE_H_

#include <uringfs/options.h>

#include <cstdint>
#include <map>
#include <string>

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {

// THREADS: any.
class ProbeCache {
 public:
  // IoChoice::ToString of ProbeIo, or its error. Errors are not remembered.
  std::string Describe(const std::string& directory, const LogOptions& options);

  // The options have changed.
  void Clear();

 private:
  Mutex mutex_;
  std::map<uint64_t, std::string> known_
      URINGFS_GUARDED_BY(mutex_);  // by st_dev
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_PROBE_CACHE_H_
