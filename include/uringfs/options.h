// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Options of one log, and what the device underneath turned out to be.

#ifndef URINGFS_OPTIONS_H_
#define URINGFS_OPTIONS_H_

#include <cstdint>
#include <string>

#include "uringfs/status.h"

namespace uringfs {

// In which order the bytes of a log may reach the file.
enum class WriteMode : uint8_t {
  // Strictly in stream order: one write in flight. After a crash the file
  // holds a prefix of the stream. For write-ahead logs.
  kSerialised,
  // Full buffers are in flight side by side and may land in any order, never
  // further from the tail than the ring is large. For files nobody reads
  // before they are synced.
  kTailLocalised,
};

// Whether writes go round the page cache.
enum class DirectIo : uint8_t {
  kOptional,  // O_DIRECT where the file system has it, buffered otherwise
  kRequired,  // fail Open where O_DIRECT is refused
  kOff,       // always buffered
};

// How writes are handed to the kernel.
enum class IoEngine : uint8_t {
  kAuto,    // io_uring where it is to be had, pwrite otherwise
  kUring,   // fail Open where io_uring is refused
  kPwrite,  // pwrite and fdatasync
};

// What to do with a file that already stands at the path.
enum class OpenMode : uint8_t {
  // Start an empty file with a *new inode*: late writes of a process that was
  // killed must not land in it.
  kCreate,
  // Append behind the bytes that are there; the file is created if missing.
  kResume,
};

// Where the ring's memory lives, and so what Flush costs.
enum class RingHome : uint8_t {
  // In the process: Flush writes to the file and waits for that.
  kPrivate,
  // In a side file beside the log (`<log>.uringfs`, mode 0600) that survives
  // the process: Flush makes no system call, a background thread writes to the
  // file, and what a killed process left in the ring is moved into the file by
  // RecoverLog (recovery.h). Where such a file cannot be had, or a
  // full disk could tear it, each Flush writes through the page cache, exactly
  // as long as the log is, unless direct I/O is required; IoChoice has the
  // reason.
  kShared,
};

struct LogOptions {
  WriteMode write_mode = WriteMode::kSerialised;
  OpenMode open_mode = OpenMode::kCreate;
  DirectIo direct_io = DirectIo::kOptional;
  IoEngine io_engine = IoEngine::kAuto;
  RingHome ring_home = RingHome::kPrivate;
  // With kShared: a new log gets its side file when it is about to be longer
  // than this, or has been flushed 64 times; before, each flush writes through
  // the page cache, which costs a short-lived log less than the side file
  // would. 0, and with DirectIo::kRequired: at once.
  uint64_t shared_ring_after_bytes = 0;

  // With kShared: what was flushed is in the file no later than this many
  // milliseconds afterwards, if the device keeps up. A log that is flushed all
  // the time has its tail block written again each time. The background thread
  // looks every 4 ms; a shorter time means at every look. 0: a log that moves
  // all the time has its full buffers written only. At most 60000.
  uint32_t drain_within_ms = 20;

  // For a serialised log: what was flushed is durable no later than this many
  // milliseconds afterwards, if the device keeps up, whether anybody syncs or
  // not, and once the log is closed or settled for good. A second background
  // thread sees to that; LogStats::late_syncs counts the times when it was too
  // late. From 4 to 60000; 0: only what is synced.
  uint32_t durable_within_ms = 0;

  // For a serialised log with a shared ring that is synced again and again:
  // zeros are written ahead of its tail by the background thread, so that a
  // sync changes no metadata and costs no commit of the file system's journal.
  // The file is longer than the log meanwhile; see LogStore. At most so many
  // bytes ahead; fewer as long as the log is short. At most 16 MiB. 0: never.
  uint32_t max_extend_bytes = 0;
  // From 4 KiB to 16 MiB. With max_extend_bytes: a device flush follows in the
  // background when so many bytes are not durable. It bounds what power loss
  // can tear of a file that does not grow in order. Recovery of RocksDB's logs
  // counts on its highest value: kUsualMaxTornBytes in rocksdb_wal.h.
  uint32_t flush_window_bytes = 4 * 1024 * 1024;

  // For a tail-localised log: until it is longer than this it is written
  // through the page cache, which costs a short file less than direct writes
  // would. At most 1 GiB; 0, and with DirectIo::kRequired: never.
  uint32_t cached_bytes = 0;

  // Size of one flush buffer in bytes: a power of two from 4 KiB to 4 MiB.
  uint32_t buffer_bytes = 256 * 1024;
  // Flush buffers in the ring: 2 to 1024. buffer_bytes * buffers_count is the
  // memory a log takes while it is open, and the furthest a byte can lie from
  // the tail in tail-localised mode. At most 1 GiB in all.
  uint32_t buffers_count = 4;
  // Writes in flight at once in tail-localised mode: 1 to 64.
  uint32_t writes_in_flight = 4;

  // OK, or InvalidArgument that names the field and its range.
  Status Validate() const;
};

// What was chosen for a file, and why. Constant after Open, but for the two
// fall-backs that can only be found out by writing; those change `reason`.
struct IoChoice {
  bool uses_io_uring = false;
  bool uses_direct_io = false;
  bool uses_registered_buffers = false;
  bool uses_shared_ring = false;
  // It was asked for and could not be had; `reason` tells why.
  bool lost_shared_ring = false;
  // Overwrites are made durable by a device flush, which was found to be faster
  // on this disk than RWF_DSYNC.
  bool syncs_by_flush = false;
  // One sentence; empty if everything asked for was to be had.
  std::string reason;

  // "io_uring, O_DIRECT, registered buffers" or, for example,
  // "pwrite, O_DIRECT (io_uring_setup: Operation not permitted ...)".
  std::string ToString() const;
};

// What a log with `options` would get in `directory` (which must exist).
// Writes nothing there. Errors: those of looking at the directory.
Status ProbeIo(const std::string& directory, const LogOptions& options,
               IoChoice* choice);

}  // namespace uringfs

#endif  // URINGFS_OPTIONS_H_
