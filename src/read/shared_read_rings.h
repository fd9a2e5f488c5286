// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The ReadRings that there are: the process's, and those of tests.

#ifndef URINGFS_READ_SHARED_READ_RINGS_H_
#define URINGFS_READ_SHARED_READ_RINGS_H_

#include <cstddef>
#include <cstdint>
#include <deque>

#include "src/device/sys.h"
#include "src/read/read_ring.h"

#include "uringfs/read_rings.h"

namespace uringfs {

class SharedReadRings final : public ReadRings {
 public:
  SharedReadRings(size_t rings, Sys* sys);

  ReadCounts ReadAll(ReadRequest* requests, size_t count) override;
  ReadCounts Start(ReadRequest* request) override;
  void Finish(ReadRequest* request) override;

  // False in a child of fork.
  bool IsOurs() const;

 private:
  // The calling thread's, always the same.
  ReadRing* Ring();
  // True if nothing is left to read.
  bool ReadCached(ReadRequest* request) const;
  // What is left after the kernel has had it: errors are asked for again, and
  // of a part the rest is read.
  void Complete(ReadRequest* request) const;

  Sys* const sys_;
  const uint32_t forks_;
  std::deque<ReadRing> rings_;
};

}  // namespace uringfs

#endif  // URINGFS_READ_SHARED_READ_RINGS_H_
