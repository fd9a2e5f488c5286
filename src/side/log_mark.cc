// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/log_mark.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>
#include <cstdint>

#include "src/base/file_identity.h"

namespace uringfs {
namespace {

constexpr char kName[] = "user.uringfs";

// `error` if there may be one that was not read.
struct Reading {
  int error = 0;
  bool is_marked = false;
  LogMark mark;
};

// No file, or no such attribute, file system or call, or a longer one, which is
// nobody's of ours.
bool MeansNone(int error) {
  return error == ENODATA || error == EOPNOTSUPP || error == ENOSYS ||
         error == EPERM || error == EINVAL || error == ERANGE ||
         error == E2BIG || error == ENOENT || error == ENOTDIR ||
         error == ELOOP;
}

// `bytes` and errno are those of getxattr.
Reading ReadingOf(const LogMark& mark, ssize_t bytes) {
  Reading reading;
  reading.error = bytes >= 0 || MeansNone(errno) ? 0 : errno;
  reading.mark = mark;
  reading.is_marked =
      bytes == sizeof(mark) && mark.boot == NameHashOf(BootId());
  return reading;
}

Reading ReadMark(int fd) {
  LogMark mark;
  return ReadingOf(mark, ::fgetxattr(fd, kName, &mark, sizeof(mark)));
}

Reading ReadMark(const std::string& log_path) {
  LogMark mark;
  return ReadingOf(mark,
                   ::getxattr(log_path.c_str(), kName, &mark, sizeof(mark)));
}

// Of a removal that has returned `result`.
template <typename Log>
int WhatStays(int result, const Log& log) {
  if (result == 0) {
    return 0;
  }
  const int error = errno;
  const Reading reading = ReadMark(log);
  return reading.is_marked || reading.error != 0 ? error : 0;
}

}  // namespace

bool IsCopy(const LogMark& mark, const std::string& log_path, uint64_t inode,
            uint64_t birth) {
  if (mark.log_birth != 0 && birth != 0) {
    return mark.log_inode != inode || mark.log_birth != birth;
  }
  const uint64_t file_system = FileSystemIdOf(log_path);
  return mark.log_inode != inode ||
         (mark.file_system != 0 && file_system != 0 &&
          mark.file_system != file_system);
}

bool MarkLog(int fd, const SideHeader& header) {
  const LogMark mark = {NameHashOf(BootId()), header.mount_epoch,
                        header.file_id,       header.log_inode,
                        header.log_birth,     header.file_system};
  return ::fsetxattr(fd, kName, &mark, sizeof(mark), 0) == 0;
}

int UnmarkLog(int fd) { return WhatStays(::fremovexattr(fd, kName), fd); }

int UnmarkLog(const std::string& log_path) {
  return WhatStays(::removexattr(log_path.c_str(), kName), log_path);
}

bool MayHaveMark(const std::string& log_path) {
  const Reading reading = ReadMark(log_path);
  return reading.is_marked || reading.error != 0;
}

int FindMark(const std::string& log_path, bool* is_marked, LogMark* mark) {
  const Reading reading = ReadMark(log_path);
  struct stat log = {};
  *mark = reading.mark;
  *is_marked = reading.is_marked && ::stat(log_path.c_str(), &log) == 0 &&
               log.st_nlink == 1;
  return reading.error == EACCES ? 0 : reading.error;
}

}  // namespace uringfs
