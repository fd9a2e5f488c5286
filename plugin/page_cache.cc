// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "page_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace uringfs {
namespace {

// Of a file; all of a short one.
constexpr size_t kSamples = 64;

// `pages`, at least one, are mapped at `memory`.
bool HasMostOf(unsigned char* memory, size_t pages, size_t page_bytes) {
  const size_t samples = std::min(pages, kSamples);
  size_t there = 0;
  for (size_t i = 0; i < samples; ++i) {
    unsigned char state = 0;
    unsigned char* const page = memory + pages * i / samples * page_bytes;
    if (::mincore(page, page_bytes, &state) != 0) {
      return true;
    }
    there += state & 1;
  }
  return 2 * there >= samples;
}

}  // namespace

bool IsInPageCache(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  struct stat file = {};
  void* memory = MAP_FAILED;
  if (::fstat(fd, &file) == 0 && file.st_size > 0) {
    memory = ::mmap(nullptr, static_cast<size_t>(file.st_size), PROT_READ,
                    MAP_SHARED, fd, 0);
  }
  ::close(fd);
  if (memory == MAP_FAILED) {
    return true;
  }
  const auto bytes = static_cast<size_t>(file.st_size);
  const auto page_bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const bool has_most =
      HasMostOf(static_cast<unsigned char*>(memory),
                (bytes + page_bytes - 1) / page_bytes, page_bytes);
  ::munmap(memory, bytes);
  return has_most;
}

}  // namespace uringfs
