// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/tool/db_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace uringfs::tool {

DbLock::~DbLock() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

DbLock::DbLock(DbLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }

Status DbLock::Take(const std::string& directory, bool* is_taken,
                    pid_t* holder) {
  *is_taken = false;
  *holder = 0;
  const std::string path = directory + "/LOCK";
  fd_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd_ < 0) {
    return errno == ENOENT
               ? Status::Ok()
               : Status::FromErrno(errno, "open the database's lock", path);
  }
  struct flock request = {};
  request.l_type = F_WRLCK;
  request.l_whence = SEEK_SET;
  if (::fcntl(fd_, F_SETLK, &request) == 0) {
    return Status::Ok();
  }
  if (errno != EACCES && errno != EAGAIN) {
    return Status::FromErrno(errno, "take the database's lock", path);
  }
  *is_taken = true;
  if (::fcntl(fd_, F_GETLK, &request) == 0 && request.l_type != F_UNLCK &&
      request.l_pid > 0) {
    *holder = request.l_pid;
  }
  return Status::Ok();
}

}  // namespace uringfs::tool
