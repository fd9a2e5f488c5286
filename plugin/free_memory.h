// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// FreeMemory: how much the page cache may grow, of this process's control
// groups (version 2) and of the machine, whichever leaves less.

#ifndef URINGFS_PLUGIN_FREE_MEMORY_H_
#define URINGFS_PLUGIN_FREE_MEMORY_H_

#include <cstdint>
#include <string>

namespace uringfs {

// THREADS: any.
class FreeMemory {
 public:
  // Where the kernel shows it: other directories are for tests.
  explicit FreeMemory(std::string proc = "/proc",
                      std::string cgroup = "/sys/fs/cgroup");

  // In bytes, with what the page cache has now. UINT64_MAX: nobody says.
  uint64_t Reclaimable() const;
  // In bytes, used by nobody. 0: nobody says.
  uint64_t Unused() const;

 private:
  struct Room {
    uint64_t reclaimable = UINT64_MAX;
    uint64_t unused = UINT64_MAX;
  };
  Room RoomOfGroups() const;

  const std::string proc_;
  const std::string cgroup_;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_FREE_MEMORY_H_
