// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_TEST_PLUGIN_SCOPED_VARIABLE_H_
#define URINGFS_TEST_PLUGIN_SCOPED_VARIABLE_H_

#include <cstdlib>
#include <string>

namespace uringfs::test {

// An environment variable that is set as long as this lives. REQUIRES: it was
// not set before, and no other thread looks at the environment.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    if (::setenv(name, value, 1) != 0) {
      std::abort();
    }
  }
  ~ScopedVariable() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    ::unsetenv(name_.c_str());
  }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const std::string name_;
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_PLUGIN_SCOPED_VARIABLE_H_
