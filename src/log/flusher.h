// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Flusher: filled bytes become writes; completions become the written
// watermark and free buffers.
//
// Invariants:
//  (1) submitted() only grows; each byte is submitted once, but for the head
//      of the tail block, which is written again, unchanged, with what follows.
//  (2) A block is in flight at most once: nothing is submitted while a write
//      that ends within a block (a tail write) is in flight.
//  (3) Bytes under I/O do not change: whole blocks come straight from the ring
//      and are filled; a partly filled one is written from a copy, padded
//      with zeros.
//  (4) Serialised mode has one write in flight; tail-localised at most
//      writes_in_flight, all within the ring.
//  (5) With a shared ring others learn of what was written before the ring's
//      memory is given away: the side file's word goes first.
//  (6) Nothing is submitted that ends behind where zeros are being written.
//  (7) After the first error nothing more is submitted, and has_failed() is
//      true only once nothing is in flight.
//
// THREADS: single-owner; see LeaderGate.

#ifndef URINGFS_LOG_FLUSHER_H_
#define URINGFS_LOG_FLUSHER_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "src/device/device.h"
#include "src/log/checksums.h"
#include "src/log/watermark.h"
#include "src/ring/flush_ring.h"

#include "uringfs/status.h"

namespace uringfs {

class SideFile;

// relaxed: statistics carry nothing.
inline void CountOne(std::atomic<uint64_t>* counter) {
  counter->fetch_add(1, std::memory_order_relaxed);
}

// Counters any thread may read while the flusher counts.
struct FlusherCounters {
  std::atomic<uint64_t> writes{0};
  std::atomic<uint64_t> bytes{0};
};

class Flusher {
 public:
  // All outlive the flusher. `tail_block` is kDeviceBlockBytes of memory.
  Flusher(FlushRing<>* ring, Device* device, Watermark* written,
          char* tail_block, uint32_t max_in_flight, std::string path);

  // Null: the ring is private. Outlives the flusher, or is taken away again.
  void SetSide(SideFile* side) { side_ = side; }

  // Told by appenders before they leave the ring.
  Checksums* checksums() { return &checksums_; }

  // The stream below `offset` is written and the file is `physical` bytes
  // long. REQUIRES: nothing is in flight; the ring was restarted at `offset`.
  void Start(uint64_t offset, uint64_t physical);

  // One step of progress: reaps what has completed, submits what may be, and
  // of the current buffer what is filled below `wanted`. Returns whether
  // anything moved. If nothing did and `wait` is set, waits for a completion;
  // false then means that the step depends on a writer that is still filling.
  bool Step(uint64_t wanted, bool wait);

  // Waits until nothing is in flight; submits nothing.
  void AwaitWrites();

  // Writes the stream below `offset` by one write in this call. False: nothing
  // was done, because it takes more than one or a writer is still inside. With
  // `is_durable` it is durable then, and says nothing of the bytes in front of
  // it. REQUIRES: serialised; nothing is in flight; not cached; is_durable
  // only if IsDurablyLong(offset).
  bool TryWriteNow(uint64_t offset, bool is_durable);

  // Whether all blocks below `offset` were written before, and that is
  // durable: a durable write of them is an overwrite. Elsewhere it would have
  // to see to the file's size, which some kernels forget.
  bool IsDurablyLong(uint64_t offset) const;

  // Writes the stream below `end` after all, through the page cache, though a
  // write has failed: it was acknowledged, and there may be space again. The
  // error stays. REQUIRES: has_failed(); `end` is filled.
  Status WritePromised(uint64_t end);

  // Awaits them, then makes the file exactly `bytes` long if it is not.
  Status CutTo(uint64_t bytes);

  // The same for what is written once nothing is in flight.
  Status CutToWritten();

  // The file gets zeros up to `end` from the answer on, which is aligned: its
  // old end or a little behind. Until EndExtension nothing is written behind
  // that. REQUIRES: aligned, `end` is behind physical_end().
  uint64_t BeginExtension(uint64_t end);
  // `durable_end`: up to where the zeros are there and durable, or 0.
  void EndExtension(uint64_t durable_end);
  // The file gets its space ahead of the writes, once it is long enough for
  // that to pay: for those that are written side by side.
  void AllocateAhead() { allocates_ahead_ = true; }

  // How long the file is or, if an extension failed, may be.
  uint64_t physical_end() const { return physical_end_; }
  uint64_t submitted() const { return submitted_; }

  // From here on bytes go through the page cache, at once, exactly as long as
  // they are; or round it again. REQUIRES: nothing is in flight.
  void SetCached(bool is_cached) { is_cached_ = is_cached; }
  // The same until something ends behind `bytes`, and round it from then on.
  void CacheUpTo(uint64_t bytes) { cached_up_to_ = bytes; }

  // The first error, once nothing is in flight any more.
  bool has_failed() const { return !error_.ok() && device_->in_flight() == 0; }
  const Status& error() const { return error_; }
  // Begin of the append whose bytes were found to be wrong; all of it that was
  // written does not count. UINT64_MAX: there is none. Any thread may ask.
  uint64_t corrupt_from() const {
    return corrupt_from_.load(std::memory_order_acquire);
  }
  const FlusherCounters& counters() const { return counters_; }

 private:
  enum class Way : uint8_t { kSubmit, kNow, kNowDurable };
  struct Flight {
    Write write;
    uint64_t begin = 0;  // stream range that is written when it completes
    uint64_t end = 0;
    bool is_used = false;
  };
  // What is filled of an open buffer once the old epoch has been left.
  struct Mark {
    bool is_set = false;
    uint64_t seq = 0;
    uint32_t bytes = 0;
    uint32_t epoch = 0;
  };

  size_t Reap(size_t min_count);
  void Complete(Flight* flight);
  bool SubmitReady(uint64_t wanted);
  bool NextRange(uint64_t wanted, uint64_t* begin, uint64_t* end);
  uint64_t FilledEnd(uint64_t seq);
  bool IsIntact(uint64_t begin, uint64_t end);
  Status CheckIntact(uint64_t begin, uint64_t end);
  void Issue(uint64_t begin, uint64_t end, Way way);
  void AllocateFor(uint64_t end);
  bool IsCached(uint64_t end);
  void WriteCached(uint64_t begin, uint64_t end);
  void RecycleWritten();
  Flight* FreeFlight();

  FlushRing<>* const ring_;
  Device* const device_;
  Watermark* const written_;
  char* const tail_block_;
  const std::string path_;
  SideFile* side_ = nullptr;

  Checksums checksums_;
  std::vector<Flight> flights_;
  bool is_cached_ = false;
  uint64_t cached_up_to_ = 0;
  bool allocates_ahead_ = false;
  bool is_tail_in_flight_ = false;
  uint64_t submitted_ = 0;
  uint64_t taken_ = 0;     // buffers below this sequence were taken
  uint64_t recycled_ = 0;  // buffers below this sequence were recycled
  uint64_t physical_end_ = 0;
  uint64_t extending_from_ = UINT64_MAX;
  uint64_t durable_end_ = 0;  // of the last extension
  Mark mark_;
  Status error_;
  // release: before the error that makes others ask.
  std::atomic<uint64_t> corrupt_from_{UINT64_MAX};
  FlusherCounters counters_;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_FLUSHER_H_
