// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/device/open_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "src/device/device.h"

namespace uringfs {
namespace {

constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOCTTY;

// Returns the descriptor, or the negative errno.
int Open(const std::string& path, int flags, mode_t mode) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags, mode);
  } while (fd < 0 && errno == EINTR);
  return fd < 0 ? -errno : fd;
}

bool IsInMemory(const struct statfs& stat) {
  // f_type is signed on some architectures: compare 32 bits.
  const auto type = static_cast<uint32_t>(stat.f_type);
  return type == static_cast<uint32_t>(TMPFS_MAGIC) ||
         type == static_cast<uint32_t>(RAMFS_MAGIC);
}

const char* const kInMemoryReason =
    "buffered: tmpfs: there is no device below this file";

// Empty if the file system lets this file have O_DIRECT as we use it, or does
// not tell (before Linux 6.1).
std::string DirectRefusal(int fd) {
#ifdef STATX_DIOALIGN
  struct statx info = {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) != 0 ||
      (info.stx_mask & STATX_DIOALIGN) == 0) {
    return "";
  }
  if (info.stx_dio_mem_align == 0 || info.stx_dio_offset_align == 0) {
    return "buffered: the file system has no O_DIRECT for this file (statx)";
  }
  if (info.stx_dio_mem_align > kDeviceBlockBytes ||
      info.stx_dio_offset_align > kDeviceBlockBytes) {
    return "buffered: O_DIRECT wants transfers aligned to " +
           std::to_string(info.stx_dio_offset_align) +
           " bytes here, and blocks are 4096";
  }
#else
  (void)fd;
#endif
  return "";
}

Status CloseAnd(Status status, OpenedFile* opened) {
  if (opened->fd >= 0) {
    ::close(opened->fd);
    opened->fd = -1;
  }
  return status;
}

// Opens with O_DIRECT if `options` want it, without it if it is refused.
// Returns 0 or the errno.
int OpenPreferDirect(const std::string& path, int flags, mode_t mode,
                     const LogOptions& options, OpenedFile* opened) {
  if (options.direct_io != DirectIo::kOff) {
    opened->fd = Open(path, flags | O_DIRECT, mode);
    if (opened->fd >= 0) {
      opened->direct = true;
      return 0;
    }
    if (opened->fd != -EINVAL) {
      return -std::exchange(opened->fd, -1);
    }
    opened->reason =
        "buffered: the file system refuses to open files with O_DIRECT";
  }
  opened->fd = Open(path, flags, mode);
  return opened->fd >= 0 ? 0 : -std::exchange(opened->fd, -1);
}

// Takes O_DIRECT away again where it would not do, and judges the outcome.
Status SettleDirect(const std::string& path, const LogOptions& options,
                    OpenedFile* opened) {
  std::string refusal = opened->in_memory ? kInMemoryReason : "";
  if (refusal.empty() && opened->direct) {
    refusal = DirectRefusal(opened->fd);
  }
  if (!refusal.empty() && options.direct_io != DirectIo::kOff) {
    opened->reason = refusal;
  }
  if (!refusal.empty() && opened->direct) {
    const int flags = ::fcntl(opened->fd, F_GETFL);
    if (flags < 0 || ::fcntl(opened->fd, F_SETFL, flags & ~O_DIRECT) != 0) {
      return Status::FromErrno(errno, "fcntl", path);
    }
    opened->direct = false;
  }
  if (options.direct_io == DirectIo::kRequired && !opened->direct) {
    return Status::NotSupported("direct I/O is required: " + path + ": " +
                                opened->reason);
  }
  return Status::Ok();
}

Status CheckKind(const std::string& path, const struct stat& stat) {
  if (S_ISDIR(stat.st_mode)) {
    return Status::FromErrno(EISDIR, "open", path);
  }
  if (!S_ISREG(stat.st_mode)) {
    return Status::InvalidArgument(path + ": not a regular file");
  }
  return Status::Ok();
}

bool IsInMemory(int fd) {
  struct statfs file_system = {};
  return ::fstatfs(fd, &file_system) == 0 && IsInMemory(file_system);
}

// Opens the file that is about to be replaced, as the new one will be opened:
// what can fail fails while the old file is still there.
Status Rehearse(const std::string& path, const LogOptions& options) {
  OpenedFile old;
  const int error = OpenPreferDirect(path, kFlags, 0, options, &old);
  if (error != 0) {
    return Status::FromErrno(error, "open", path);
  }
  old.in_memory = IsInMemory(old.fd);
  return CloseAnd(SettleDirect(path, options, &old), &old);
}

// Looks before opening: to open a device node can do things to the device.
Status MakeRoom(const std::string& path, const LogOptions& options) {
  struct stat found = {};
  if (::stat(path.c_str(), &found) != 0) {
    return Status::Ok();  // open knows the reason, or makes the file
  }
  if (Status status = CheckKind(path, found); !status.ok()) {
    return status;
  }
  if (options.open_mode == OpenMode::kCreate &&
      ::lstat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode)) {
    if (Status status = Rehearse(path, options); !status.ok()) {
      return status;
    }
    // Best effort, see the header: what is still there will be truncated.
    (void)::unlink(path.c_str());
  }
  return Status::Ok();
}

}  // namespace

Status OpenFile(const std::string& path, const LogOptions& options,
                OpenedFile* opened) {
  *opened = OpenedFile();
  if (Status status = MakeRoom(path, options); !status.ok()) {
    return status;
  }
  const int truncate = options.open_mode == OpenMode::kCreate ? O_TRUNC : 0;
  const int error = OpenPreferDirect(path, kFlags | O_CREAT | truncate, 0644,
                                     options, opened);
  if (error != 0) {
    return Status::FromErrno(error, "open", path);
  }
  if (::fstat(opened->fd, &opened->stat) != 0) {
    return CloseAnd(Status::FromErrno(errno, "fstat", path), opened);
  }
  if (Status status = CheckKind(path, opened->stat); !status.ok()) {
    return CloseAnd(status, opened);
  }
  opened->in_memory = IsInMemory(opened->fd);
  Status status = SettleDirect(path, options, opened);
  return status.ok() ? status : CloseAnd(status, opened);
}

Status OpenNameless(const std::string& directory, const LogOptions& options,
                    OpenedFile* opened) {
  *opened = OpenedFile();
  struct statfs file_system = {};
  if (::statfs(directory.c_str(), &file_system) != 0) {
    return Status::FromErrno(errno, "statfs", directory);
  }
  opened->in_memory = IsInMemory(file_system);
  const int error =
      OpenPreferDirect(directory, kFlags | O_TMPFILE, 0600, options, opened);
  if (error == 0) {
    Status status = SettleDirect(directory, options, opened);
    return status.ok() ? status : CloseAnd(status, opened);
  }
  if (error != EOPNOTSUPP && error != EISDIR && error != EINVAL) {
    return Status::FromErrno(error, "open a nameless file in", directory);
  }
  // The refusal was of nameless files, so it says nothing of O_DIRECT.
  opened->direct = options.direct_io != DirectIo::kOff && !opened->in_memory;
  opened->reason = opened->in_memory ? kInMemoryReason
                   : opened->direct
                       ? "O_DIRECT is assumed: the file system has no "
                         "nameless files to probe with"
                       : "";
  if (options.direct_io == DirectIo::kRequired && !opened->direct) {
    return Status::NotSupported("direct I/O is required: " + directory + ": " +
                                opened->reason);
  }
  return Status::Ok();
}

}  // namespace uringfs
