// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Into the ring: claim, fill, leave. No latch is taken but where the ring is
// exhausted and the device has to be waited for.

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "src/base/cache_line.h"
#include "src/log/backoff.h"
#include "src/log/log_engine.h"
#include "src/log/slice_reader.h"

namespace uringfs {
namespace {
constexpr uint32_t kMaxPrefetchBytes = 8 * kCacheLineBytes;

// The next record will be about as long and go behind this one. Between two
// appends the caller does enough else to lose the ring from its cache; asked
// for now, the lines are there when they are written. (Behind the buffer's end
// it does nothing: a prefetch never faults.)
void PrefetchBehind(const ClaimPart& part) {
  const uint32_t bytes =
      std::min(part.bytes, kMaxPrefetchBytes) + uint32_t{kCacheLineBytes};
  const char* const begin = part.data + part.bytes;
  for (uint32_t at = 0; at < bytes; at += kCacheLineBytes) {
    __builtin_prefetch(begin + at, /*rw=*/1);
  }
}

}  // namespace

Status LogEngine::AppendBatch(const std::string_view* slices, size_t count,
                              uint64_t* offset, const uint32_t* crc32c) {
  Status status = state_.CheckUsable();
  if (!status.ok()) {
    return status;
  }
  uint64_t bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    bytes += slices[i].size();
  }
  if (bytes == 0) {
    if (offset != nullptr) {
      *offset = size();
    }
    return status;
  }
  if (IsTooLong(bytes)) {
    TryGrow();
  }
  Claim claim;
  status = StartClaim(bytes, &claim);
  if (!status.ok()) {
    return status;
  }
  const uint64_t begin = claim.begin;
  if (crc32c != nullptr) {
    writes_.checksums()->Add(begin, begin + bytes, *crc32c);
  }
  SliceReader source(slices);
  FillParts(claim, &source);
  while (claim.is_rotating) {
    status = ContinueClaim(&claim);
    if (!status.ok()) {
      state_.AbandonFrom(begin);
      return status;
    }
    FillParts(claim, &source);
  }
  CountOne(&counters_.appends);
  counters_.appended_bytes.fetch_add(bytes, std::memory_order_relaxed);
  if (offset != nullptr) {
    *offset = begin;
  }
  return status;
}

void LogEngine::FillParts(const Claim& claim, SliceReader* source) {
  for (uint32_t i = 0; i < claim.part_count; ++i) {
    source->CopyTo(claim.parts[i].data, claim.parts[i].bytes);
    Leave(claim.parts[i]);
  }
  if (claim.part_count > 0) {
    PrefetchBehind(claim.parts[claim.part_count - 1]);
  }
}

void LogEngine::Leave(const ClaimPart& part) {
  if (ring_.Leave(part)) {
    writes_.Kick();
  }
}

Status LogEngine::StartClaim(uint64_t bytes, Claim* claim) {
  Backoff backoff;
  while (true) {
    switch (ring_.Reserve(bytes, claim)) {
      case ClaimOutcome::kClaimed:
        return Status::Ok();
      case ClaimOutcome::kBusy:
        backoff.Pause();
        break;
      case ClaimOutcome::kExhausted:
        WaitForSpace();
        break;
    }
    Status status = state_.CheckUsable();
    if (!status.ok()) {
      return status;
    }
  }
}

Status LogEngine::ContinueClaim(Claim* claim) {
  while (ring_.Continue(claim) != ClaimOutcome::kClaimed) {
    WaitForSpace();
    Status status = state_.CheckUsable();
    if (!status.ok()) {
      return status;
    }
  }
  return Status::Ok();
}

void LogEngine::WaitForSpace() {
  CountOne(&counters_.space_waits);
  writes_.WaitForSpace();
}

uint64_t LogEngine::ReservedEnd() const {
  while (true) {
    // acquire, both: whoever sees a store of the restart sees the odd number
    // before it, and the second load tells.
    const uint64_t before = restarts_.load(std::memory_order_acquire);
    const uint64_t end = ring_.reserved_end();
    if (before % 2 == 0 &&
        restarts_.load(std::memory_order_acquire) == before) {
      return end;
    }
  }
}

// What is published ends where an append does: a kill must not leave half of
// one that another thread was still making. Its appender needs nothing of ours.
uint64_t LogEngine::ClaimedEnd() const {
  Backoff backoff;
  uint64_t end = 0;
  while (!ring_.TryClaimedEnd(&end) && state_.CheckUsable().ok()) {
    backoff.Pause();
  }
  return end;
}

uint64_t LogEngine::max_reservation_bytes() const {
  // One buffer may be partly in use by others already.
  return uint64_t{ring_.buffer_bytes()} * (ring_.count() - 1);
}

void LogEngine::AddParts(const Claim& claim, Reservation::Body* body) {
  for (uint32_t i = 0; i < claim.part_count; ++i) {
    const ClaimPart& part = claim.parts[i];
    // The memory may hold older bytes; they must not reach the disk.
    std::memset(part.data, 0, part.bytes);
    body->parts[body->part_count++] = part;
  }
}

Status LogEngine::Reserve(uint64_t bytes, Reservation* reservation) {
  Status status = state_.CheckUsable();
  if (!status.ok()) {
    return status;
  }
  if (bytes == 0 || bytes > max_reservation_bytes()) {
    return Status::InvalidArgument(
        "reservation of " + std::to_string(bytes) + " bytes in " + path() +
        ": must be from 1 to " + std::to_string(max_reservation_bytes()) +
        "; Append takes any length");
  }
  if (IsTooLong(bytes)) {
    TryGrow();
  }
  // Allocated before the claim: nothing may throw while it is not filled.
  auto body = std::make_unique<Reservation::Body>();
  body->engine = this;
  body->parts = std::make_unique<ClaimPart[]>(ring_.count() + 1);
  Claim claim;
  status = StartClaim(bytes, &claim);
  if (!status.ok()) {
    return status;
  }
  body->offset = claim.begin;
  AddParts(claim, body.get());
  while (claim.is_rotating && status.ok()) {
    status = ContinueClaim(&claim);
    AddParts(claim, body.get());
  }
  *reservation = Reservation();
  reservation->body_ = std::move(body);
  if (!status.ok()) {
    state_.AbandonFrom(claim.begin);
    reservation->Commit();
    return status;
  }
  CountOne(&counters_.appends);
  counters_.appended_bytes.fetch_add(bytes, std::memory_order_relaxed);
  return status;
}

}  // namespace uringfs
