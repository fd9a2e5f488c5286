// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "buffer_budget.h"

#include <algorithm>

namespace uringfs {

BufferShare& BufferShare::operator=(BufferShare&& other) noexcept {
  std::swap(budget_, other.budget_);
  std::swap(buffer_bytes_, other.buffer_bytes_);
  std::swap(count_, other.count_);
  return *this;
}

BufferShare::~BufferShare() {
  if (budget_ != nullptr) {
    budget_->GiveBack(uint64_t{buffer_bytes_} * count_);
  }
}

BufferShare BufferBudget::Take(uint64_t cap_bytes, uint32_t buffer_bytes,
                               uint32_t wanted) {
  const MutexLock lock(&mutex_);
  // The cap may have been lowered.
  const uint64_t left =
      (cap_bytes - std::min(cap_bytes, in_use_)) / buffer_bytes;
  if (left < kMinBuffers) {
    return {};
  }
  const auto count = static_cast<uint32_t>(
      std::clamp<uint64_t>(left / 2, kMinBuffers, wanted));
  in_use_ += uint64_t{count} * buffer_bytes;
  peak_ = std::max(peak_, in_use_);
  return {this, buffer_bytes, count};
}

void BufferBudget::GiveBack(uint64_t bytes) {
  const MutexLock lock(&mutex_);
  in_use_ -= bytes;
}

uint64_t BufferBudget::in_use() const {
  const MutexLock lock(&mutex_);
  return in_use_;
}

uint64_t BufferBudget::peak() const {
  const MutexLock lock(&mutex_);
  return peak_;
}

}  // namespace uringfs
