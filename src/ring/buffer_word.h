// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The whole state of a flush buffer in one 64-bit word. Pure functions only:
// no atomics, so every transition can be tested exhaustively.
//
//  63        49 48   47  46    45        35 34        24 23             0
// +------------+-------+-----+------------+------------+----------------+
// |    lap     | phase |epoch| writers[1] | writers[0] | reserved bytes |
// +------------+-------+-----+------------+------------+----------------+
//
//   reserved  bytes of the buffer that are claimed, from its begin
//   writers   how many claims of an epoch are not filled yet
//   epoch     which of the two counters new claims enter. The flusher flips
//             it to learn what is filled without stopping new claims: all
//             claims made before the flip are filled once the old epoch's
//             counter is zero.
//   lap       how often the slot went round; tells a stale word from its
//             namesake
//
// | phase    | event             | guard                 | next     | by      |
// |----------|-------------------|-----------------------|----------|---------|
// | Free     | Install(n)        | n < capacity          | Open     | rotator |
// | Free     | Install(capacity) |                       | Sealed   | rotator |
// | Open     | Reserve(n)        | reserved + n < cap.   | Open     | writer  |
// | Open     | Seal              | takes all that's left | Sealed   | writer  |
// | Open     | Leave             | writers[e] > 0        | Open     | writer  |
// | Open     | Flip              | writers[!epoch] == 0  | Open     | flusher |
// | Open     | Freeze            | no writers            | Sealed   | flusher |
// | Sealed   | Leave             | writers[e] > 0        | Sealed   | writer  |
// | Sealed   | Take              | no writers            | InFlight | flusher |
// | InFlight | Recycle           |                       | Free     | flusher |
//
// The rotator is the writer whose Seal won; there is one per buffer and lap.
// A frozen buffer has none: the flusher, who froze it, puts the word back.
// Anything that is not in this table dies in the function of that event.

#ifndef URINGFS_RING_BUFFER_WORD_H_
#define URINGFS_RING_BUFFER_WORD_H_

#include <cstdint>

#include "src/base/assert.h"

namespace uringfs {

enum class BufferPhase : uint8_t { kFree, kOpen, kSealed, kInFlight };

struct BufferWord {
  static constexpr uint32_t kReservedBits = 24;
  static constexpr uint32_t kWritersBits = 11;
  static constexpr uint32_t kLapBits = 15;
  static constexpr uint32_t kMaxWriters = (1u << kWritersBits) - 1;
  static constexpr uint32_t kLapMask = (1u << kLapBits) - 1;

  uint32_t reserved = 0;
  uint32_t writers[2] = {0, 0};
  uint32_t epoch = 0;
  BufferPhase phase = BufferPhase::kFree;
  uint32_t lap = 0;

  constexpr bool has_writers() const { return (writers[0] | writers[1]) != 0; }
  // Sealed and left by its last writer: the flusher's to take.
  constexpr bool is_ready() const {
    return phase == BufferPhase::kSealed && !has_writers();
  }

  constexpr bool operator==(const BufferWord& other) const {
    return Encode(*this) == Encode(other);
  }

  // What leaving subtracts from the encoded word.
  static constexpr uint64_t LeaveUnit(uint32_t epoch) {
    return uint64_t{1} << (kReservedBits + epoch * kWritersBits);
  }

  static constexpr uint64_t Encode(const BufferWord& w) {
    uint64_t bits = w.lap;
    bits = bits << 2 | static_cast<uint64_t>(w.phase);
    bits = bits << 1 | w.epoch;
    bits = bits << kWritersBits | w.writers[1];
    bits = bits << kWritersBits | w.writers[0];
    return bits << kReservedBits | w.reserved;
  }

  static constexpr BufferWord Decode(uint64_t bits) {
    BufferWord w;
    w.reserved = bits & ((1u << kReservedBits) - 1);
    bits >>= kReservedBits;
    w.writers[0] = bits & kMaxWriters;
    bits >>= kWritersBits;
    w.writers[1] = bits & kMaxWriters;
    bits >>= kWritersBits;
    w.epoch = bits & 1;
    bits >>= 1;
    w.phase = static_cast<BufferPhase>(bits & 3);
    bits >>= 2;
    w.lap = static_cast<uint32_t>(bits);
    return w;
  }

  constexpr BufferWord Install(uint32_t bytes, uint32_t capacity) const {
    URINGFS_CHECK(phase == BufferPhase::kFree);
    URINGFS_CHECK_LE(bytes, capacity);
    BufferWord next;
    next.lap = lap;
    next.reserved = bytes;
    next.writers[0] = bytes > 0 ? 1 : 0;
    next.phase = bytes < capacity ? BufferPhase::kOpen : BufferPhase::kSealed;
    return next;
  }

  constexpr bool CanReserve(uint64_t bytes, uint32_t capacity) const {
    return phase == BufferPhase::kOpen && reserved + bytes < capacity &&
           writers[epoch] < kMaxWriters;
  }

  constexpr BufferWord Reserve(uint32_t bytes, uint32_t capacity) const {
    URINGFS_CHECK(CanReserve(bytes, capacity));
    BufferWord next = *this;
    next.reserved += bytes;
    ++next.writers[epoch];
    return next;
  }

  constexpr bool CanSeal() const {
    return phase == BufferPhase::kOpen && writers[epoch] < kMaxWriters;
  }

  constexpr BufferWord Seal(uint32_t capacity) const {
    URINGFS_CHECK(CanSeal());
    URINGFS_CHECK_LT(reserved, capacity);
    BufferWord next = *this;
    next.reserved = capacity;
    ++next.writers[epoch];
    next.phase = BufferPhase::kSealed;
    return next;
  }

  constexpr BufferWord Leave(uint32_t of_epoch) const {
    URINGFS_CHECK(phase == BufferPhase::kOpen || phase == BufferPhase::kSealed);
    URINGFS_CHECK_LT(0u, writers[of_epoch]);
    BufferWord next = *this;
    --next.writers[of_epoch];
    return next;
  }

  constexpr BufferWord Flip() const {
    URINGFS_CHECK(phase == BufferPhase::kOpen);
    URINGFS_CHECK_EQ(writers[1 - epoch], 0u);
    BufferWord next = *this;
    next.epoch = 1 - epoch;
    return next;
  }

  constexpr bool CanFreeze() const {
    return phase == BufferPhase::kOpen && !has_writers();
  }

  constexpr BufferWord Freeze() const {
    URINGFS_CHECK(CanFreeze());
    BufferWord next = *this;
    next.phase = BufferPhase::kSealed;
    return next;
  }

  constexpr BufferWord Take() const {
    URINGFS_CHECK(is_ready());
    BufferWord next = *this;
    next.phase = BufferPhase::kInFlight;
    return next;
  }

  constexpr BufferWord Recycle() const {
    URINGFS_CHECK(phase == BufferPhase::kInFlight);
    BufferWord next;
    next.lap = (lap + 1) & kLapMask;
    return next;
  }
};

static_assert(BufferWord::kReservedBits + 2 * BufferWord::kWritersBits + 3 +
                  BufferWord::kLapBits ==
              64);

}  // namespace uringfs

#endif  // URINGFS_RING_BUFFER_WORD_H_
