// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "db_bench_ext/judge/seconds.h"
#include "db_bench_ext/judge/text.h"

namespace uringfs::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Often enough for a run of a second; db_bench takes its own times.
constexpr auto kPause = std::chrono::milliseconds(5);
constexpr double kKindSeconds = 3;

double SecondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) / 1e6;
}

// Ours, without what would steer uringfs or come between, and the command's.
std::vector<std::string> EnvironmentOf(const Command& command) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "URINGFS_", 8) != 0 &&
        std::strncmp(*entry, "LD_PRELOAD=", 11) != 0) {
      all.emplace_back(*entry);
    }
  }
  all.insert(all.end(), command.environment.begin(), command.environment.end());
  return all;
}

std::vector<char*> PointersTo(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) {
    pointers.push_back(const_cast<char*>(word.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

// In the child: only calls that are safe behind a fork.
[[noreturn]] void Become(const Command& command, char* const* argv,
                         char** environment, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int in = ::open("/dev/null", O_RDONLY);
  const int out = ::open(command.output.c_str(),
                         O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  // The parent may have gone before it was asked for.
  if (::getppid() != parent || in < 0 || out < 0 ||
      ::chdir(command.directory.c_str()) != 0) {
    ::_exit(126);
  }
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Dispositions to ignore are handed on, too.
  ::signal(SIGPIPE, SIG_DFL);
  ::execvpe(argv[0], argv, environment);
  ::_exit(127);
}

}  // namespace

std::string Command::ToString() const {
  std::string text;
  for (const std::vector<std::string>* words : {&environment, &argv}) {
    for (const std::string& word : *words) {
      const bool plain =
          word.find_first_of(" ;&|$*?'\"<>(){}\\") == std::string::npos;
      text += (text.empty() ? "" : " ") + (plain ? word : "'" + word + "'");
    }
  }
  return text;
}

Child::~Child() { End(); }

bool Child::Start(const Command& command, std::string* error) {
  const std::vector<std::string> environment = EnvironmentOf(command);
  const std::vector<char*> argv = PointersTo(command.argv);
  std::vector<char*> variables = PointersTo(environment);
  const pid_t parent = ::getpid();
  ended_ = {};
  process_ = ::fork();
  if (process_ == 0) {
    Become(command, argv.data(), variables.data(), parent);
  }
  if (process_ < 0) {
    *error = ErrnoText("fork", errno);
    return false;
  }
  // Both do it, whoever comes first.
  ::setpgid(process_, process_);
  return true;
}

bool Child::Reap() {
  if (process_ < 0) {
    return true;
  }
  siginfo_t info = {};
  if (::waitid(P_PID, static_cast<id_t>(process_), &info,
               WEXITED | WNOHANG | WNOWAIT) != 0) {
    // Somebody has it reaped for us; how it ended is lost.
    process_ = errno == ECHILD ? -1 : process_;
    ended_.how = "its end was not told";
    return process_ < 0;
  }
  if (info.si_pid == 0) {
    return false;
  }
  // What it started, too; as long as it is not reaped the number is its own.
  ::kill(-process_, SIGKILL);
  int status = 0;
  rusage usage = {};
  ::wait4(process_, &status, 0, &usage);
  process_ = -1;
  ended_.user_seconds = SecondsOf(usage.ru_utime);
  ended_.system_seconds = SecondsOf(usage.ru_stime);
  if (WIFSIGNALED(status)) {
    ended_.how = "killed by signal " + std::to_string(WTERMSIG(status));
  } else {
    ended_.is_ok = WEXITSTATUS(status) == 0;
    ended_.how = "exit code " + std::to_string(WEXITSTATUS(status));
  }
  return true;
}

bool Child::is_running() { return !Reap(); }

void Child::End() {
  if (Reap()) {
    return;
  }
  ::kill(-process_, SIGTERM);
  const auto begin = Clock::now();
  while (!Reap()) {
    if (SecondsSince(begin) > kKindSeconds) {
      ::kill(-process_, SIGKILL);
    }
    std::this_thread::sleep_for(kPause);
  }
}

Ended Child::Wait(double max_seconds, const std::atomic<bool>& stop,
                  bool ends_it) {
  const auto begin = Clock::now();
  while (!Reap()) {
    const bool is_late = SecondsSince(begin) > max_seconds;
    if (is_late || stop.load(std::memory_order_relaxed)) {
      if (!ends_it) {
        break;
      }
      End();
      ended_.is_ok = false;
      ended_.how = is_late ? "took longer than " +
                                 std::to_string(static_cast<int>(max_seconds)) +
                                 " s"
                           : "stopped";
      break;
    }
    std::this_thread::sleep_for(kPause);
  }
  return ended_;
}

Ended Run(const Command& command, double max_seconds,
          const std::atomic<bool>& stop) {
  Child child;
  Ended ended;
  return child.Start(command, &ended.how) ? child.Wait(max_seconds, stop)
                                          : ended;
}

}  // namespace uringfs::bench
