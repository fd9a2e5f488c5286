// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// PwriteDevice: the Device for kernels that refuse io_uring. Submit writes and
// waits; Reap only tells.

#ifndef URINGFS_DEVICE_PWRITE_DEVICE_H_
#define URINGFS_DEVICE_PWRITE_DEVICE_H_

#include <cstddef>
#include <memory>

#include "src/device/file_device.h"

namespace uringfs {

class PwriteDevice : public FileDevice {
 public:
  PwriteDevice(std::unique_ptr<DirectFile> file, const IoChoice& choice);

  void Submit(Write* write) override;
  size_t Reap(size_t min_count, Write** done, size_t capacity) override;
};

}  // namespace uringfs

#endif  // URINGFS_DEVICE_PWRITE_DEVICE_H_
