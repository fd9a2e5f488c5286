// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "uringfs/options.h"

#include <string>

#include "src/base/align.h"

namespace uringfs {
namespace {

constexpr uint32_t kMinBufferBytes = 4096;
constexpr uint32_t kMaxBufferBytes = 4u << 20;
constexpr uint32_t kMinBuffers = 2;
constexpr uint32_t kMaxBuffers = 1024;
constexpr uint64_t kMaxRingBytes = 1ull << 30;
constexpr uint32_t kMaxAheadBytes = 16 * 1024 * 1024;
constexpr uint32_t kMaxWritesInFlight = 64;
constexpr uint32_t kMaxDrainWithinMs = 60000;
constexpr uint32_t kMinDurableWithinMs = 4;

Status OutOfRange(const char* field, uint64_t value, const char* range) {
  return Status::InvalidArgument(std::string(field) + " = " +
                                 std::to_string(value) + ": must be " + range);
}

}  // namespace

Status LogOptions::Validate() const {
  if (!IsPowerOfTwo(buffer_bytes) || buffer_bytes < kMinBufferBytes ||
      buffer_bytes > kMaxBufferBytes) {
    return OutOfRange("buffer_bytes", buffer_bytes,
                      "a power of two from 4 KiB to 4 MiB");
  }
  if (buffers_count < kMinBuffers || buffers_count > kMaxBuffers) {
    return OutOfRange("buffers_count", buffers_count, "from 2 to 1024");
  }
  if (uint64_t{buffer_bytes} * buffers_count > kMaxRingBytes) {
    return OutOfRange("buffer_bytes * buffers_count",
                      uint64_t{buffer_bytes} * buffers_count, "at most 1 GiB");
  }
  if (writes_in_flight < 1 || writes_in_flight > kMaxWritesInFlight) {
    return OutOfRange("writes_in_flight", writes_in_flight, "from 1 to 64");
  }
  if (max_extend_bytes > kMaxAheadBytes) {
    return OutOfRange("max_extend_bytes", max_extend_bytes, "at most 16 MiB");
  }
  if (flush_window_bytes < kMinBufferBytes ||
      flush_window_bytes > kMaxAheadBytes) {
    return OutOfRange("flush_window_bytes", flush_window_bytes,
                      "from 4 KiB to 16 MiB");
  }
  if (drain_within_ms > kMaxDrainWithinMs) {
    return OutOfRange("drain_within_ms", drain_within_ms, "at most 60000");
  }
  if (durable_within_ms != 0 && (durable_within_ms < kMinDurableWithinMs ||
                                 durable_within_ms > kMaxDrainWithinMs)) {
    return OutOfRange("durable_within_ms", durable_within_ms,
                      "0, or from 4 to 60000");
  }
  if (durable_within_ms != 0 && write_mode != WriteMode::kSerialised) {
    return Status::InvalidArgument(
        "durable_within_ms: only for write_mode kSerialised, where the file is "
        "a prefix of the stream");
  }
  if (cached_bytes > kMaxRingBytes) {
    return OutOfRange("cached_bytes", cached_bytes, "at most 1 GiB");
  }
  if (ring_home == RingHome::kShared && write_mode != WriteMode::kSerialised) {
    return Status::InvalidArgument(
        "ring_home = kShared: only for write_mode kSerialised, where the file "
        "is a prefix of the stream");
  }
  return Status::Ok();
}

std::string IoChoice::ToString() const {
  std::string text = uses_io_uring ? "io_uring" : "pwrite";
  text += uses_direct_io ? ", O_DIRECT" : ", buffered";
  if (uses_registered_buffers) {
    text += ", registered buffers";
  }
  if (uses_shared_ring) {
    text += ", shared ring";
  }
  if (!reason.empty()) {
    text += " (" + reason + ")";
  }
  return text;
}

}  // namespace uringfs
