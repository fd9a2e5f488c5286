// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What recovery writes: into the log, and a copy of it.
//
// THREADS: any, each log one at a time, under its lock.

#ifndef URINGFS_RECOVERY_WRITE_LOG_H_
#define URINGFS_RECOVERY_WRITE_LOG_H_

#include <cstdint>
#include <string>

#include "src/base/posix_file.h"
#include "src/recovery/look.h"

#include "uringfs/status.h"

namespace uringfs {

Status OpenToWrite(const std::string& log_path, PosixFile* log);

// Writes anew what the owner had not seen written, up to `to`, as the ring has
// it, or the log itself. Not durable yet.
Status WriteFrom(const std::string& log_path, const SideLook& look,
                 bool from_ring, uint64_t to, const PosixFile& log);

Status CutDurably(const std::string& log_path, const PosixFile& log,
                  uint64_t end);

// A copy of the log under a name of its own, which *kept tells if it was made:
// durable but for the name.
Status KeepLog(const std::string& log_path, const SideLook& look,
               std::string* kept);

}  // namespace uringfs

#endif  // URINGFS_RECOVERY_WRITE_LOG_H_
