// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// PosixFile: a descriptor and whole transfers through the page cache, for
// those who look at files that others may be changing.
//
// Calls return 0 or the positive errno; EINTR and short transfers stay inside.
// EFBIG comes without a signal (src/base/file_size_limit.h).
//
// THREADS: const calls: any. All else: one thread, with no other call beside.

#ifndef URINGFS_BASE_POSIX_FILE_H_
#define URINGFS_BASE_POSIX_FILE_H_

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "uringfs/log_format.h"
#include "uringfs/status.h"

namespace uringfs {

inline bool IsSameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// The directory of a path with the slash that ends it; "./" if it has none.
inline std::string DirectoryPrefixOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "./" : path.substr(0, slash + 1);
}

// Makes the names in the directory of `path` durable. Errors: those of opening
// and of fsync.
Status SyncDirectoryOf(const std::string& path);

class PosixFile final : public ByteSource {
 public:
  PosixFile() = default;
  ~PosixFile() override;
  PosixFile(PosixFile&& other) noexcept;
  PosixFile& operator=(PosixFile&& other) noexcept;

  // Never blocks, whatever `path` turns out to be. `mode`: of one that is made.
  int Open(const std::string& path, int flags, mode_t mode = 0);
  int Stat(struct stat* out) const;
  // *got is less than `bytes` only at the end of the file.
  int ReadAt(uint64_t offset, size_t bytes, char* out,
             size_t* got) const override;
  // As ReadAt; the end of the file is EIO.
  int ReadExactly(uint64_t offset, size_t bytes, void* out) const;
  int WriteAt(uint64_t offset, const void* data, size_t bytes) const;
  int Truncate(uint64_t bytes) const;
  int Sync() const;
  // `operation` is LOCK_SH or LOCK_EX. EWOULDBLOCK if another descriptor
  // stands in the way. The lock goes with this descriptor.
  int TryLock(int operation) const;
  // Another lock: any number of descriptors may set it, until they are closed.
  // EWOULDBLOCK never. Whether another one has it; false where there is no such
  // lock.
  int SetNotice() const;
  bool HasNotice() const;

 private:
  int fd_ = -1;
};

}  // namespace uringfs

#endif  // URINGFS_BASE_POSIX_FILE_H_
