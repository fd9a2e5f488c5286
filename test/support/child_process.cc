// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "test/support/child_process.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

constexpr char kChildFlag[] = "--uringfs_child";

std::map<std::string, ChildBody>& Bodies() {
  static std::map<std::string, ChildBody> bodies;
  return bodies;
}

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

int RunChild(const std::vector<std::string>& words) {
  const auto found = Bodies().find(words.at(0));
  if (found == Bodies().end()) {
    std::fprintf(stderr, "no child body '%s'\n", words[0].c_str());
    return 125;
  }
  return found->second({words.begin() + 1, words.end()});
}

}  // namespace

RegisterChild::RegisterChild(const char* name, ChildBody body) {
  Bodies()[name] = body;
}

ChildProcess::ChildProcess(const std::string& name,
                           const std::vector<std::string>& args) {
  std::vector<std::string> words = {"/proc/self/exe", kChildFlag, name};
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  int ends[2];
  if (::pipe(ends) != 0) {
    Die("pipe");
  }
  pid_ = ::fork();
  if (pid_ < 0) {
    Die("fork");
  }
  if (pid_ == 0) {
    // A test that is itself killed must not leave its child behind.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    ::execv(argv[0], argv.data());
    ::_exit(126);
  }
  ::close(ends[1]);
  output_ = ends[0];
}

ChildProcess::~ChildProcess() {
  Kill();
  ::close(output_);
}

std::string ChildProcess::ReadAll() {
  std::string all;
  char piece[4096];
  ssize_t n = 0;
  while ((n = ::read(output_, piece, sizeof(piece))) > 0) {
    all.append(piece, static_cast<size_t>(n));
  }
  return all;
}

void ChildProcess::Kill() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    Wait();
  }
}

int ChildProcess::Wait() {
  if (pid_ > 0) {
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) {
      Die("waitpid");
    }
    pid_ = -1;
    result_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  return result_;
}

}  // namespace uringfs::test

namespace {
bool is_child = false;
}  // namespace

// LeakSanitizer asks it. What a child leaves open, it leaves on purpose.
extern "C" int __lsan_is_turned_off();
extern "C" int __lsan_is_turned_off() { return is_child ? 1 : 0; }

int main(int argc, char** argv) {
  if (argc > 2 && argv[1] == std::string(uringfs::test::kChildFlag)) {
    is_child = true;
    return uringfs::test::RunChild({argv + 2, argv + argc});
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
