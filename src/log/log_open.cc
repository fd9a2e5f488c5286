// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Opening a log: its device, and where its ring lives.

#include <utility>

#include "src/log/log_engine.h"
#include "src/side/side_reader.h"
#include "src/side/side_trust.h"

#include "uringfs/recovery.h"

namespace uringfs {
namespace {

size_t RingBytes(const LogOptions& options) {
  return size_t{options.buffer_bytes} * options.buffers_count;
}

// A log that is resumed must be whole before anything is put behind it.
Status RecoverBeforeResume(const std::string& path, const LogOptions& options) {
  if (options.open_mode != OpenMode::kResume) {
    return Status::Ok();
  }
  RecoveryReport report;
  Status status = RecoverLog(path, RecoveryOptions(), &report);
  if (status.ok() && (report.outcome == RecoveryOutcome::kUnusable ||
                      report.outcome == RecoveryOutcome::kBusy)) {
    return Status::InvalidArgument("resume " + path + ": " + report.message);
  }
  return status;
}

bool IsNewWal(const LogOptions& options) {
  return options.open_mode == OpenMode::kCreate &&
         options.write_mode == WriteMode::kSerialised;
}

bool MayStartSmall(const LogOptions& options, const OpenedDevice& opened) {
  return options.shared_ring_after_bytes > 0 && opened.size_bytes == 0 &&
         options.direct_io != DirectIo::kRequired;
}

// Each flush writes through the page cache: a log whose file is asked by others
// where it ends must have no padding.
bool IsCached(const LogOptions& options, const LogParts& parts) {
  const bool wants_exact = options.ring_home == RingHome::kShared ||
                           options.direct_io == DirectIo::kOff;
  return options.write_mode == WriteMode::kSerialised && wants_exact &&
         options.direct_io != DirectIo::kRequired && parts.side == nullptr;
}

// The ring in a side file, or in private memory where that cannot be had.
Status FindRing(const std::string& path, const LogOptions& options,
                LogParts* parts) {
  const Status cleared = ClearSideOf(path);
  if (!cleared.ok()) {
    parts->ring_reason = WhyPrivate(cleared);
  } else if (!parts->opened.lock_refusal.empty()) {
    parts->ring_reason = "private ring: " + parts->opened.lock_refusal;
  } else if (MayStartSmall(options, parts->opened)) {
    parts->ring_reason = SideFile::RefusalBeside(path);
    parts->starts_small = parts->ring_reason.empty();
  } else {
    Status status =
        SideFile::Create(path, WhyDistrusted(path, parts->opened.identity),
                         options, &parts->side);
    if (status.ok()) {
      return status;
    }
    parts->ring_reason = WhyPrivate(status);
  }
  return AlignedBuffer::Allocate(RingBytes(options), &parts->fallback_ring);
}

}  // namespace

Status LogEngine::Open(const std::string& path, const LogOptions& options,
                       std::unique_ptr<LogEngine>* engine) {
  Status status = options.Validate();
  if (status.ok()) {
    status = RecoverBeforeResume(path, options);
  }
  const bool is_shared = options.ring_home == RingHome::kShared;
  LogParts parts;
  if (status.ok()) {
    status = Workspace::Acquire(is_shared ? 0 : RingBytes(options),
                                &parts.workspace);
  }
  if (!status.ok()) {
    return status;
  }
  status = OpenDevice(path, options, parts.workspace->context(), &parts.opened);
  if (status.ok() && !is_shared && IsNewWal(options)) {
    // One that was replaced just now had perhaps a shared ring.
    status = ClearSideOf(path);
  }
  if (status.ok() && is_shared) {
    status = FindRing(path, options, &parts);
  }
  parts.is_cached = IsCached(options, parts);
  if (!status.ok()) {
    parts.opened.device.reset();
    Workspace::Release(std::move(parts.workspace));
    return status;
  }
  return OpenOn(std::move(parts), path, options, engine);
}

Status ProbeIo(const std::string& directory, const LogOptions& options,
               IoChoice* choice) {
  Status status = ProbeDevice(directory, options, choice);
  if (status.ok() && options.ring_home == RingHome::kShared) {
    const std::string refusal = SideFile::Refusal(directory);
    choice->uses_shared_ring = refusal.empty();
    if (!refusal.empty()) {
      choice->reason += (choice->reason.empty() ? "" : "; ") + refusal;
    }
  }
  return status;
}

}  // namespace uringfs
