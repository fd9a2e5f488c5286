// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Checks that stay on in release builds: a broken invariant of a log means
// lost bytes, and stopping is cheaper than that.

#ifndef URINGFS_BASE_ASSERT_H_
#define URINGFS_BASE_ASSERT_H_

#include <cstdio>
#include <cstdlib>

namespace uringfs::internal {

[[noreturn]] inline void CheckFailed(const char* file, int line,
                                     const char* condition, const char* left,
                                     unsigned long long left_value,
                                     const char* right,
                                     unsigned long long right_value) {
  std::fprintf(stderr, "%s:%d: uringfs check failed: %s (%s = %llu, %s = %llu)",
               file, line, condition, left, left_value, right, right_value);
  std::fputc('\n', stderr);
  std::abort();
}

}  // namespace uringfs::internal

// Dies if `condition` is false and prints the two operands that explain it.
#define URINGFS_CHECK_WITH(condition, a, b)                                    \
  do {                                                                         \
    if (__builtin_expect(!(condition), 0)) {                                   \
      ::uringfs::internal::CheckFailed(__FILE__, __LINE__, #condition, #a,     \
                                       static_cast<unsigned long long>(a), #b, \
                                       static_cast<unsigned long long>(b));    \
    }                                                                          \
  } while (false)

#define URINGFS_CHECK(condition) URINGFS_CHECK_WITH(condition, 0, 0)
#define URINGFS_CHECK_EQ(a, b) URINGFS_CHECK_WITH((a) == (b), a, b)
#define URINGFS_CHECK_LE(a, b) URINGFS_CHECK_WITH((a) <= (b), a, b)
#define URINGFS_CHECK_LT(a, b) URINGFS_CHECK_WITH((a) < (b), a, b)

#endif  // URINGFS_BASE_ASSERT_H_
