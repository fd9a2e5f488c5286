// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// FlushRing: many writers share aligned flush buffers without a latch; a
// sealed buffer comes out exactly once, when its last writer has left.
//
// The buffers are numbered by a sequence that never ends; buffer `seq` sits in
// slot seq % count and holds the stream range
//   [origin + seq * buffer_bytes, origin + (seq + 1) * buffer_bytes).
//
// Invariants:
//  (1) One buffer is current; only it is Open. Claims are handed out in stream
//      order and never overlap.
//  (2) A claim that does not fit takes what is left of the current buffer,
//      seals it and installs the next one with its remainder already claimed:
//      a record is contiguous, and nobody gets in between.
//  (3) A buffer is sealed only when the next slot was seen Free, so an
//      exhausted ring leaves an open current buffer behind, not a sealed one.
//      The one exception is a claim longer than the free buffers: its writer
//      stays the rotator until it has all of it.
//  (4) The base of a buffer is set before the word that opens it.
//  (5) The memory changes (TryMove) only while no writer is inside and none can
//      enter.
//  (6) The flusher takes a buffer only when it is sealed and has no writers,
//      and recycles it only when the device has let go of it.
//
// THREADS: Reserve, Continue and Leave: any thread. Calls marked FLUSHER: one
// thread at a time, with a happens-before between them. Nothing here waits.

#ifndef URINGFS_RING_FLUSH_RING_H_
#define URINGFS_RING_FLUSH_RING_H_

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>

#include "src/base/assert.h"
#include "src/base/cache_line.h"
#include "src/ring/flush_buffer.h"

namespace uringfs {

// A piece of a claim within one buffer.
struct ClaimPart {
  char* data = nullptr;
  uint32_t bytes = 0;
  uint32_t slot = 0;
  uint32_t epoch = 0;
};

// A range of the stream that one writer owns. Fill the parts, then Leave each.
struct Claim {
  uint64_t begin = 0;      // stream offset of the first byte
  uint64_t remaining = 0;  // bytes that are still to be claimed
  // The writer sealed the current buffer and has yet to install the next:
  // call Continue until this is false.
  bool is_rotating = false;
  uint64_t sealed_seq = 0;  // the buffer it sealed last
  ClaimPart parts[2];       // what the last call has claimed
  uint32_t part_count = 0;

  void Add(const ClaimPart& part) { parts[part_count++] = part; }
};

enum class ClaimOutcome : uint8_t {
  kClaimed,    // parts are to be filled and left
  kBusy,       // another writer is rotating: try again soon
  kExhausted,  // no free buffer: wait for a completion, then try again
};

template <template <class> class Atom = std::atomic>
class FlushRing {
 public:
  // `memory` has count * buffer_bytes bytes and outlives the ring.
  FlushRing(char* memory, uint32_t buffer_bytes, uint32_t count)
      : buffer_bytes_(buffer_bytes),
        count_(count),
        buffers_(new FlushBuffer<Atom>[count]) {
    for (uint32_t i = 0; i < count; ++i) {
      buffers_[i].Init(memory + uint64_t{i} * buffer_bytes, buffer_bytes);
    }
    Restart(0, 0);
  }

  // Starts over: the stream continues at origin + filled, and the first
  // `filled` bytes of data(0) are as the caller put them there.
  // REQUIRES: no other thread uses the ring; filled < buffer_bytes.
  void Restart(uint64_t origin, uint32_t filled) {
    // release, here and below: a reader beside a restart that sees any of this
    // also sees the restart announced (LogEngine::size).
    origin_.store(origin, std::memory_order_release);
    for (uint32_t i = 0; i < count_; ++i) {
      buffers_[i].Reset(0);
    }
    buffers_[0].Install(origin, filled);
    if (filled > 0) {
      (void)buffers_[0].Leave(0);
    }
    current_.store(0, std::memory_order_release);
  }

  // Claims `bytes` > 0. On kClaimed the claim has one or two parts.
  ClaimOutcome Reserve(uint64_t bytes, Claim* claim) {
    *claim = Claim();
    // Acquire: partner of [R4]; the buffer this names is installed.
    const uint64_t seq = current_.load(std::memory_order_acquire);
    FlushBuffer<Atom>& buffer = buffers_[seq % count_];
    while (true) {
      const BufferWord seen = buffer.Load();
      if (seen.phase != BufferPhase::kOpen || seen.lap != LapOf(seq) ||
          !seen.CanSeal()) {
        return ClaimOutcome::kBusy;
      }
      if (seen.CanReserve(bytes, buffer_bytes_)) {
        const auto count = static_cast<uint32_t>(bytes);
        if (buffer.TryReplace(seen, seen.Reserve(count, buffer_bytes_))) {
          AddPart(seq, seen.reserved, count, seen.epoch, claim);
          claim->begin = buffer.base() + seen.reserved;
          return ClaimOutcome::kClaimed;
        }
        continue;
      }
      if (!IsFree(seq + 1)) {
        return ClaimOutcome::kExhausted;
      }
      if (buffer.TryReplace(seen, seen.Seal(buffer_bytes_))) {
        const uint32_t rest = buffer_bytes_ - seen.reserved;
        AddPart(seq, seen.reserved, rest, seen.epoch, claim);
        claim->begin = buffer.base() + seen.reserved;
        claim->remaining = bytes - rest;
        claim->is_rotating = true;
        // From the base, not from `seq`: a writer that slept for as many laps
        // as the word can count must not rotate the wrong buffer.
        claim->sealed_seq = SeqOf(buffer.base());
        if (IsFree(claim->sealed_seq + 1)) {
          InstallNext(claim);
        }
        return ClaimOutcome::kClaimed;
      }
    }
  }

  // The next part of a claim that is_rotating; parts of earlier calls are
  // forgotten. On kClaimed there is at most one part (none if only the empty
  // buffer behind the claim was to be installed).
  ClaimOutcome Continue(Claim* claim) {
    URINGFS_CHECK(claim->is_rotating);
    claim->part_count = 0;
    if (!IsFree(claim->sealed_seq + 1)) {
      return ClaimOutcome::kExhausted;
    }
    InstallNext(claim);
    return ClaimOutcome::kClaimed;
  }

  // The part is filled. True for the one that made its buffer ready.
  bool Leave(const ClaimPart& part) {
    return buffers_[part.slot].Leave(part.epoch);
  }

  // End of what is reserved. Every claim whose Reserve happened before this
  // call is below it.
  uint64_t reserved_end() const {
    const uint64_t seq = current_.load(std::memory_order_acquire);
    bool installed = false;
    const BufferWord word = Look(seq, &installed);
    // Recycled since current_ was read: all of it is reserved, and what lies
    // behind it was claimed after this call began.
    return BeginOf(seq) + (installed ? word.reserved : buffer_bytes_);
  }

  // The same, where one claim ends and the next will begin. False while a claim
  // that did not fit is between two buffers.
  bool TryClaimedEnd(uint64_t* end) const {
    const uint64_t seq = current_.load(std::memory_order_acquire);
    bool installed = false;
    const BufferWord word = Look(seq, &installed);
    *end = BeginOf(seq) + word.reserved;
    return installed && word.phase == BufferPhase::kOpen;
  }

  // Whether a claim that did not fit would find a free buffer now.
  bool HasFreeBuffer() const {
    return IsFree(current_.load(std::memory_order_acquire) + 1);
  }

  // FLUSHER. Takes buffer `seq` out of the ring if it is sealed and has been
  // left by its last writer. REQUIRES: all buffers below were taken.
  bool TryTake(uint64_t seq) {
    FlushBuffer<Atom>& buffer = buffers_[seq % count_];
    if (buffer.Load().lap != LapOf(seq) || !buffer.TryTake()) {
      return false;
    }
    URINGFS_CHECK_EQ(buffer.base(), BeginOf(seq));
    return true;
  }

  // FLUSHER. REQUIRES: `seq` was taken and all its bytes are written; all
  // buffers below were recycled.
  void Recycle(uint64_t seq) { buffers_[seq % count_].Recycle(); }

  // FLUSHER. The word of `seq`; *installed tells whether it is that buffer's.
  BufferWord Look(uint64_t seq, bool* installed) const {
    const BufferWord word = buffers_[seq % count_].Load();
    *installed = word.lap == LapOf(seq) && word.phase != BufferPhase::kFree;
    return word;
  }

  // FLUSHER. See FlushBuffer::TryFlip.
  bool TryFlip(uint64_t seq, BufferWord* seen) {
    return buffers_[seq % count_].TryFlip(seen);
  }

  // FLUSHER. Goes on in other memory, `count() * buffer_bytes()` long, with the
  // bytes of `oldest` and all buffers behind it. False, and nothing was done,
  // while a writer is inside: this waits for nobody. Claims made meanwhile are
  // told that it is busy. REQUIRES: nothing is in flight; all buffers below
  // `oldest` were recycled.
  bool TryMove(char* memory, uint64_t oldest) {
    const uint64_t seq = current_.load(std::memory_order_acquire);
    BufferWord current;
    if (!buffers_[seq % count_].TryFreeze(LapOf(seq), &current)) {
      return false;
    }
    bool is_quiet = true;
    for (uint64_t s = oldest; s < seq; ++s) {
      is_quiet = is_quiet && !buffers_[s % count_].Load().has_writers();
    }
    if (is_quiet) {
      for (uint64_t s = oldest; s <= seq; ++s) {
        const uint32_t bytes = s < seq ? buffer_bytes_ : current.reserved;
        std::memcpy(memory + s % count_ * buffer_bytes_, data(s), bytes);
      }
      for (uint32_t i = 0; i < count_; ++i) {
        buffers_[i].Move(memory + uint64_t{i} * buffer_bytes_);
      }
    }
    buffers_[seq % count_].Thaw(current);
    return is_quiet;
  }

  char* data(uint64_t seq) const { return buffers_[seq % count_].data(); }
  uint64_t BeginOf(uint64_t seq) const {
    return origin_.load(std::memory_order_acquire) + seq * buffer_bytes_;
  }
  uint64_t SeqOf(uint64_t offset) const {
    return (offset - origin_.load(std::memory_order_acquire)) / buffer_bytes_;
  }
  uint32_t buffer_bytes() const { return buffer_bytes_; }
  uint32_t count() const { return count_; }

 private:
  uint32_t LapOf(uint64_t seq) const {
    return static_cast<uint32_t>(seq / count_) & BufferWord::kLapMask;
  }

  bool IsFree(uint64_t seq) const {
    const BufferWord word = buffers_[seq % count_].Load();
    return word.phase == BufferPhase::kFree && word.lap == LapOf(seq);
  }

  void AddPart(uint64_t seq, uint32_t at, uint32_t bytes, uint32_t epoch,
               Claim* claim) {
    const auto slot = static_cast<uint32_t>(seq % count_);
    claim->Add({buffers_[slot].data() + at, bytes, slot, epoch});
  }

  // REQUIRES: the caller is the rotator and saw the next slot Free. Only it
  // installs, and only the flusher's Recycle makes slots Free, so the slot is
  // still Free.
  void InstallNext(Claim* claim) {
    const uint64_t next = claim->sealed_seq + 1;
    const auto bytes = static_cast<uint32_t>(
        claim->remaining < buffer_bytes_ ? claim->remaining : buffer_bytes_);
    buffers_[next % count_].Install(BeginOf(next), bytes);
    // [R4] release: the installed buffer before its number; pairs with the
    // acquire loads of current_.
    current_.store(next, std::memory_order_release);
    if (bytes > 0) {
      AddPart(next, 0, bytes, /*epoch=*/0, claim);
    }
    claim->remaining -= bytes;
    claim->sealed_seq = next;
    // A buffer that was claimed whole is sealed already: go on behind it.
    claim->is_rotating = bytes == buffer_bytes_;
  }

  // Constant after construction.
  const uint32_t buffer_bytes_;
  const uint32_t count_;
  const std::unique_ptr<FlushBuffer<Atom>[]> buffers_;
  // Constant between restarts.
  Atom<uint64_t> origin_{0};
  // Written by the rotator, read by any thread.
  alignas(kCacheLineBytes) Atom<uint64_t> current_{0};
};

}  // namespace uringfs

#endif  // URINGFS_RING_FLUSH_RING_H_
