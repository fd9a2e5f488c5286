// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Which file it is, whatever its names are now.

#ifndef URINGFS_BASE_FILE_IDENTITY_H_
#define URINGFS_BASE_FILE_IDENTITY_H_

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cstdint>
#include <cstring>
#include <string>

namespace uringfs {

struct FileIdentity {
  uint64_t device = 0;  // st_dev
  uint64_t inode = 0;   // st_ino
  // When it was made, in nanoseconds; 0 where that cannot be told. An inode
  // number is used again when its file is gone, the time is not.
  uint64_t birth = 0;
};

// 0 if the file system does not know. `flags` as for statx.
inline uint64_t BirthOf(int fd, const std::string& path, int flags) {
  struct statx info = {};
  if (::statx(fd, path.c_str(), flags, STATX_BTIME, &info) != 0 ||
      (info.stx_mask & STATX_BTIME) == 0) {
    return 0;
  }
  return static_cast<uint64_t>(info.stx_btime.tv_sec) * 1000000000u +
         info.stx_btime.tv_nsec;
}

// Of the file system that a file is on: ext4's goes with it from device to
// device. 0: not known.
inline uint64_t FileSystemIdOf(const std::string& path) {
  struct statfs found = {};
  uint64_t id = 0;
  static_assert(sizeof(found.f_fsid) == sizeof(id));
  if (::statfs(path.c_str(), &found) == 0) {
    std::memcpy(&id, &found.f_fsid, sizeof(id));
  }
  return id;
}

// Of an open file. `stat` is its fstat.
inline FileIdentity IdentityOf(int fd, const struct stat& stat) {
  return {stat.st_dev, stat.st_ino, BirthOf(fd, "", AT_EMPTY_PATH)};
}

// Whether `stat`, the lstat of `path`, is of that file.
inline bool IsAt(const FileIdentity& identity, const std::string& path,
                 const struct stat& stat) {
  return stat.st_dev == identity.device && stat.st_ino == identity.inode &&
         BirthOf(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW) == identity.birth;
}

}  // namespace uringfs

#endif  // URINGFS_BASE_FILE_IDENTITY_H_
