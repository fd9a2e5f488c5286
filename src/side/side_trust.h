// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_SIDE_SIDE_TRUST_H_
#define URINGFS_SIDE_SIDE_TRUST_H_

#include <string>

#include "src/base/file_identity.h"
#include "src/side/side_reader.h"

#include "uringfs/status.h"

namespace uringfs {

// A side file is as trustworthy as its log if whoever may write to it may also
// write to the log, or replace it in its directory. Returns who may not, and
// what to do about it; empty if there is nobody. Needs the two stats of `side`.
std::string WhyLessTrusted(const std::string& log_path, const Side& side);

// Why nobody would trust a side file at `log_path` to belong to `log`: the path
// does not lead straight to it, or it is somebody else's. Empty if he would.
std::string WhyDistrusted(const std::string& log_path, const FileIdentity& log);

// For people: why a ring is private when SideFile::Create has failed.
std::string WhyPrivate(const Status& status);

}  // namespace uringfs

#endif  // URINGFS_SIDE_SIDE_TRUST_H_
