// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Which inode a path becomes, and whether its descriptor has O_DIRECT.
//
//   kCreate  A regular file that stands there is unlinked first: late writes
//            of a process that was killed still go to its inode, and must not
//            land in the new file. Where the directory forbids the unlink the
//            file is truncated instead, which is all that can be had.
//            A symlink is followed, and its target truncated.
//   kResume  What stands there is kept; a missing file is made.
//
// Only regular files: a fifo or a device node has no durable bytes.
//
// O_DIRECT is tried first. It is not used where open refuses it, where the
// file system says that it cannot (statx), where it wants coarser alignment
// than 4096, and on tmpfs and ramfs, which have no device below.

#ifndef URINGFS_DEVICE_OPEN_FILE_H_
#define URINGFS_DEVICE_OPEN_FILE_H_

#include <sys/stat.h>

#include <string>

#include "uringfs/options.h"
#include "uringfs/status.h"

namespace uringfs {

struct OpenedFile {
  int fd = -1;  // the caller closes it
  bool direct = false;
  bool in_memory = false;  // tmpfs or ramfs
  std::string reason;      // why not direct, if that was wanted
  struct stat stat = {};
};

// Errors: NotSupported where `options` demand O_DIRECT and it is not to be
// had; InvalidArgument if `path` is no regular file; the errno of the call
// that failed. No descriptor is left open then.
Status OpenFile(const std::string& path, const LogOptions& options,
                OpenedFile* opened);

// The same for a nameless file in `directory`, which is gone with its
// descriptor. fd is -1, and `direct` a guess, where the file system has no
// such files.
Status OpenNameless(const std::string& directory, const LogOptions& options,
                    OpenedFile* opened);

}  // namespace uringfs

#endif  // URINGFS_DEVICE_OPEN_FILE_H_
