// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// FlushBuffer: a slot of the ring. Every memory order of this room's buffers
// is in this file; ring/README.md has the table of who pairs with whom.

#ifndef URINGFS_RING_FLUSH_BUFFER_H_
#define URINGFS_RING_FLUSH_BUFFER_H_

#include <atomic>
#include <cstdint>

#include "src/base/assert.h"
#include "src/base/cache_line.h"
#include "src/ring/buffer_word.h"

namespace uringfs {

template <template <class> class Atom>
class alignas(kCacheLineBytes) FlushBuffer {
 public:
  // Before any thread shares the ring.
  void Init(char* data, uint32_t capacity) {
    data_ = data;
    capacity_ = capacity;
  }

  // Other memory with the same bytes. REQUIRES: frozen, free, or sealed and
  // without writers, so that nobody looks at data() before he has acquired the
  // word that Thaw, Install or Recycle stores afterwards.
  void Move(char* data) { data_ = data; }

  char* data() const { return data_; }

  // Acquire: whoever acts on the word sees what was published with it: the
  // base [R1], the bytes of writers that left [R2], the flusher's permission
  // to write again [R3].
  BufferWord Load() const {
    return BufferWord::Decode(word_.load(std::memory_order_acquire));
  }

  // Stream offset of data()[0]. Valid for a thread that has seen the buffer
  // installed: it is counted in as a writer, or it is the flusher.
  uint64_t base() const {
    // relaxed: ordered by the acquire of the word, partner of [R1].
    return base_.load(std::memory_order_relaxed);
  }

  // The rotator's. REQUIRES: the caller saw the buffer Free with Load().
  // Nobody else writes the word of a Free buffer, so a store is enough.
  void Install(uint64_t base, uint32_t bytes) {
    const BufferWord next = Load().Install(bytes, capacity_);
    // relaxed: published by the next line. The base comes first: a writer that
    // finds the buffer open must find the address it is flushed to.
    base_.store(base, std::memory_order_relaxed);
    // [R1] release: the base before the word that opens the buffer; pairs with
    // the acquire in TryReplace() and Load().
    word_.store(BufferWord::Encode(next), std::memory_order_release);
  }

  // Reserve and Seal: `next` replaces `seen`, if the word still says so.
  bool TryReplace(const BufferWord& seen, const BufferWord& next) {
    uint64_t expected = BufferWord::Encode(seen);
    // Acquire: partner of [R1] and [R3]; the claim may be written, at this
    // base. Nothing of the writer's is published yet, so no release.
    return word_.compare_exchange_strong(expected, BufferWord::Encode(next),
                                         std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }

  // The claim of `epoch` is filled. Returns true for the one writer that
  // leaves a sealed buffer last.
  bool Leave(uint32_t epoch) {
    // [R2] release: the payload before the count; pairs with the flusher's
    // acquire in Load(). All leaves are one chain of read-modify-writes, so
    // the flusher that sees the last one sees the bytes of every one.
    const uint64_t before = word_.fetch_sub(BufferWord::LeaveUnit(epoch),
                                            std::memory_order_release);
    return BufferWord::Decode(before).Leave(epoch).is_ready();
  }

  // The flusher's. New claims enter the other epoch from here on; *seen is the
  // word as it was at that instant. False if a writer was faster: try again.
  bool TryFlip(BufferWord* seen) {
    *seen = Load();
    if (seen->phase != BufferPhase::kOpen) {
      return false;
    }
    return TryReplace(*seen, seen->Flip());
  }

  // The flusher's. No claims enter until Thaw. False if a writer is inside or
  // it is not open, or not the buffer of `lap`.
  bool TryFreeze(uint32_t lap, BufferWord* seen) {
    *seen = Load();
    return seen->lap == lap && seen->CanFreeze() &&
           TryReplace(*seen, seen->Freeze());
  }

  // The flusher's: as it was before TryFreeze.
  void Thaw(const BufferWord& seen) {
    // [R5] release: where the bytes are now before the word that lets claims
    // in; pairs with the acquire in TryReplace(). A writer that had read the
    // word before the freeze acquires this store too: it is the one its
    // exchange finds.
    word_.store(BufferWord::Encode(seen), std::memory_order_release);
  }

  // The flusher's. False if a writer is still inside or it is not sealed.
  // With no writer inside a sealed buffer nobody else touches the word, so the
  // store cannot overwrite anything.
  bool TryTake() {
    const BufferWord seen = Load();
    if (!seen.is_ready()) {
      return false;
    }
    // relaxed: InFlight publishes nothing; the next reader that matters is
    // the rotator after [R3].
    word_.store(BufferWord::Encode(seen.Take()), std::memory_order_relaxed);
    return true;
  }

  // The flusher's: the device has let go of the bytes.
  void Recycle() {
    const BufferWord next = Load().Recycle();
    // [R3] release: permission to overwrite the memory; pairs with the
    // rotator's acquire in Load() and, through [R1], with every writer.
    word_.store(BufferWord::Encode(next), std::memory_order_release);
  }

  // Single-threaded restart of the ring.
  void Reset(uint32_t lap) {
    BufferWord word;
    word.lap = lap & BufferWord::kLapMask;
    // release: see FlushRing::Restart.
    word_.store(BufferWord::Encode(word), std::memory_order_release);
  }

 private:
  // Constant after Init.
  char* data_ = nullptr;
  uint32_t capacity_ = 0;
  // Written by the rotator, read by anyone who saw it installed.
  Atom<uint64_t> base_{0};
  // Any thread.
  Atom<uint64_t> word_{0};
};

}  // namespace uringfs

#endif  // URINGFS_RING_FLUSH_BUFFER_H_
