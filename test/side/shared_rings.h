// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Tests of side files need a file system that has them.

#ifndef URINGFS_TEST_SIDE_SHARED_RINGS_H_
#define URINGFS_TEST_SIDE_SHARED_RINGS_H_

#include <string>

#include "src/side/side_file.h"

#include "gtest/gtest.h"

#define URINGFS_SKIP_WITHOUT_SHARED_RINGS(directory)              \
  do {                                                            \
    const std::string why_private = SideFile::Refusal(directory); \
    if (!why_private.empty()) {                                   \
      GTEST_SKIP() << "no shared rings here: " << why_private;    \
    }                                                             \
  } while (false)

#endif  // URINGFS_TEST_SIDE_SHARED_RINGS_H_
