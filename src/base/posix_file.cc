// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/base/posix_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "src/base/file_size_limit.h"

namespace uringfs {
namespace {

template <typename Call>
auto Uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

int ErrnoOf(int result) { return result == 0 ? 0 : errno; }

}  // namespace

PosixFile::~PosixFile() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

PosixFile::PosixFile(PosixFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

PosixFile& PosixFile::operator=(PosixFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

int PosixFile::Open(const std::string& path, int flags, mode_t mode) {
  const int always = flags | O_CLOEXEC | O_NOCTTY;
  int fd = Uninterrupted(
      [&] { return ::open(path.c_str(), always | O_NONBLOCK, mode); });
  struct stat stat = {};
  if (fd < 0 && errno == EWOULDBLOCK && ::lstat(path.c_str(), &stat) == 0 &&
      S_ISREG(stat.st_mode)) {
    // Somebody has a lease on it: the kernel waits until he gives it up.
    fd = Uninterrupted([&] { return ::open(path.c_str(), always, mode); });
  }
  if (fd < 0) {
    return errno;
  }
  if (fd_ >= 0) {
    ::close(fd_);
  }
  fd_ = fd;
  return 0;
}

int PosixFile::Stat(struct stat* out) const {
  return ErrnoOf(::fstat(fd_, out));
}

int PosixFile::ReadAt(uint64_t offset, size_t bytes, char* out,
                      size_t* got) const {
  *got = 0;
  while (*got < bytes) {
    const ssize_t result = Uninterrupted([&] {
      return ::pread(fd_, out + *got, bytes - *got,
                     static_cast<off_t>(offset + *got));
    });
    if (result < 0) {
      return errno;
    }
    if (result == 0) {
      return 0;
    }
    *got += static_cast<size_t>(result);
  }
  return 0;
}

int PosixFile::ReadExactly(uint64_t offset, size_t bytes, void* out) const {
  size_t got = 0;
  const int error = ReadAt(offset, bytes, static_cast<char*>(out), &got);
  return error != 0 || got == bytes ? error : EIO;
}

int PosixFile::WriteAt(uint64_t offset, const void* data, size_t bytes) const {
  const auto* from = static_cast<const char*>(data);
  size_t done = 0;
  while (done < bytes) {
    if (!MayWriteUpTo(offset + bytes)) {
      return EFBIG;
    }
    const ssize_t result = Uninterrupted([&] {
      return ::pwrite(fd_, from + done, bytes - done,
                      static_cast<off_t>(offset + done));
    });
    if (result <= 0) {
      return result < 0 ? errno : EIO;
    }
    done += static_cast<size_t>(result);
  }
  return 0;
}

int PosixFile::Truncate(uint64_t bytes) const {
  return MayBecome(fd_, bytes) ? ErrnoOf(Uninterrupted([&] {
    return ::ftruncate(fd_, static_cast<off_t>(bytes));
  }))
                               : EFBIG;
}

int PosixFile::Sync() const {
  return ErrnoOf(Uninterrupted([&] { return ::fsync(fd_); }));
}

Status SyncDirectoryOf(const std::string& path) {
  const std::string directory = DirectoryPrefixOf(path);
  PosixFile names;
  int error = names.Open(directory, O_RDONLY | O_DIRECTORY);
  error = error == 0 ? names.Sync() : error;
  return error == 0 ? Status::Ok()
                    : Status::FromErrno(error, "fsync", directory);
}

namespace {

// Of an open file description, as flock's; but the two do not know each other.
// Of a byte that nobody else locks.
struct flock NoticeByte(short type) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(0x7572696e676673);
  lock.l_len = 1;
  return lock;
}

}  // namespace

int PosixFile::SetNotice() const {
  struct flock lock = NoticeByte(F_RDLCK);
  return ErrnoOf(
      Uninterrupted([&] { return ::fcntl(fd_, F_OFD_SETLK, &lock); }));
}

bool PosixFile::HasNotice() const {
  struct flock lock = NoticeByte(F_WRLCK);
  return ::fcntl(fd_, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int PosixFile::TryLock(int operation) const {
  return ErrnoOf(
      Uninterrupted([&] { return ::flock(fd_, operation | LOCK_NB); }));
}

}  // namespace uringfs
