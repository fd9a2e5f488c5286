// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/checksums.h"

#include <algorithm>
#include <utility>

#include "src/base/assert.h"

#include "uringfs/internal/crc32c.h"

namespace uringfs {

Checksums::Checksums(std::string path) : path_(std::move(path)) {}

void Checksums::Add(uint64_t begin, uint64_t end, uint32_t crc32c) {
  const MutexLock lock(&mutex_);
  // Appends of several threads may come here in another order than they were
  // given their ranges.
  auto place = entries_.end();
  while (place != entries_.begin() && std::prev(place)->begin > begin) {
    --place;
  }
  entries_.insert(place, {begin, end, crc32c});
  is_used_.store(true, std::memory_order_release);
}

bool Checksums::First(Entry* entry) {
  const MutexLock lock(&mutex_);
  if (entries_.empty()) {
    return false;
  }
  *entry = entries_.front();
  return true;
}

Status Checksums::Check(uint64_t begin, uint64_t end, const char* data,
                        uint64_t* bad_begin) {
  // The pass over the bytes is made without the lock: appenders take it.
  Entry entry;
  for (uint64_t at = begin; at < end &&
                            is_used_.load(std::memory_order_acquire) &&
                            First(&entry) && entry.begin < end;) {
    at = std::max(at, entry.begin);
    const uint64_t until = std::min(end, entry.end);
    URINGFS_CHECK_LT(at, until);
    running_ = Crc32c(data + (at - begin), until - at, running_);
    at = until;
    if (until < entry.end) {
      break;
    }
    if (running_ != entry.crc32c) {
      *bad_begin = entry.begin;
      return Status::Corruption(
          "the bytes " + std::to_string(entry.begin) + " to " +
              std::to_string(entry.end) +
              " changed between the append and the write (checksum " +
              std::to_string(running_) + " instead of " +
              std::to_string(entry.crc32c) + "): memory or software at fault",
          path_);
    }
    running_ = 0;
    const MutexLock lock(&mutex_);
    entries_.pop_front();
  }
  return Status::Ok();
}

}  // namespace uringfs
