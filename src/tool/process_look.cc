// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/tool/process_look.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>

namespace uringfs::tool {
namespace {

constexpr char kGone[] = " (deleted)";

// Returns 0 or the errno.
int ReadText(const std::string& path, std::string* text) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return errno;
  }
  char piece[4096];
  ssize_t got = 0;
  while ((got = ::read(fd, piece, sizeof(piece))) > 0) {
    text->append(piece, static_cast<size_t>(got));
  }
  const int error = got < 0 ? errno : 0;
  ::close(fd);
  return error;
}

// Empty if it cannot be read.
std::string ReadLink(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t bytes = ::readlink(path.c_str(), target, sizeof(target));
  return bytes > 0 ? std::string(target, static_cast<size_t>(bytes)) : "";
}

// `address perms offset dev inode path`; the path may hold blanks.
void ReadMaps(const std::string& text, ProcessLook* look) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find('/');
    const size_t perms = line.find(' ');
    if (at == std::string::npos || perms == std::string::npos) {
      continue;
    }
    const std::string path = line.substr(at);
    look->mapped.insert(path);
    const bool is_code = line.compare(perms + 3, 1, "x") == 0;
    if (is_code && std::find(look->objects.begin(), look->objects.end(),
                             path) == look->objects.end()) {
      look->objects.push_back(path);
    }
  }
}

void ReadEnvironment(const std::string& text, ProcessLook* look) {
  std::istringstream entries(text);
  const std::string name = "URINGFS_DEFAULT=";
  for (std::string entry; std::getline(entries, entry, '\0');) {
    if (entry.rfind(name, 0) == 0) {
      look->default_variable = entry.substr(name.size());
    }
  }
}

// The flags of an open file, octal, as in open(2).
unsigned long FlagsOf(const std::string& fdinfo) {
  const std::string name = "flags:";
  const size_t at = fdinfo.find(name);
  return at == std::string::npos
             ? 0
             : std::strtoul(fdinfo.c_str() + at + name.size(), nullptr, 8);
}

void ReadFile(const std::string& proc, const std::string& fd,
              ProcessLook* look) {
  OpenFile file;
  file.path = ReadLink(proc + "fd/" + fd);
  look->has_uring = look->has_uring || file.path == "anon_inode:[io_uring]";
  std::string fdinfo;
  const size_t tail = sizeof(kGone) - 1;
  const bool is_gone =
      file.path.size() > tail &&
      file.path.compare(file.path.size() - tail, tail, kGone) == 0;
  if (file.path.empty() || file.path.front() != '/' || is_gone ||
      ReadText(proc + "fdinfo/" + fd, &fdinfo) != 0) {
    return;  // no file, or closed meanwhile
  }
  const unsigned long flags = FlagsOf(fdinfo);
  file.is_written = (flags & O_ACCMODE) != O_RDONLY;
  file.is_direct = (flags & O_DIRECT) != 0;
  look->files.push_back(std::move(file));
}

}  // namespace

int LookAtProcess(pid_t pid, ProcessLook* look) {
  *look = ProcessLook();
  const std::string proc = "/proc/" + std::to_string(pid) + "/";
  std::string name;
  std::string maps;
  std::string environment;
  int error = ReadText(proc + "comm", &name);
  error = error == 0 ? ReadText(proc + "maps", &maps) : error;
  error = error == 0 ? ReadText(proc + "environ", &environment) : error;
  if (error != 0) {
    return error == ENOENT ? ESRCH : error;
  }
  look->name = name.substr(0, name.find('\n'));
  look->root = proc + "root";
  look->program = ReadLink(proc + "exe");
  ReadMaps(maps, look);
  ReadEnvironment(environment, look);
  std::error_code listed;
  for (std::filesystem::directory_iterator it(proc + "fd", listed), end;
       !listed && it != end; it.increment(listed)) {
    ReadFile(proc, it->path().filename().string(), look);
  }
  return listed.value();
}

}  // namespace uringfs::tool
