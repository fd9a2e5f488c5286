// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Writers that append self-describing records to a FlushRing and a flusher
// that moves taken buffers into a string, for any atomic type.

#ifndef URINGFS_TEST_RING_RING_HARNESS_H_
#define URINGFS_TEST_RING_RING_HARNESS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "src/ring/flush_ring.h"
#include "test/support/seed.h"

#include "gtest/gtest.h"

namespace uringfs::test {

// A record: its length, its writer, its number, then bytes made of the two.
struct RecordHeader {
  uint32_t bytes = 0;
  uint32_t writer = 0;
  uint64_t number = 0;
};

inline std::string MakeRecord(uint32_t writer, uint64_t number,
                              uint32_t bytes) {
  std::string record(
      bytes < sizeof(RecordHeader) ? sizeof(RecordHeader) : bytes, '\0');
  const RecordHeader header{static_cast<uint32_t>(record.size()), writer,
                            number};
  std::memcpy(record.data(), &header, sizeof(header));
  for (size_t i = sizeof(header); i < record.size(); ++i) {
    record[i] = static_cast<char>((writer * 31 + number * 7 + i) % 251 + 1);
  }
  return record;
}

// Where each writer was told its records begin.
using Begins = std::vector<std::vector<uint64_t>>;

// The stream is whole records, each as it was written, each writer's in its
// order and (if `begins` are given) where Append said. Returns how many.
inline uint64_t ExpectWholeRecords(const std::string& stream,
                                   const Begins* begins = nullptr) {
  std::map<uint32_t, uint64_t> next;
  uint64_t count = 0;
  size_t at = 0;
  while (at < stream.size()) {
    RecordHeader header;
    if (stream.size() - at < sizeof(header)) {
      ADD_FAILURE() << "torn header at " << at;
      return count;
    }
    std::memcpy(&header, stream.data() + at, sizeof(header));
    if (header.bytes < sizeof(header) || header.bytes > stream.size() - at) {
      ADD_FAILURE() << "no record at " << at;
      return count;
    }
    EXPECT_EQ(header.number, next[header.writer]) << "at " << at;
    next[header.writer] = header.number + 1;
    if (begins != nullptr) {
      EXPECT_EQ(begins->at(header.writer).at(header.number), at);
    }
    if (stream.compare(
            at, header.bytes,
            MakeRecord(header.writer, header.number, header.bytes)) != 0) {
      ADD_FAILURE() << "wrong bytes in the record at " << at;
      return count;
    }
    at += header.bytes;
    ++count;
  }
  return count;
}

template <template <class> class Atom>
class RingHarness {
 public:
  RingHarness(uint32_t buffer_bytes, uint32_t count)
      : memory_(uint64_t{buffer_bytes} * count, '\xee'),
        ring_(memory_.data(), buffer_bytes, count) {}

  FlushRing<Atom>& ring() { return ring_; }
  const std::string& stream() const { return stream_; }

  // `wait` is called whenever the ring says busy or exhausted.
  template <class Wait>
  uint64_t Append(const std::string& record, const Wait& wait) {
    Claim claim;
    while (ring_.Reserve(record.size(), &claim) != ClaimOutcome::kClaimed) {
      wait();
    }
    const uint64_t begin = claim.begin;
    size_t at = 0;
    FillAndLeave(record, claim, &at);
    while (claim.is_rotating) {
      while (ring_.Continue(&claim) != ClaimOutcome::kClaimed) {
        wait();
      }
      FillAndLeave(record, claim, &at);
    }
    EXPECT_EQ(at, record.size());
    return begin;
  }

  // Takes, copies and recycles one buffer, if one is ready.
  bool FlushOne() {
    if (!ring_.TryTake(next_)) {
      return false;
    }
    EXPECT_EQ(ring_.BeginOf(next_) + flushed_of_current_, stream_.size());
    CopyUpTo(ring_.buffer_bytes());
    flushed_of_current_ = 0;
    ring_.Recycle(next_++);
    return true;
  }

  // What is filled of the current buffer, by the two-epoch rule, without
  // waiting: a step towards it per call. Copies it into the stream.
  void FlushPartOfCurrent() {
    bool installed = false;
    const BufferWord word = ring_.Look(next_, &installed);
    if (!installed || word.phase != BufferPhase::kOpen) {
      has_mark_ = false;
      return;
    }
    if (has_mark_ && mark_seq_ == next_) {
      if (word.writers[mark_epoch_] == 0) {
        CopyUpTo(mark_bytes_);
        has_mark_ = false;
      }
      return;
    }
    BufferWord seen;
    if (ring_.TryFlip(next_, &seen)) {
      has_mark_ = true;
      mark_seq_ = next_;
      mark_bytes_ = seen.reserved;
      mark_epoch_ = seen.epoch;
    }
  }

  // Goes on in other memory, if no writer is inside. The old one is wiped, so
  // that whoever still uses it is found out.
  bool TryMove() {
    std::string memory(memory_.size(), '\xdd');
    if (!ring_.TryMove(memory.data(), next_)) {
      return false;
    }
    memory_.swap(memory);
    std::fill(memory.begin(), memory.end(), '\xcc');
    graves_.push_back(std::move(memory));
    return true;
  }

 private:
  void FillAndLeave(const std::string& record, const Claim& claim, size_t* at) {
    for (uint32_t i = 0; i < claim.part_count; ++i) {
      const ClaimPart& part = claim.parts[i];
      // Atomic operations, so that a scheduler may let others go a long way
      // between claim and bytes.
      for (int pause = 0; pause < 6; ++pause) {
        (void)ring_.HasFreeBuffer();
      }
      std::memcpy(part.data, record.data() + *at, part.bytes);
      *at += part.bytes;
      (void)ring_.Leave(part);
    }
  }

  void CopyUpTo(uint32_t bytes) {
    if (bytes > flushed_of_current_) {
      stream_.append(ring_.data(next_) + flushed_of_current_,
                     bytes - flushed_of_current_);
      flushed_of_current_ = bytes;
    }
  }

  std::string memory_;
  std::vector<std::string> graves_;
  FlushRing<Atom> ring_;
  // The flusher's.
  uint64_t next_ = 0;
  uint32_t flushed_of_current_ = 0;
  std::string stream_;
  bool has_mark_ = false;
  uint64_t mark_seq_ = 0;
  uint32_t mark_bytes_ = 0;
  uint32_t mark_epoch_ = 0;
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_RING_RING_HARNESS_H_
