// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Zeros ahead of a log that is synced again and again, written by the drainer:
// a sync is an overwrite then, and changes no metadata.
//
// What grows in order is cut short by power loss. What is overwritten may have
// lost an earlier write and kept a later one. So before the first extension
// the side file is made durable, which tells the next boot to look into the
// log and to cut it there (RecoveryOptions::max_torn_bytes); and as long as the
// log is extended, no more than a window of it is without a device flush.
//
// The zeros are written outside the gates: appends, flushes and syncs go on in
// front of them. Nothing is written behind their begin until they are there.
// Everything here is an offer: if it fails the log grows as it is written.

#include <algorithm>

#include "src/base/align.h"
#include "src/log/log_engine.h"

namespace uringfs {
namespace {

// A log that was synced less often than this is not extended: it may be gone
// again before that pays.
constexpr uint64_t kMinSyncs = 8;
constexpr uint64_t kMinStepBytes = uint64_t{256} * 1024;

}  // namespace

// Where the file should end now; 0 to leave it. The longer the log, the larger
// the steps: what is written ahead in vain is never more than what it holds,
// or the smallest step.
uint64_t LogEngine::ExtensionEnd() const {
  const uint64_t begin = flusher_.submitted();
  const uint64_t step = std::min<uint64_t>(
      std::max(kMinStepBytes, AlignDown(begin, kMinStepBytes)),
      options_.max_extend_bytes);
  const uint64_t end = flusher_.physical_end();
  const uint64_t ahead = end > begin ? end - begin : 0;
  return ahead < step / 2 ? AlignUp(begin + step, kDeviceBlockBytes) : 0;
}

// REQUIRES: the caller is the drainer.
void LogEngine::ExtendAhead() {
  const uint64_t syncs = syncs_.load(std::memory_order_relaxed);
  if (syncs < kMinSyncs || syncs == syncs_at_extension_ ||
      flushes_to_file_.load(std::memory_order_relaxed)) {
    return;
  }
  const MutexLock lock(&extend_mutex_);
  if (!may_extend_) {
    return;
  }
  if (!is_extended_) {
    may_extend_ = side_->MakeHeaderDurable().ok();
    if (!may_extend_) {
      return;
    }
  }
  uint64_t from = 0;
  uint64_t to = 0;
  flush_gate_.Exclusive([&] {
    flush_gate_.AssertLed();
    to = ExtensionEnd();
    from = to > 0 ? flusher_.BeginExtension(to) : 0;
  });
  if (to == 0) {
    return;
  }
  syncs_at_extension_ = syncs;
  is_extended_ = true;
  may_extend_ = device_->Extend(from, to).ok();
  if (may_extend_) {
    // Here, so that it is not a sync that pays for the journal's commit.
    may_extend_ = FlushDevice(SyncKind::kData).ok();
  }
  const uint64_t durable_end = may_extend_ ? to : 0;
  flush_gate_.Exclusive([&] {
    flush_gate_.AssertLed();
    flusher_.EndExtension(durable_end);
  });
  if (may_extend_) {
    CountOne(&extensions_);
    extended_bytes_.fetch_add(to - from, std::memory_order_relaxed);
  }
}

// REQUIRES: as ExtendAhead.
void LogEngine::FlushWindow() {
  if (is_extended_ &&
      written_.value() - stable_.value() >= options_.flush_window_bytes) {
    // Whoever leads it now flushes as well.
    (void)sync_gate_.TryExclusive([&] {
      sync_gate_.AssertLed();
      LeadSync(SyncKind::kData);
    });
  }
}

}  // namespace uringfs
