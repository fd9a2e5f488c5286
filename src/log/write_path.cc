// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/write_path.h"

#include "src/log/backoff.h"

namespace uringfs {
namespace {

uint32_t WritesInFlight(const LogOptions& options) {
  return options.write_mode == WriteMode::kSerialised
             ? 1
             : options.writes_in_flight;
}

}  // namespace

WritePath::WritePath(FlushRing<>* ring, Device* device, char* tail_block,
                     const LogOptions& options, LogState* state)
    : ring_(ring),
      state_(state),
      flusher_(ring, device, &written_, tail_block, WritesInFlight(options),
               state->path()) {}

void WritePath::TakeOver() {
  // Bytes that are known to be wrong count no more than those of an append that
  // failed, whatever of them was written or promised.
  state_->AbandonFrom(flusher_.corrupt_from());
  if (flusher_.has_failed()) {
    state_->Fail(flusher_.error());
  }
}

void WritePath::Finish() {
  flusher_.AwaitWrites();
  TakeOver();
}

void WritePath::Step(uint64_t wanted, Backoff* backoff) {
  const bool moved = flusher_.Step(wanted, /*wait=*/true);
  TakeOver();
  if (!moved && !flusher_.has_failed()) {
    backoff->Pause();
  }
}

Status WritePath::WriteTo(uint64_t offset) {
  Status status = state_->CheckUsable();
  if (!status.ok()) {
    return status;
  }
  Backoff backoff;
  gate_.Await(
      [&] { return written() >= offset || !state_->CheckUsable().ok(); },
      [&] {
        gate_.AssertLed();
        Step(offset, &backoff);
      });
  return written() >= offset ? Status::Ok() : state_->CheckUsable();
}

bool WritePath::TryWriteTo(uint64_t offset) {
  (void)TryLead(
      [&](Flusher* flusher) { (void)flusher->Step(offset, /*wait=*/true); });
  return written() >= offset;
}

void WritePath::Kick() {
  (void)TryLead([&](Flusher* flusher) {
    // A late writer of a log that failed or closed finds nothing to do.
    if (state_->CheckUsable().ok()) {
      (void)flusher->Step(/*wanted=*/0, /*wait=*/false);
    }
  });
}

void WritePath::WaitForSpace() {
  Backoff backoff;
  gate_.Await(
      [&] { return ring_->HasFreeBuffer() || !state_->CheckUsable().ok(); },
      [&] {
        gate_.AssertLed();
        Step(/*wanted=*/0, &backoff);
      });
}

}  // namespace uringfs
