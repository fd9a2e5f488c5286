// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Device: write this aligned block there; tell me its completion; make it
// durable.
//
// One Device is one open file. It knows nothing of streams, buffers or
// watermarks, and it promises no order: writes that are in flight at the same
// time may land in any order, and a completed write is *not* durable.
//
// THREADS: single-owner. One thread at a time calls Submit, Reap and Resize,
// but that may be another thread for every call, and a thread that submitted
// may exit at once: its writes complete all the same. MakeDurable and Extend
// may be called by other threads beside the owner.

#ifndef URINGFS_DEVICE_DEVICE_H_
#define URINGFS_DEVICE_DEVICE_H_

#include <cstddef>
#include <cstdint>

#include "uringfs/log_store.h"
#include "uringfs/options.h"
#include "uringfs/status.h"

namespace uringfs {

// Offsets, lengths and memory addresses of every write are multiples of this,
// whatever the file system asks for.
inline constexpr uint32_t kDeviceBlockBytes = 4096;

// The longest write a device takes. At 512 KiB and more the kernel starts to
// hand writes to worker threads.
inline constexpr uint32_t kMaxWriteBytes = 256 * 1024;

struct Segment {
  const char* data = nullptr;
  uint32_t bytes = 0;
};

// One write of one or two memory segments to one place. Filled in by the
// caller; from Submit until Reap hands it back it belongs to the device, and
// neither it nor the memory it names may change or go away.
struct Write {
  static constexpr uint32_t kMaxSegments = 2;

  uint64_t offset = 0;  // in the file
  Segment segments[kMaxSegments];
  uint32_t segment_count = 0;
  // Of the last block: bytes at its end that only fill it up. They are left
  // out where the process's file size limit is within that block.
  uint32_t padding_bytes = 0;
  // Complete only when the bytes are on durable media (RWF_DSYNC). Says
  // nothing of any other write. Extending a file this way is not enough for
  // its size on kernels before 6.7: follow it with MakeDurable.
  bool dsync = false;

  // Outcome: 0, or the positive errno. A write is whole or failed: short
  // transfers are re-issued by the device.
  int error = 0;

  // Free for the owner of the device.
  uint64_t tag = 0;

  // Private to the device: bytes done so far, attempts without progress.
  uint32_t done_bytes = 0;
  uint32_t attempts = 0;

  uint32_t bytes() const {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < segment_count; ++i) {
      sum += segments[i].bytes;
    }
    return sum;
  }
  // In the file, behind the last byte.
  uint64_t end() const { return offset + bytes(); }
};

class Device {
 public:
  virtual ~Device() = default;  // REQUIRES: in_flight() == 0

  // Hands the write to the kernel. Never fails: what goes wrong is told by
  // Write::error when it is reaped. REQUIRES: in_flight() < max_in_flight(),
  // alignment as above, 0 < bytes() <= kMaxWriteBytes.
  virtual void Submit(Write* write) = 0;

  // The same, but it is carried out in this call, and Reap tells next. For a
  // write that is waited for anyway: it spares the hand-over and the wake-up.
  virtual void WriteNow(Write* write) = 0;

  // Collects completed writes into done[0, capacity), waiting until at least
  // `min_count` have come. Returns how many. REQUIRES: min_count <= capacity,
  // min_count <= in_flight().
  virtual size_t Reap(size_t min_count, Write** done, size_t capacity) = 0;

  // A device flush: everything whose completion was reaped before the call,
  // and the file's size, is on durable media when it returns OK. Not retried:
  // after a failure the state of earlier writes is unknown.
  virtual Status MakeDurable(SyncKind kind) = 0;

  // Sets the physical size of the file; new bytes read as zeros.
  // REQUIRES: in_flight() == 0.
  virtual Status Resize(uint64_t bytes) = 0;

  // Makes the file `to` bytes long, with zeros from `from` on that are written
  // out and not only promised: a later write there changes no metadata. What
  // is in front of `from` stays. Not durable before MakeDurable. On an error
  // the file has some length up to `to`, and zeros behind `from`; nothing is
  // lost. REQUIRES: from < to, both are aligned; the file was not longer than
  // `from`; no write beside it ends behind `from`; one call at a time.
  // Errors: NoSpace, NotSupported where it brings nothing, others.
  virtual Status Extend(uint64_t from, uint64_t to) = 0;

  // Makes the file `to` bytes long and gives it the space: writes there go side
  // by side, while writes that make a file longer wait for each other. It reads
  // as zeros from `from` on. On an error the file has some length up to `to`;
  // nothing is lost. REQUIRES: from < to, both are aligned; the file and all
  // writes in flight end at or in front of `from`. Errors: as Extend.
  virtual Status Allocate(uint64_t from, uint64_t to) = 0;

  // Reads up to `bytes` at `offset` into memory aligned to kDeviceBlockBytes;
  // *got is less only at the end of the file. `offset` and `bytes` are
  // aligned. Not for speed: used once when a file is resumed.
  virtual Status Read(uint64_t offset, char* data, size_t bytes,
                      size_t* got) = 0;

  // Writes bytes of any number to any offset from any memory, through the
  // page cache: for a small file, where a direct write and cutting off its
  // padding cost many times as much. Nothing is durable before MakeDurable;
  // the file ends with the last byte. A direct write may follow.
  // REQUIRES: in_flight() == 0.
  virtual Status WriteCached(uint64_t offset, const char* data,
                             size_t bytes) = 0;

  // What WriteCached has written is on the device's way when it returns, with
  // its space: no direct write that makes the file longer gets there first.
  // Errors: those of the writes.
  virtual Status WriteBack() { return MakeDurable(SyncKind::kData); }

  // Whether the file has a name left: one that was deleted while it is open has
  // none, and nobody wants its bytes.
  virtual bool HasName() const { return true; }

  // Closes the file. Idempotent. REQUIRES: in_flight() == 0.
  virtual Status Close() = 0;

  // Advisory write-lifetime hint (RWH_WRITE_LIFE_*).
  virtual void SetLifetimeHint(int hint) = 0;

  virtual size_t in_flight() const = 0;
  virtual size_t max_in_flight() const = 0;
  virtual IoChoice choice() const = 0;
};

}  // namespace uringfs

#endif  // URINGFS_DEVICE_DEVICE_H_
