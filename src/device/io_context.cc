// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/device/io_context.h"

#include "src/device/uring_queue.h"

namespace uringfs {

IoContext::IoContext(char* memory, size_t bytes, Sys* sys)
    : memory_(memory),
      bytes_(bytes),
      sys_(sys != nullptr ? sys : Sys::Real()) {}

IoContext::~IoContext() = default;

Status IoContext::Queue(UringQueue** queue) {
  // In a child of fork the ring we know is the parent's.
  if (queue_ != nullptr && !queue_->IsOurs()) {
    queue_.reset();
  }
  Status status;
  if (queue_ == nullptr) {
    status = UringQueue::Create(sys_, memory_, bytes_, &queue_);
  }
  *queue = queue_.get();
  return status;
}

}  // namespace uringfs
