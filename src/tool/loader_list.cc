// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/tool/loader_list.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

extern char** environ;

namespace uringfs::tool {
namespace {

// Any file may name any other one as its loader.
bool IsOfTheSystem(const std::string& interpreter) {
  for (const char* const folder : {"/lib/", "/lib64/", "/usr/lib/"}) {
    if (interpreter.rfind(folder, 0) == 0 &&
        interpreter.find("/../") == std::string::npos) {
      return true;
    }
  }
  return false;
}

// What `interpreter --list program` prints; empty if it fails.
std::string RunLoader(const std::string& interpreter,
                      const std::string& program) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) {
    return "";
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
                                     O_WRONLY, 0);
  std::string words[] = {interpreter, "--list", program};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(),
                       nullptr};
  pid_t child = -1;
  const int error = ::posix_spawn(&child, interpreter.c_str(), &actions,
                                  nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  std::string text;
  char piece[4096];
  ssize_t got = 0;
  while (error == 0 && ((got = ::read(pipe[0], piece, sizeof(piece))) > 0 ||
                        (got < 0 && errno == EINTR))) {
    text.append(piece, static_cast<size_t>(got > 0 ? got : 0));
  }
  ::close(pipe[0]);
  int status = -1;
  while (error == 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status == 0 ? text : "";
}

}  // namespace

bool ListObjects(const std::string& interpreter, const std::string& program,
                 std::vector<std::string>* paths,
                 std::vector<std::string>* missing) {
  const std::string text = IsOfTheSystem(interpreter)
                               ? RunLoader(interpreter, program)
                               : std::string();
  // `name => path (address)`, `name => not found`, `path (address)`
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t begin = line.find_first_not_of(" \t");
    const size_t arrow = line.find(" => ");
    const size_t end = line.rfind(" (0x");
    if (begin == std::string::npos) {
      continue;
    }
    if (end == std::string::npos && arrow != std::string::npos) {
      missing->push_back(line.substr(begin, arrow - begin));
      continue;
    }
    const size_t at = arrow != std::string::npos ? arrow + 4 : begin;
    if (at < line.size() && line[at] == '/' && end != std::string::npos) {
      paths->push_back(line.substr(at, end - at));
    }
  }
  return !text.empty();
}

}  // namespace uringfs::tool
