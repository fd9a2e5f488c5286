// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/log_mark.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "src/side/side_format.h"

namespace uringfs {
namespace {

constexpr char kName[] = "user.uringfs";
constexpr size_t kMaxBytes = 64;

enum class Mark : uint8_t { kNone, kOfThisBoot, kUnknown };

std::string TextOf(uint32_t file_id) {
  return BootId() + " " + std::to_string(file_id);
}

// `bytes` and errno are those of getxattr.
Mark MarkOf(const char* text, ssize_t bytes, uint32_t* file_id) {
  if (bytes < 0) {
    // Whoever may read the log may read this.
    return errno == EACCES ? Mark::kUnknown : Mark::kNone;
  }
  const std::string mark(text, static_cast<size_t>(bytes));
  *file_id = static_cast<uint32_t>(
      std::strtoul(mark.substr(std::min(mark.size(), BootId().size())).c_str(),
                   nullptr, 10));
  return mark == TextOf(*file_id) ? Mark::kOfThisBoot : Mark::kNone;
}

Mark ReadMark(int fd, uint32_t* file_id) {
  char text[kMaxBytes];
  return MarkOf(text, ::fgetxattr(fd, kName, text, sizeof(text)), file_id);
}

Mark ReadMark(const std::string& log_path, uint32_t* file_id) {
  char text[kMaxBytes];
  return MarkOf(text, ::getxattr(log_path.c_str(), kName, text, sizeof(text)),
                file_id);
}

// Of a removal that has returned `result`.
template <typename Log>
int WhatStays(int result, const Log& log) {
  const int error = result == 0 ? 0 : errno;
  uint32_t file_id = 0;
  return error == 0 || ReadMark(log, &file_id) == Mark::kNone ? 0 : error;
}

}  // namespace

bool MarkLog(int fd, uint32_t file_id) {
  const std::string text = TextOf(file_id);
  return ::fsetxattr(fd, kName, text.data(), text.size(), 0) == 0;
}

int UnmarkLog(int fd) { return WhatStays(::fremovexattr(fd, kName), fd); }

int UnmarkLog(const std::string& log_path) {
  return WhatStays(::removexattr(log_path.c_str(), kName), log_path);
}

bool HasMark(const std::string& log_path) {
  uint32_t file_id = 0;
  return ReadMark(log_path, &file_id) == Mark::kOfThisBoot;
}

bool IsMarkedLog(const std::string& log_path, uint32_t* file_id) {
  struct stat log = {};
  uint32_t none = 0;
  return ReadMark(log_path, file_id != nullptr ? file_id : &none) ==
             Mark::kOfThisBoot &&
         ::stat(log_path.c_str(), &log) == 0 && log.st_nlink == 1;
}

}  // namespace uringfs
