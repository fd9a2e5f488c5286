// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_BASE_MOUNT_EPOCH_H_
#define URINGFS_BASE_MOUNT_EPOCH_H_

#include <cstdint>

namespace uringfs {

// Another number each time the file system on a device (st_dev) is mounted, and
// the same for all its bind mounts; 0 where that cannot be told. Meaningful
// within one boot. It is the inode number of /sys/fs/TYPE/DEVICE, which the
// kernel makes anew at each mount.
uint64_t MountEpochOf(uint64_t device);

}  // namespace uringfs

#endif  // URINGFS_BASE_MOUNT_EPOCH_H_
