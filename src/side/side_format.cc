// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/side_format.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>

#include "src/base/posix_file.h"

#include "uringfs/internal/crc32c.h"

namespace uringfs {
namespace {

std::string ReadBootId() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string text;
  if (!std::getline(in, text) || text.size() >= sizeof(SideHeader::boot_id)) {
    return "";
  }
  return text;
}

}  // namespace

uint32_t SideChecksum(const SideHeader& header) {
  SideHeader copy = header;
  copy.checksum = 0;
  return Crc32c(&copy, sizeof(copy));
}

uint64_t NameHashOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (size_t i = slash == std::string::npos ? 0 : slash + 1; i < path.size();
       ++i) {
    hash = (hash ^ static_cast<unsigned char>(path[i])) * 0x100000001b3u;
  }
  return hash != 0 ? hash : 1;
}

const std::string& BootId() {
  // Never destroyed: logs may be closed by destructors of statics.
  static const std::string* const id = new std::string(ReadBootId());
  return *id;
}

uint64_t SideTagOf(uint64_t mount_epoch) {
  return NameHashOf(BootId() + " " + std::to_string(mount_epoch));
}

uint64_t ImageId() {
  static const uint64_t id = [] {
    uint64_t random = 0;
    // Before the kernel has collected randomness: then pid and start are all.
    static_cast<void>(::getrandom(&random, sizeof(random), GRND_NONBLOCK));
    return random;
  }();
  return id;
}

uint64_t ProcessStart(uint32_t pid) {
  // By read: a stream throws when the process goes meanwhile.
  PosixFile file;
  char bytes[4096];
  size_t got = 0;
  if (file.Open("/proc/" + std::to_string(pid) + "/stat", O_RDONLY) != 0 ||
      file.ReadAt(0, sizeof(bytes), bytes, &got) != 0) {
    return 0;
  }
  const std::string text(bytes, got);
  // Field 2 is the program's name in parentheses, and may hold any of them.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) {
    return 0;
  }
  std::istringstream rest(text.substr(name_end + 1));
  constexpr int first_field = 3;
  constexpr int start_field = 22;
  std::string field;
  for (int i = first_field; i <= start_field; ++i) {
    if (!(rest >> field)) {
      return 0;
    }
  }
  const uint64_t start = std::strtoull(field.c_str(), nullptr, 10);
  return start != std::numeric_limits<uint64_t>::max() ? start : 0;
}

}  // namespace uringfs
