// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/read/shared_read_rings.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "src/base/fork_count.h"

namespace uringfs {
namespace {

constexpr unsigned kMaxRings = 8;
// What a direct read of a file's end is no multiple of.
constexpr size_t kSector = 512;

size_t RingsOfProcess() {
  return std::clamp(std::thread::hardware_concurrency(), 1u, kMaxRings);
}

// The file ends there, and nothing can be read from there on.
bool IsAtOddEnd(const ReadRequest& request) {
  return request.is_direct && request.got % kSector != 0;
}

// From what it has got on, to its end.
void ReadBySystemCalls(Sys* sys, ReadRequest* request) {
  while (request->got < request->bytes && !IsAtOddEnd(*request)) {
    const ssize_t result = sys->Pread(
        request->fd, request->out + request->got, request->bytes - request->got,
        static_cast<off_t>(request->offset + request->got));
    if (result == -EINTR) {
      continue;
    }
    if (result <= 0) {
      request->error = static_cast<int>(-result);
      return;
    }
    request->got += static_cast<size_t>(result);
  }
}

}  // namespace

ReadRings* ReadRings::OfProcess() {
  // Null, or never destroyed. Release: the object, to the acquire of others.
  static std::atomic<SharedReadRings*> of_process{nullptr};
  SharedReadRings* found = of_process.load(std::memory_order_acquire);
  while (found == nullptr || !found->IsOurs()) {
    auto* const made = new SharedReadRings(RingsOfProcess(), Sys::Real());
    if (of_process.compare_exchange_strong(found, made,
                                           std::memory_order_acq_rel)) {
      return made;
    }
    delete made;
  }
  return found;
}

void ReadRings::ReadAlone(ReadRequest* request) {
  ReadBySystemCalls(Sys::Real(), request);
}

SharedReadRings::SharedReadRings(size_t rings, Sys* sys)
    : sys_(sys), forks_(ForkCount()) {
  for (size_t i = 0; i < rings; ++i) {
    rings_.emplace_back(sys);
  }
}

bool SharedReadRings::IsOurs() const { return forks_ == ForkCount(); }

ReadRing* SharedReadRings::Ring() {
  static std::atomic<size_t> threads{0};
  static thread_local const size_t thread =
      threads.fetch_add(1, std::memory_order_relaxed);
  return &rings_[thread % rings_.size()];
}

bool SharedReadRings::ReadCached(ReadRequest* request) const {
  if (request->is_direct) {
    return false;
  }
  const ssize_t result =
      sys_->PreadCached(request->fd, request->out, request->bytes,
                        static_cast<off_t>(request->offset));
  request->got = result > 0 ? static_cast<size_t>(result) : 0;
  // 0 is no end of the file: Linux 5.9 and 5.10 say so elsewhere, too.
  return request->got == request->bytes;
}

void SharedReadRings::Complete(ReadRequest* request) const {
  if (request->ring == nullptr) {
    return;
  }
  request->ring = nullptr;
  request->got +=
      request->result > 0 ? static_cast<size_t>(request->result) : 0;
  ReadBySystemCalls(sys_, request);
}

ReadCounts SharedReadRings::ReadAll(ReadRequest* requests, size_t count) {
  ReadCounts counts;
  std::vector<ReadRequest*> missing;
  for (size_t i = 0; i < count; ++i) {
    if (ReadCached(&requests[i])) {
      ++counts.cached;
    } else {
      missing.push_back(&requests[i]);
    }
  }
  // One alone gains nothing by a ring.
  const bool may_use_ring = missing.size() > 1 && IsOurs();
  for (size_t at = 0; at < missing.size();) {
    const size_t started =
        may_use_ring ? Ring()->Start(&missing[at], missing.size() - at) : 0;
    if (started == 0) {
      ReadBySystemCalls(sys_, missing[at++]);
      ++counts.alone;
    }
    for (size_t i = 0; i < started; ++i) {
      Finish(missing[at++]);
    }
    counts.ring += started;
  }
  return counts;
}

ReadCounts SharedReadRings::Start(ReadRequest* request) {
  ReadCounts counts;
  if (ReadCached(request)) {
    counts.cached = 1;
  } else if (IsOurs() && Ring()->Start(&request, 1) == 1) {
    counts.ring = 1;
  } else {
    ReadBySystemCalls(sys_, request);
    counts.alone = 1;
  }
  return counts;
}

void SharedReadRings::Finish(ReadRequest* request) {
  if (request->ring != nullptr && IsOurs()) {
    static_cast<ReadRing*>(request->ring)->Await(request);
  } else if (request->ring != nullptr) {
    request->result = 0;  // nobody reads it here
  }
  Complete(request);
}

}  // namespace uringfs
