// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// WritePath: the way from the ring to the file. Its gate leads the flusher and
// the device's writes: whoever needs progress makes one step at a time, the
// others sleep until a step has been made.
//
// No thread waits for a writer's memcpy without letting that writer lead in
// between: it may need a step to get space.
//
// THREADS: any.

#ifndef URINGFS_LOG_WRITE_PATH_H_
#define URINGFS_LOG_WRITE_PATH_H_

#include <cstdint>

#include "src/device/device.h"
#include "src/log/flusher.h"
#include "src/log/leader_gate.h"
#include "src/log/log_state.h"
#include "src/log/watermark.h"
#include "src/ring/flush_ring.h"

#include "uringfs/internal/thread_annotations.h"
#include "uringfs/options.h"

namespace uringfs {

class Backoff;

class WritePath {
 public:
  // All outlive it. `tail_block` is kDeviceBlockBytes of memory.
  WritePath(FlushRing<>* ring, Device* device, char* tail_block,
            const LogOptions& options, LogState* state);
  WritePath(const WritePath&) = delete;
  WritePath& operator=(const WritePath&) = delete;

  // The file has the stream below this, as far as that counts.
  uint64_t written() const { return written_.value(); }

  // Returns when the file has the stream below `offset`.
  // Errors: the log's.
  Status WriteTo(uint64_t offset) URINGFS_EXCLUDES(gate_);

  // One step on the way there, if nobody else makes one. True if it is done.
  bool TryWriteTo(uint64_t offset) URINGFS_EXCLUDES(gate_);

  // Starts the write of a buffer that became ready. If somebody leads just now
  // nothing is lost: nobody returns from a wait for these bytes without having
  // submitted them.
  void Kick() URINGFS_EXCLUDES(gate_);

  // Back-pressure: returns when the ring has a free buffer, or the log cannot
  // be used any more.
  void WaitForSpace() URINGFS_EXCLUDES(gate_);

  // Runs body(Flusher*) alone. If the flusher has failed the log has.
  template <class Body>
  void Lead(const Body& body) URINGFS_EXCLUDES(gate_) {
    gate_.Exclusive([&] { Run(body); });
  }
  // The same unless another thread leads. False: the body did not run.
  template <class Body>
  bool TryLead(const Body& body) URINGFS_EXCLUDES(gate_) {
    return gate_.TryExclusive([&] { Run(body); });
  }

  // Waits until nothing is in flight; what went wrong is the log's then.
  void Finish() URINGFS_REQUIRES(gate_);

  // In a body of this.
  void AssertLed() const URINGFS_ASSERT_CAPABILITY(gate_) {}

  // Before anybody else knows the log.
  Flusher* FlusherOfNewLog() URINGFS_NO_THREAD_SAFETY_ANALYSIS {
    return &flusher_;
  }
  Checksums* checksums() URINGFS_NO_THREAD_SAFETY_ANALYSIS {
    return flusher_.checksums();
  }
  const FlusherCounters& counters() const URINGFS_NO_THREAD_SAFETY_ANALYSIS {
    return flusher_.counters();
  }
  // For those who say that something is guarded by it.
  LeaderGate* gate() const URINGFS_RETURN_CAPABILITY(gate_) { return &gate_; }

 private:
  template <class Body>
  void Run(const Body& body) {
    gate_.AssertLed();
    body(&flusher_);
    TakeOver();
  }
  // What the flusher knows of errors is the log's from here on.
  void TakeOver() URINGFS_REQUIRES(gate_);
  void Step(uint64_t wanted, Backoff* backoff) URINGFS_REQUIRES(gate_);

  FlushRing<>* const ring_;
  LogState* const state_;
  mutable LeaderGate gate_;
  Watermark written_;  // moved by who leads
  Flusher flusher_ URINGFS_GUARDED_BY(gate_);
};

}  // namespace uringfs

#endif  // URINGFS_LOG_WRITE_PATH_H_
