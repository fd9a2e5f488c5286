// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A program that is run: in a process group of its own, so that it and what it
// started can be ended together, and never longer than this process lives.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_CHILD_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_CHILD_H_

#include <sys/types.h>

#include <atomic>
#include <string>
#include <vector>

namespace uringfs::bench {

struct Command {
  // argv[0] is looked for in PATH.
  std::vector<std::string> argv;
  // "NAME=value"; URINGFS_* and LD_PRELOAD of our own environment are not
  // handed on.
  std::vector<std::string> environment;
  std::string directory;  // to run in
  std::string output;     // file for both streams

  // As one would type it.
  std::string ToString() const;
};

struct Ended {
  bool is_ok = false;
  // "exit code 1", "killed by signal 11", "stopped", "took longer than 600 s".
  std::string how;
  double user_seconds = 0;
  double system_seconds = 0;
};

// THREADS: one at a time, for all of it.
class Child {
 public:
  Child() = default;
  // Ends it if it has not ended.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // False, with the reason, if there can be no process.
  bool Start(const Command& command, std::string* error);
  // Until it has ended, or has to: `stop` is set, or the time is over. With
  // `ends_it` false it may run on.
  Ended Wait(double max_seconds, const std::atomic<bool>& stop,
             bool ends_it = true);
  // First kindly.
  void End();
  bool is_running();

 private:
  // Returns whether it has ended, without waiting.
  bool Reap();

  pid_t process_ = -1;
  Ended ended_;
};

// Both steps, for programs that are over in a moment.
Ended Run(const Command& command, double max_seconds,
          const std::atomic<bool>& stop);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_CHILD_H_
