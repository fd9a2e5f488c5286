// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Parts of tests that must run in a process of their own, because they are
// killed, give up privileges or set limits. The child is this same executable
// started anew, so that it inherits no threads and no rings.
//
//   int FillAndWait(const std::vector<std::string>& args) { ... }
//   const RegisterChild kFill("fill", &FillAndWait);
//   TEST(...) { ChildProcess child("fill", {dir}); ... }
//
// A test that uses it takes child_process.cc's main instead of gtest's.

#ifndef URINGFS_TEST_SUPPORT_CHILD_PROCESS_H_
#define URINGFS_TEST_SUPPORT_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace uringfs::test {

using ChildBody = int (*)(const std::vector<std::string>& args);

struct RegisterChild {
  RegisterChild(const char* name, ChildBody body);
};

class ChildProcess {
 public:
  ChildProcess(const std::string& name, const std::vector<std::string>& args);
  // Kills and waits, if that was not done.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Where what the child writes to its standard output arrives.
  int output() const { return output_; }
  // Everything that is still to come from there, until the child has gone.
  std::string ReadAll();

  // SIGKILL, and waits until the process is gone.
  void Kill();
  // What the body returned; -signal if it was killed by one.
  int Wait();

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  int result_ = 0;
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_SUPPORT_CHILD_PROCESS_H_
