// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/read/read_ring.h"

#include <sys/uio.h>

#include <cerrno>
#include <thread>

namespace uringfs {
namespace {

using Clock = std::chrono::steady_clock;

// What refused a ring (descriptors, locked memory) may have passed by then.
constexpr auto kNextTry = std::chrono::seconds(1);
// The kernel may be short of memory for a moment.
constexpr int kSubmits = 4;

}  // namespace

bool ReadRing::EnsureQueue() {
  if (queue_ != nullptr) {
    return true;
  }
  const Clock::time_point now = Clock::now();
  if (now < no_try_before_) {
    return false;
  }
  if (!UringQueue::Create(sys_, nullptr, 0, &queue_).ok()) {
    no_try_before_ = now + kNextTry;
    return false;
  }
  return true;
}

size_t ReadRing::Start(ReadRequest* const* requests, size_t count) {
  const MutexLock lock(&mutex_);
  if (!EnsureQueue()) {
    return 0;
  }
  size_t prepared = 0;
  for (; prepared < count && under_way_ < kMaxUnderWay; ++prepared) {
    ReadRequest* const request = requests[prepared];
    const iovec vector = {request->out + request->got,
                          request->bytes - request->got};
    if (!queue_->PrepareRead(request->fd, vector,
                             request->offset + request->got, request)) {
      break;
    }
    request->is_under_way = true;
    request->ring = this;
    ++under_way_;
  }
  const size_t taken = Submit(prepared);
  for (size_t i = taken; i < prepared; ++i) {
    requests[i]->is_under_way = false;
    requests[i]->ring = nullptr;
    --under_way_;
  }
  return taken;
}

size_t ReadRing::Submit(size_t prepared) {
  // Also of none: no-ops, of reads that were not taken, may have filled it.
  int error = queue_->Submit();
  for (int tries = 1; error != 0 && tries < kSubmits; ++tries) {
    error = queue_->Submit();
  }
  return error == 0 ? prepared : prepared - queue_->Withdraw();
}

void ReadRing::Reap() {
  void* user = nullptr;
  int result = 0;
  while (queue_->Next(&user, &result)) {
    auto* const request = static_cast<ReadRequest*>(user);
    request->result = result;
    request->is_under_way = false;
    --under_way_;
  }
}

void ReadRing::WaitForOne() {
  UringQueue* const queue = queue_.get();
  is_awaited_ = true;
  {
    const MutexUnlock unlock(&mutex_);
    // The kernel may write to the memory of what is under way until it is done
    // with it: there is no giving up.
    const int error = queue->Wait();
    if (error != 0 && error != EINTR) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  is_awaited_ = false;
}

void ReadRing::Await(ReadRequest* request) {
  const MutexLock lock(&mutex_);
  while (request->is_under_way) {
    if (is_awaited_) {
      reaped_.Wait(&mutex_);
      continue;
    }
    Reap();
    if (request->is_under_way) {
      WaitForOne();
      Reap();
    }
    // Theirs may be among them; and one of them has to wait next.
    reaped_.NotifyAll();
  }
}

}  // namespace uringfs
