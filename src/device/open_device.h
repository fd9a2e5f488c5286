// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Opening a file as a Device: which inode, O_DIRECT or not, io_uring or pwrite.

#ifndef URINGFS_DEVICE_OPEN_DEVICE_H_
#define URINGFS_DEVICE_OPEN_DEVICE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "src/base/file_identity.h"
#include "src/device/device.h"
#include "src/device/io_context.h"

#include "uringfs/options.h"
#include "uringfs/status.h"

namespace uringfs {

struct OpenedDevice {
  std::unique_ptr<Device> device;
  uint64_t size_bytes = 0;  // of the file as found; 0 after kCreate
  FileIdentity identity;
  // With RingHome::kShared: why the file could not be locked; empty if it is.
  std::string lock_refusal;
};

// Opens `path` by `options`. `context` is borrowed until the device is gone.
//
// The directory is *not* made durable: a new file's name can be lost with the
// power even after MakeDurable. RocksDB syncs its directories itself; who uses
// the core alone does so once after creating a log.
//
// With RingHome::kShared the descriptor gets an exclusive flock. Requests that
// are in flight keep the descriptor, and so the lock, when the process is
// killed: who gets the lock then knows that no late write can land any more.
//
// Errors: NotSupported where `options` demand what is not to be had (a refused
// io_uring leaves the path untouched, refused O_DIRECT an empty file);
// InvalidArgument if `path` is no regular file; EWOULDBLOCK if it is locked by
// another writer; else the errno of the call.
Status OpenDevice(const std::string& path, const LogOptions& options,
                  IoContext* context, OpenedDevice* opened);

// What a log with `options` would get in `directory`, but for its ring. Writes
// nothing there.
Status ProbeDevice(const std::string& directory, const LogOptions& options,
                   IoChoice* choice);

}  // namespace uringfs

#endif  // URINGFS_DEVICE_OPEN_DEVICE_H_
