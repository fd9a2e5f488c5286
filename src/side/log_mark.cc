// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/log_mark.h"

#include <sys/xattr.h>

#include <cerrno>

#include "src/side/side_format.h"

namespace uringfs {
namespace {

constexpr char kName[] = "user.uringfs";
constexpr size_t kMaxBytes = 64;

}  // namespace

void MarkLog(const std::string& log_path) {
  const std::string& boot = BootId();
  (void)::lsetxattr(log_path.c_str(), kName, boot.data(), boot.size(), 0);
}

int UnmarkLog(const std::string& log_path) {
  if (::lremovexattr(log_path.c_str(), kName) == 0 || errno == ENODATA ||
      errno == ENOTSUP || errno == ENOENT) {
    return 0;
  }
  // Where nobody may remove any there may be none.
  const int error = errno;
  return ::lgetxattr(log_path.c_str(), kName, nullptr, 0) < 0 ? 0 : error;
}

bool IsMarkedLog(const std::string& log_path) {
  char boot[kMaxBytes];
  const ssize_t bytes =
      ::lgetxattr(log_path.c_str(), kName, boot, sizeof(boot));
  return bytes > 0 && BootId() == std::string(boot, static_cast<size_t>(bytes));
}

}  // namespace uringfs
