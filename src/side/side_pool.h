// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Side files of the process. A database changes its WAL all the time, and
// opens the next one before it closes the last: the side file of a log that
// closes is kept for the next one as long as another log is open in the same
// directory, and goes with the last of them.

#ifndef URINGFS_SIDE_SIDE_POOL_H_
#define URINGFS_SIDE_SIDE_POOL_H_

#include <memory>
#include <string>

#include "src/side/side_file.h"

#include "uringfs/options.h"
#include "uringfs/status.h"

namespace uringfs {

// A side file for the log at `log_path`: one that is idle in its directory, or
// a new one. Errors: as SideFile::Create; NotSupported if `distrust` is not
// empty.
Status AcquireSideFile(const std::string& log_path, const std::string& distrust,
                       const LogOptions& options,
                       std::unique_ptr<SideFile>* side);

// Why nobody would trust a side file at `log_path` to belong to `log`: the path
// does not lead straight to it, or it is somebody else's. Empty if he would.
std::string WhyDistrusted(const std::string& log_path, const FileIdentity& log);

// For people: why a ring is private when AcquireSideFile has failed.
std::string WhyPrivate(const Status& status);

// The log at `log_path` needs its side file no more but for its memory: its
// names are gone, `side` is not, and is not to be released. REQUIRES: not
// armed. Errors: those of removing it.
Status RetireSideFile(const std::string& log_path, SideFile* side);

// The log at `log_path` has closed. An armed side file stays where it is; one
// that is not is kept or removed. Errors: those of removing it.
Status ReleaseSideFile(const std::string& log_path,
                       std::unique_ptr<SideFile> side);

}  // namespace uringfs

#endif  // URINGFS_SIDE_SIDE_POOL_H_
