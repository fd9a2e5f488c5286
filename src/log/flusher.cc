// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/flusher.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/base/align.h"
#include "src/base/assert.h"
#include "src/side/side_file.h"

namespace uringfs {
namespace {
constexpr size_t kReapAtOnce = 16;
// Shorter files do not get their space ahead, longer ones as much again as they
// have, within these limits.
constexpr uint64_t kMinAhead = uint64_t{1} << 20;
constexpr uint64_t kMaxAhead = uint64_t{16} << 20;

// Invariant (5).
void CheckIsTold(const SideFile& side, uint64_t end) {
  URINGFS_CHECK_LE(end, side.written());
}

}  // namespace

Flusher::Flusher(FlushRing<>* ring, Device* device, Watermark* written,
                 char* tail_block, uint32_t max_in_flight, std::string path)
    : ring_(ring),
      device_(device),
      written_(written),
      tail_block_(tail_block),
      path_(std::move(path)),
      checksums_(path_),
      flights_(std::min<size_t>(max_in_flight, device->max_in_flight())) {}

void Flusher::Start(uint64_t offset, uint64_t physical) {
  URINGFS_CHECK_EQ(device_->in_flight(), 0u);
  submitted_ = offset;
  taken_ = 0;
  recycled_ = 0;
  physical_end_ = physical;
  durable_end_ = 0;
  mark_ = Mark();
  written_->Reset(offset);
}

bool Flusher::Step(uint64_t wanted, bool wait) {
  bool moved = Reap(0) > 0;
  moved = SubmitReady(wanted) || moved;
  if (!moved && wait && device_->in_flight() > 0) {
    moved = Reap(1) > 0;
  }
  return moved;
}

void Flusher::AwaitWrites() {
  while (device_->in_flight() > 0) {
    Reap(1);
  }
}

Status Flusher::CutTo(uint64_t bytes) {
  AwaitWrites();
  if (physical_end_ == bytes) {
    return Status::Ok();
  }
  durable_end_ = 0;
  Status status = device_->Resize(bytes);
  if (status.ok()) {
    physical_end_ = bytes;
  }
  return status;
}

Status Flusher::WritePromised(uint64_t end) {
  URINGFS_CHECK(has_failed());
  Status status;
  for (uint64_t at = written_->value(); status.ok() && at < end;) {
    const uint64_t seq = ring_->SeqOf(at);
    uint64_t stop = std::min(end, ring_->BeginOf(seq + 1));
    if (at < submitted_) {
      stop = std::min(stop, submitted_);  // as far as its sums were checked
    } else if (status = CheckIntact(at, stop); !status.ok()) {
      break;
    } else {
      submitted_ = stop;
    }
    status = device_->WriteCached(
        at, ring_->data(seq) + (at - ring_->BeginOf(seq)), stop - at);
    physical_end_ = std::max(physical_end_, stop);  // or less, if it failed
    at = stop;
  }
  return status;
}

Status Flusher::CutToWritten() {
  AwaitWrites();  // first: it moves the watermark
  return CutTo(written_->value());
}

uint64_t Flusher::BeginExtension(uint64_t end) {
  // What is submitted ends below: it is counted there.
  extending_from_ = AlignUp(physical_end_, kDeviceBlockBytes);
  URINGFS_CHECK_LT(extending_from_, end);
  physical_end_ = end;
  return extending_from_;
}

void Flusher::EndExtension(uint64_t durable_end) {
  extending_from_ = UINT64_MAX;
  durable_end_ = std::max(durable_end_, durable_end);
}

bool Flusher::IsDurablyLong(uint64_t offset) const {
  return AlignUp(offset, kDeviceBlockBytes) <= durable_end_;
}

size_t Flusher::Reap(size_t min_count) {
  if (device_->in_flight() == 0) {
    return 0;
  }
  Write* done[kReapAtOnce];
  const size_t count = device_->Reap(min_count, done, kReapAtOnce);
  for (size_t i = 0; i < count; ++i) {
    Complete(&flights_[done[i]->tag]);
  }
  if (count > 0 && side_ != nullptr) {
    side_->PublishWritten(written_->value());
  }
  RecycleWritten();
  return count;
}

void Flusher::RecycleWritten() {
  // Buffers go back in stream order: the ring needs the oldest first anyway.
  while (recycled_ < taken_ &&
         ring_->BeginOf(recycled_ + 1) <= written_->value()) {
    if (side_ != nullptr) {
      CheckIsTold(*side_, ring_->BeginOf(recycled_ + 1));
      side_->SumUpTo(ring_->BeginOf(recycled_ + 1));
    }
    ring_->Recycle(recycled_++);
  }
}

void Flusher::Complete(Flight* flight) {
  flight->is_used = false;
  if (!IsAligned(flight->end, kDeviceBlockBytes)) {
    is_tail_in_flight_ = false;
  }
  if (flight->write.error == 0) {
    written_->Complete(flight->begin, flight->end);
  } else if (error_.ok()) {
    error_ =
        Status::FromErrno(flight->write.error,
                          "write of bytes " + std::to_string(flight->begin) +
                              " to " + std::to_string(flight->end),
                          path_);
  }
}

bool Flusher::SubmitReady(uint64_t wanted) {
  bool moved = false;
  uint64_t begin = 0;
  uint64_t end = 0;
  while (error_.ok() && !is_tail_in_flight_ &&
         device_->in_flight() < flights_.size() &&
         NextRange(wanted, &begin, &end) && IsIntact(begin, end)) {
    IsCached(end) ? WriteCached(begin, end) : Issue(begin, end, Way::kSubmit);
    moved = true;
  }
  return moved;
}

// The next bytes of the stream that may be written, at most one request.
bool Flusher::NextRange(uint64_t wanted, uint64_t* begin, uint64_t* end) {
  const uint64_t seq = ring_->SeqOf(submitted_);
  if (seq == taken_ && ring_->TryTake(seq)) {
    ++taken_;
  }
  uint64_t limit = 0;
  if (seq < taken_) {
    limit = ring_->BeginOf(seq + 1);
  } else if (submitted_ < wanted) {
    limit = FilledEnd(seq);
  }
  *begin = submitted_;
  *end = std::min(limit,
                  AlignDown(submitted_, kDeviceBlockBytes) + kMaxWriteBytes);
  // Aligned: what ends in front of it has its whole last block there.
  *end = std::min(*end, extending_from_);
  return *begin < *end;
}

// How far an open buffer is known to be filled; 0 if that is not known yet.
uint64_t Flusher::FilledEnd(uint64_t seq) {
  bool installed = false;
  const BufferWord word = ring_->Look(seq, &installed);
  if (!installed || word.phase != BufferPhase::kOpen) {
    mark_.is_set = false;  // sealed: it will be taken whole
    return 0;
  }
  if (!word.has_writers()) {
    mark_.is_set = false;
    return ring_->BeginOf(seq) + word.reserved;
  }
  if (mark_.is_set && mark_.seq == seq) {
    if (word.writers[mark_.epoch] > 0) {
      return 0;
    }
    mark_.is_set = false;
    return ring_->BeginOf(seq) + mark_.bytes;
  }
  BufferWord seen;
  if (ring_->TryFlip(seq, &seen)) {
    mark_ = {true, seq, seen.reserved, seen.epoch};
  }
  return 0;
}

bool Flusher::TryWriteNow(uint64_t offset, bool is_durable) {
  URINGFS_CHECK_EQ(device_->in_flight(), 0u);
  URINGFS_CHECK(!is_durable || IsDurablyLong(offset));
  uint64_t begin = 0;
  uint64_t end = 0;
  if (!error_.ok() || !NextRange(offset, &begin, &end) || end < offset) {
    return false;
  }
  if (is_durable) {
    // Others may have filled more than was asked for.
    end = std::min(end, durable_end_);
  }
  if (!IsIntact(begin, end)) {
    return false;
  }
  Issue(begin, end, is_durable ? Way::kNowDurable : Way::kNow);
  AwaitWrites();
  return true;
}

bool Flusher::IsIntact(uint64_t begin, uint64_t end) {
  error_ = CheckIntact(begin, end);
  return error_.ok();
}

Status Flusher::CheckIntact(uint64_t begin, uint64_t end) {
  const uint64_t seq = ring_->SeqOf(begin);
  uint64_t bad_begin = UINT64_MAX;
  Status status = checksums_.Check(
      begin, end, ring_->data(seq) + (begin - ring_->BeginOf(seq)), &bad_begin);
  if (!status.ok()) {
    corrupt_from_.store(bad_begin, std::memory_order_release);
  }
  return status;
}

void Flusher::AllocateFor(uint64_t end) {
  if (!allocates_ahead_ || end <= physical_end_ || end < kMinAhead) {
    return;
  }
  const uint64_t from = AlignUp(physical_end_, kDeviceBlockBytes);
  const uint64_t to =
      AlignUp(end + std::clamp(end, kMinAhead, kMaxAhead), kDeviceBlockBytes);
  // An offer: without it the file grows as it is written. A disk that is full
  // says so when there is something to write.
  allocates_ahead_ = device_->Allocate(from, to).ok();
  physical_end_ = to;  // or may be
}

void Flusher::Issue(uint64_t begin, uint64_t end, Way way) {
  URINGFS_CHECK_EQ(begin, submitted_);                      // (1)
  URINGFS_CHECK_LT(begin, end);                             // (1)
  URINGFS_CHECK(!is_tail_in_flight_);                       // (2)
  URINGFS_CHECK_LT(device_->in_flight(), flights_.size());  // (4)
  URINGFS_CHECK_LE(end, extending_from_);                   // (6)
  URINGFS_CHECK(error_.ok());                               // (7)
  AllocateFor(end);
  Flight* flight = FreeFlight();
  flight->begin = begin;
  flight->end = end;
  const uint64_t first_block = AlignDown(begin, kDeviceBlockBytes);
  const uint64_t last_block = AlignDown(end, kDeviceBlockBytes);
  const uint64_t seq = ring_->SeqOf(begin);
  const char* const data = ring_->data(seq);
  const uint64_t base = ring_->BeginOf(seq);

  Write& write = flight->write;
  const uint64_t tag = write.tag;
  write = Write();
  write.tag = tag;
  write.offset = first_block;
  if (first_block < last_block) {
    write.segments[write.segment_count++] = {
        data + (first_block - base),
        static_cast<uint32_t>(last_block - first_block)};
  }
  if (last_block < end) {
    const uint64_t tail_bytes = end - last_block;
    std::memcpy(tail_block_, data + (last_block - base), tail_bytes);
    std::memset(tail_block_ + tail_bytes, 0, kDeviceBlockBytes - tail_bytes);
    write.segments[write.segment_count++] = {tail_block_, kDeviceBlockBytes};
    write.padding_bytes = static_cast<uint32_t>(kDeviceBlockBytes - tail_bytes);
    is_tail_in_flight_ = true;
  }
  submitted_ = end;
  // Counted when it is submitted: a write that fails may extend the file too.
  physical_end_ = std::max(physical_end_, AlignUp(end, kDeviceBlockBytes));
  CountOne(&counters_.writes);
  counters_.bytes.fetch_add(write.bytes(), std::memory_order_relaxed);
  write.dsync = way == Way::kNowDurable;
  way == Way::kSubmit ? device_->Submit(&write) : device_->WriteNow(&write);
}

bool Flusher::IsCached(uint64_t end) {
  if (end > cached_up_to_) {
    cached_up_to_ = 0;
  }
  return is_cached_ || end <= cached_up_to_;
}

// REQUIRES: the ring is private: no side file is told.
void Flusher::WriteCached(uint64_t begin, uint64_t end) {
  const uint64_t seq = ring_->SeqOf(begin);
  const uint64_t bytes = end - begin;
  error_ = device_->WriteCached(
      begin, ring_->data(seq) + (begin - ring_->BeginOf(seq)), bytes);
  submitted_ = end;
  // Or less, if it failed: then Close cuts it.
  physical_end_ = std::max(physical_end_, end);
  CountOne(&counters_.writes);
  counters_.bytes.fetch_add(bytes, std::memory_order_relaxed);
  if (error_.ok()) {
    written_->Complete(begin, end);
    RecycleWritten();
  }
}

Flusher::Flight* Flusher::FreeFlight() {
  for (size_t i = 0; i < flights_.size(); ++i) {
    if (!flights_[i].is_used) {
      flights_[i].is_used = true;
      flights_[i].write.tag = i;
      return &flights_[i];
    }
  }
  URINGFS_CHECK(false);
  return nullptr;
}

}  // namespace uringfs
