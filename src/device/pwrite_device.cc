// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/device/pwrite_device.h"

#include <utility>

#include "src/base/assert.h"

namespace uringfs {

PwriteDevice::PwriteDevice(std::unique_ptr<DirectFile> file,
                           const IoChoice& choice)
    : FileDevice(std::move(file), choice) {}

void PwriteDevice::Submit(Write* write) { WriteNow(write); }

size_t PwriteDevice::Reap(size_t min_count, Write** done, size_t capacity) {
  URINGFS_CHECK_LE(min_count, capacity);
  URINGFS_CHECK_LE(min_count, in_flight());
  return TakeFinished(done, capacity);
}

}  // namespace uringfs
