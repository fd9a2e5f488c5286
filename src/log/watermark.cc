// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/watermark.h"

#include "src/base/assert.h"

namespace uringfs {

void Watermark::Reset(uint64_t value) {
  islands_.clear();
  // release: as in Publish(); a reset may also go back.
  value_.store(value, std::memory_order_release);
}

void Watermark::Complete(uint64_t begin, uint64_t end) {
  URINGFS_CHECK_LT(begin, end);
  // relaxed: only the owner stores.
  const uint64_t now = value_.load(std::memory_order_relaxed);
  URINGFS_CHECK_LE(now, begin);
  if (begin == now) {
    (void)AdvanceTo(end);
    return;
  }
  const bool is_new = islands_.emplace(begin, end).second;
  URINGFS_CHECK(is_new);
}

bool Watermark::AdvanceTo(uint64_t end) {
  const uint64_t now = value_.load(std::memory_order_relaxed);  // owner
  if (end <= now) {
    return false;
  }
  while (!islands_.empty() && islands_.begin()->first <= end) {
    const uint64_t island_end = islands_.begin()->second;
    end = island_end > end ? island_end : end;
    islands_.erase(islands_.begin());
  }
  Publish(end);
  return true;
}

void Watermark::Publish(uint64_t value) {
  URINGFS_CHECK_LT(value_.load(std::memory_order_relaxed), value);
  value_.store(value, std::memory_order_release);  // [W1]
}

}  // namespace uringfs
