// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_SIDE_SIDE_TRUST_H_
#define URINGFS_SIDE_SIDE_TRUST_H_

#include <string>

#include "src/side/side_reader.h"

namespace uringfs {

// A side file is as trustworthy as its log if whoever may write to it may also
// write to the log, or replace it in its directory. Returns who may not, and
// what to do about it; empty if there is nobody. Needs the two stats of `side`.
std::string WhyLessTrusted(const std::string& log_path, const Side& side);

}  // namespace uringfs

#endif  // URINGFS_SIDE_SIDE_TRUST_H_
