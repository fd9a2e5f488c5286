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
constexpr size_t kMaxBytes = 80;  // two numbers and a boot id

// `error` if there may be one that was not read.
struct Reading {
  int error = 0;
  bool is_marked = false;
  LogMark mark;
};

std::string TextOf(const LogMark& mark) {
  return BootId() + " " + std::to_string(mark.mount_epoch) + " " +
         std::to_string(mark.file_id);
}

// Else there is none: the file system has no attributes, the container no such
// calls, or this is nobody's mark.
bool MayBeThere(int error) {
  // EUCLEAN and EBADMSG: what ext4 and xfs find damaged.
  return error == EACCES || error == EIO || error == EUCLEAN ||
         error == EBADMSG || error == ENOMEM;
}

// `bytes` and errno are those of getxattr.
Reading ReadingOf(const char* bytes_of_it, ssize_t bytes) {
  Reading reading;
  if (bytes < 0) {
    reading.error = MayBeThere(errno) ? errno : 0;
    return reading;
  }
  const std::string text(bytes_of_it, static_cast<size_t>(bytes));
  const std::string numbers =
      text.substr(std::min(text.size(), BootId().size()));
  char* end = nullptr;
  reading.mark.mount_epoch = std::strtoull(numbers.c_str(), &end, 10);
  reading.mark.file_id = static_cast<uint32_t>(std::strtoul(end, nullptr, 10));
  reading.is_marked = text == TextOf(reading.mark);
  return reading;
}

Reading ReadMark(int fd) {
  char text[kMaxBytes];
  return ReadingOf(text, ::fgetxattr(fd, kName, text, sizeof(text)));
}

Reading ReadMark(const std::string& log_path) {
  char text[kMaxBytes];
  return ReadingOf(text,
                   ::getxattr(log_path.c_str(), kName, text, sizeof(text)));
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

bool MarkLog(int fd, const LogMark& mark) {
  const std::string text = TextOf(mark);
  return ::fsetxattr(fd, kName, text.data(), text.size(), 0) == 0;
}

int UnmarkLog(int fd) { return WhatStays(::fremovexattr(fd, kName), fd); }

int UnmarkLog(const std::string& log_path) {
  return WhatStays(::removexattr(log_path.c_str(), kName), log_path);
}

bool HasMark(const std::string& log_path) {
  return ReadMark(log_path).is_marked;
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
