// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Most logs of a small database hold a few records and are gone again. For
// them a side file costs more than it saves, so a log that is to have a shared
// ring begins with a private one, small, and each flush writes through the page
// cache. Before it holds more than that is good for, its ring moves, bytes and
// all, into a side file. Small, the file alone is the log, whoever looks at it.
//
// TryGrow waits for nobody: who calls it may be who is waited for. If anything
// is going on it does nothing, and the next append or flush tries again.

#include <utility>

#include "src/base/align.h"
#include "src/log/log_engine.h"
#include "src/side/side_trust.h"

namespace uringfs {
namespace {
constexpr uint64_t kMaxSmallFlushes = 64;
}  // namespace

bool LogEngine::IsTooLong(uint64_t more_bytes) const {
  // relaxed: a hint; it is looked at again under the lock.
  return is_small_.load(std::memory_order_relaxed) &&
         (counters_.flushes.load(std::memory_order_relaxed) >
              kMaxSmallFlushes ||
          ReservedEnd() + more_bytes > options_.shared_ring_after_bytes);
}

void LogEngine::TryGrow() {
  if (!restart_mutex_.TryLock()) {
    return;
  }
  const ExclusiveLock lock(&restart_mutex_, std::adopt_lock);
  if (!is_small_.load(std::memory_order_relaxed) || IsForeign()) {
    return;
  }
  (void)writes_.TryLead([&](Flusher* flusher) {
    restart_mutex_.AssertHeld();
    writes_.AssertLed();
    GrowAlone(flusher);
  });
}

bool LogEngine::FindNextSide() {
  if (next_side_ != nullptr) {
    return true;
  }
  Status status = state_.CheckUsable();
  if (status.ok()) {
    status = SideFile::Create(path(), WhyDistrusted(path(), identity_),
                              options_, &next_side_);
  }
  if (!status.ok()) {
    ring_reason_ = WhyPrivate(status);
  }
  return status.ok();
}

void LogEngine::GrowAlone(Flusher* flusher) {
  flusher->AwaitWrites();
  if (!FindNextSide()) {
    StopGrowing();  // and goes on through the page cache
    return;
  }
  // What comes next is written by direct I/O and makes the file longer. It must
  // not be there after power loss without what is in front of it.
  const Status written_back = device_->WriteBack();
  if (!written_back.ok()) {
    state_.Fail(written_back);
    return;
  }
  const uint64_t written = writes_.written();
  if (!ring_.TryMove(next_side_->ring(), ring_.SeqOf(written))) {
    return;
  }
  side_ = std::move(next_side_);
  // Flush has promised nothing that is not written: it does from here on.
  side_->Arm(identity_, ring_.BeginOf(0), written);
  flusher->SetSide(side_.get());
  flusher->SetCached(false);
  fallback_ring_ = AlignedBuffer();
  StopGrowing();
  StartDrain();
}

void LogEngine::StopGrowing() {
  is_small_.store(false, std::memory_order_relaxed);
  if (next_side_ != nullptr) {
    (void)next_side_->Remove();
    next_side_.reset();
  }
}

}  // namespace uringfs
