// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "free_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

namespace uringfs {
namespace {

// What stands before the group of version 2 in /proc/self/cgroup.
constexpr std::string_view kVersion2 = "\n0::";

// Empty if it cannot be read. What we look for is in the first 16 KiB.
std::string ReadStart(const std::string& path) {
  std::string text;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd >= 0) {
    char buffer[16384];
    const ssize_t bytes = ::read(fd, buffer, sizeof(buffer));
    text.assign(buffer, bytes > 0 ? static_cast<size_t>(bytes) : 0);
    ::close(fd);
  }
  return text;
}

// The number behind `name` at the beginning of a line of `text`.
std::optional<uint64_t> NumberOf(const std::string& text,
                                 std::string_view name) {
  size_t at = 0;
  while (text.compare(at, name.size(), name) != 0) {
    at = text.find('\n', at);
    if (at == std::string::npos) {
      return std::nullopt;
    }
    ++at;
  }
  const char* const begin = text.c_str() + at + name.size();
  char* end = nullptr;
  const uint64_t number = std::strtoull(begin, &end, 10);
  return end == begin ? std::nullopt : std::optional<uint64_t>(number);
}

uint64_t Minus(uint64_t number, uint64_t less) {
  return number > less ? number - less : 0;
}

}  // namespace

FreeMemory::FreeMemory(std::string proc, std::string cgroup)
    : proc_(std::move(proc)), cgroup_(std::move(cgroup)) {}

// Each group's limit holds for all below it.
FreeMemory::Room FreeMemory::RoomOfGroups() const {
  Room room;
  const std::string groups = "\n" + ReadStart(proc_ + "/self/cgroup");
  const size_t line = groups.find(kVersion2);
  if (line == std::string::npos) {
    return room;
  }
  const size_t begin = line + kVersion2.size();
  std::string group = groups.substr(begin, groups.find('\n', begin) - begin);
  while (true) {
    const std::string directory = cgroup_ + group;
    // "max" is no number.
    if (const auto limit = NumberOf(ReadStart(directory + "/memory.max"), "")) {
      const uint64_t used =
          NumberOf(ReadStart(directory + "/memory.current"), "").value_or(0);
      const uint64_t file =
          NumberOf(ReadStart(directory + "/memory.stat"), "file ").value_or(0);
      room.unused = std::min(room.unused, Minus(*limit, used));
      room.reclaimable =
          std::min(room.reclaimable, Minus(*limit, Minus(used, file)));
    }
    const size_t slash = group.rfind('/');
    if (group.empty() || slash == std::string::npos) {
      return room;
    }
    group.resize(slash);
  }
}

uint64_t FreeMemory::Reclaimable() const {
  const auto kib = NumberOf(ReadStart(proc_ + "/meminfo"), "MemAvailable:");
  return std::min(kib ? *kib * 1024 : UINT64_MAX, RoomOfGroups().reclaimable);
}

uint64_t FreeMemory::Unused() const {
  const auto kib = NumberOf(ReadStart(proc_ + "/meminfo"), "MemFree:");
  return std::min(kib ? *kib * 1024 : 0, RoomOfGroups().unused);
}

}  // namespace uringfs
