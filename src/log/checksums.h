// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Checksums: what the callers of a log say their appends' checksums are, and
// whether the ring still has those bytes when they are handed to the device. A
// bit that flips in between is found before anything vouches for it.
//
// Invariants:
//  (1) An append's checksum is here before its writer has left the ring, so
//      whoever may submit its bytes finds it.
//  (2) Bytes are looked at once, in stream order, as they are submitted. So
//      none are left when a stream that was written out starts over.
//
// THREADS: Add: any. All else: one thread at a time, the flusher's.

#ifndef URINGFS_LOG_CHECKSUMS_H_
#define URINGFS_LOG_CHECKSUMS_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"
#include "uringfs/status.h"

namespace uringfs {

class Checksums {
 public:
  explicit Checksums(std::string path);

  // The stream's bytes [begin, end) have this CRC32C.
  void Add(uint64_t begin, uint64_t end, uint32_t crc32c);

  // `data` are the bytes [begin, end), and are about to be written. Bytes that
  // nobody gave a checksum for are as they are. REQUIRES: begin is where the
  // last call ended. Errors: kCorruption, which names the append; its begin is
  // in *bad_begin then.
  Status Check(uint64_t begin, uint64_t end, const char* data,
               uint64_t* bad_begin);

 private:
  struct Entry {
    uint64_t begin = 0;
    uint64_t end = 0;
    uint32_t crc32c = 0;
  };

  // False: there is none.
  bool First(Entry* entry);

  const std::string path_;
  // acquire/release: who finds it false has no entry to look for. Never set
  // back: most logs have none, the others many.
  std::atomic<bool> is_used_{false};
  Mutex mutex_;
  std::deque<Entry> entries_ URINGFS_GUARDED_BY(mutex_);  // in stream order
  uint32_t running_ = 0;  // of the first entry, as far as Check went
};

}  // namespace uringfs

#endif  // URINGFS_LOG_CHECKSUMS_H_
