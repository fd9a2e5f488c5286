// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/log_mark.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>
#include <cstdint>

#include "src/side/side_format.h"

namespace uringfs {
namespace {

constexpr char kName[] = "user.uringfs";
constexpr size_t kMaxBytes = 64;

// What the log says; `bytes` and errno are those of getxattr.
enum class Mark : uint8_t { kNone, kOfThisBoot, kUnknown };

Mark MarkOf(const char* boot, ssize_t bytes) {
  if (bytes < 0) {
    return errno == ENODATA || errno == ENOTSUP || errno == ENOENT
               ? Mark::kNone
               : Mark::kUnknown;
  }
  return BootId() == std::string(boot, static_cast<size_t>(bytes))
             ? Mark::kOfThisBoot
             : Mark::kNone;
}

Mark ReadMark(int fd) {
  char boot[kMaxBytes];
  return MarkOf(boot, ::fgetxattr(fd, kName, boot, sizeof(boot)));
}

Mark ReadMark(const std::string& log_path) {
  char boot[kMaxBytes];
  return MarkOf(boot, ::getxattr(log_path.c_str(), kName, boot, sizeof(boot)));
}

// Of a removal that has returned `result`.
template <typename Log>
int WhatStays(int result, const Log& log) {
  const int error = result == 0 ? 0 : errno;
  return error == 0 || ReadMark(log) == Mark::kNone ? 0 : error;
}

}  // namespace

void MarkLog(int fd) {
  const std::string& boot = BootId();
  (void)::fsetxattr(fd, kName, boot.data(), boot.size(), 0);
}

int UnmarkLog(int fd) { return WhatStays(::fremovexattr(fd, kName), fd); }

int UnmarkLog(const std::string& log_path) {
  return WhatStays(::removexattr(log_path.c_str(), kName), log_path);
}

bool IsMarkedLog(const std::string& log_path) {
  struct stat log = {};
  return ReadMark(log_path) == Mark::kOfThisBoot &&
         ::stat(log_path.c_str(), &log) == 0 && log.st_nlink == 1;
}

}  // namespace uringfs
