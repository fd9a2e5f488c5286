// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// System calls that are refused, as container runtimes do it.

#ifndef URINGFS_TEST_SUPPORT_FORBID_H_
#define URINGFS_TEST_SUPPORT_FORBID_H_

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <cstddef>

namespace uringfs::test {

// From here on this process gets `error` from system call `number`.
inline bool Forbid(unsigned number, unsigned error) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter = {4, program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace uringfs::test

#endif  // URINGFS_TEST_SUPPORT_FORBID_H_
