// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Watermark: completions come in any order, the longest prefix goes out.
//
// Invariants:
//  (1) value() only grows between resets.
//  (2) Every byte below value() has been completed.
//  (3) An island (a completed range above a gap) begins above value(); the
//      completion that closes the gap takes all islands that touch, so no
//      advance is lost.
//
// THREADS: value(): any thread. All else: single-owner.

#ifndef URINGFS_LOG_WATERMARK_H_
#define URINGFS_LOG_WATERMARK_H_

#include <atomic>
#include <cstdint>
#include <map>

namespace uringfs {

class Watermark {
 public:
  // REQUIRES: the ranges completed since are below the new value or will be
  // completed again.
  void Reset(uint64_t value);

  // [begin, end) is completed. REQUIRES: begin < end; no overlap with an
  // earlier completion.
  void Complete(uint64_t begin, uint64_t end);

  // Everything below `end` is completed, whatever Complete() said. Returns
  // whether the value moved.
  bool AdvanceTo(uint64_t end);

  // [W1] acquire: whoever sees the value sees what the owner did to the bytes
  // below it; pairs with the release in Publish().
  uint64_t value() const { return value_.load(std::memory_order_acquire); }

 private:
  void Publish(uint64_t value);

  std::atomic<uint64_t> value_{0};
  std::map<uint64_t, uint64_t> islands_;  // begin -> end, all above value_
};

}  // namespace uringfs

#endif  // URINGFS_LOG_WATERMARK_H_
