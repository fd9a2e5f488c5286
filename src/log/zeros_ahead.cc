// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/zeros_ahead.h"

#include <algorithm>

#include "src/base/align.h"

namespace uringfs {
namespace {

// A log that was synced less often than this is not extended: it may be gone
// again before that pays.
constexpr uint64_t kMinSyncs = 8;
constexpr uint64_t kMinStepBytes = uint64_t{256} * 1024;

}  // namespace

ZerosAhead::ZerosAhead(const LogOptions& options, Device* device,
                       WritePath* writes, SyncPath* syncs)
    : options_(options), device_(device), writes_(writes), syncs_(syncs) {}

// Where the file should end now; 0 to leave it. The longer the log, the larger
// the steps: what is written ahead in vain is never more than what it holds,
// or the smallest step.
uint64_t ZerosAhead::EndWanted(const Flusher& flusher) const {
  const uint64_t begin = flusher.submitted();
  const uint64_t step = std::min<uint64_t>(
      std::max(kMinStepBytes, AlignDown(begin, kMinStepBytes)),
      options_.max_extend_bytes);
  const uint64_t end = flusher.physical_end();
  const uint64_t ahead = end > begin ? end - begin : 0;
  return ahead < step / 2 ? AlignUp(begin + step, kDeviceBlockBytes) : 0;
}

bool ZerosAhead::Prepare(const SideFile& side) {
  if (may_extend_ && !has_extended()) {
    may_extend_ = side.MakeHeaderDurable().ok();
  }
  return may_extend_;
}

void ZerosAhead::ExtendIfDue(uint64_t syncs, const SideFile& side) {
  if (options_.max_extend_bytes == 0 || syncs < kMinSyncs ||
      syncs == syncs_at_extension_) {
    return;
  }
  const MutexLock lock(&mutex_);
  if (!Prepare(side)) {
    return;
  }
  uint64_t from = 0;
  uint64_t to = 0;
  writes_->Lead([&](Flusher* flusher) {
    to = EndWanted(*flusher);
    from = to > 0 ? flusher->BeginExtension(to) : 0;
    is_extended_.store(has_extended() || to > 0, std::memory_order_relaxed);
  });
  if (to > 0) {
    syncs_at_extension_ = syncs;
    Extend(from, to);
  }
}

void ZerosAhead::Extend(uint64_t from, uint64_t to) {
  may_extend_ = device_->Extend(from, to).ok();
  if (may_extend_) {
    // Here, so that it is not a sync that pays for the journal's commit.
    may_extend_ = syncs_->FlushDevice(SyncKind::kData).ok();
  }
  const uint64_t durable_end = may_extend_ ? to : 0;
  writes_->Lead([&](Flusher* flusher) { flusher->EndExtension(durable_end); });
  if (may_extend_) {
    CountOne(&counters_.extensions);
    counters_.bytes.fetch_add(to - from, std::memory_order_relaxed);
  }
}

void ZerosAhead::FlushIfDue() {
  if (has_extended() &&
      writes_->written() - syncs_->stable() >= options_.flush_window_bytes) {
    syncs_->TryFlush();
  }
}

void ZerosAhead::Stop() {
  const MutexLock lock(&mutex_);
  may_extend_ = false;
}

}  // namespace uringfs
