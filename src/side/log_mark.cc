// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/log_mark.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>

#include "src/side/side_format.h"

namespace uringfs {
namespace {

constexpr char kName[] = "user.uringfs";
constexpr size_t kMaxBytes = 64;

}  // namespace

void MarkLog(int fd) {
  const std::string& boot = BootId();
  (void)::fsetxattr(fd, kName, boot.data(), boot.size(), 0);
}

void UnmarkLog(int fd) { (void)::fremovexattr(fd, kName); }

int UnmarkLog(const std::string& log_path) {
  if (::removexattr(log_path.c_str(), kName) == 0) {
    return 0;
  }
  const int error = errno;
  return HasMark(log_path) ? error : 0;
}

bool HasMark(const std::string& log_path) {
  char boot[kMaxBytes];
  const ssize_t bytes = ::getxattr(log_path.c_str(), kName, boot, sizeof(boot));
  return bytes > 0 && BootId() == std::string(boot, static_cast<size_t>(bytes));
}

bool IsMarkedLog(const std::string& log_path) {
  struct stat log = {};
  return HasMark(log_path) && ::stat(log_path.c_str(), &log) == 0 &&
         log.st_nlink == 1;
}

}  // namespace uringfs
