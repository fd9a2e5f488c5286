// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "probe_cache.h"

#include <sys/stat.h>

namespace uringfs {

std::string ProbeCache::Describe(const std::string& directory,
                                 const LogOptions& options) {
  struct stat stat = {};
  const bool is_there = ::stat(directory.c_str(), &stat) == 0;
  const MutexLock lock(&mutex_);
  const auto found = known_.find(stat.st_dev);
  if (is_there && found != known_.end()) {
    return found->second;
  }
  IoChoice choice;
  const Status probed = ProbeIo(directory, options, &choice);
  if (!probed.ok()) {
    return probed.ToString();
  }
  return known_[stat.st_dev] = choice.ToString();
}

void ProbeCache::Clear() {
  const MutexLock lock(&mutex_);
  known_.clear();
}

}  // namespace uringfs
