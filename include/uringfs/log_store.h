// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// LogStore: append bytes; learn when they are durable.
//
// One LogStore is one file's append stream. Offsets into the stream are
// offsets into the file. For every log, at every instant:
//
//   reserved >= filled >= submitted >= written >= stable
//
//   reserved   a writer owns the range
//   filled     the bytes are in the ring
//   submitted  the kernel has the write
//   written    the completion came back without error, for all bytes below
//   stable     all bytes below are on durable media: written, and covered by
//              a DSYNC write or a device flush issued after they were written
//
// What a call's return means:
//
//   Append, AppendBatch, Reservation::Commit
//          the bytes are filled; the caller's memory is free again. They are
//          in this process's memory only.
//   Flush  every byte appended before the call survives the death of this
//          process (kill -9). With a private ring it is in the file and can be
//          read there; with a shared one it is in the file or in the side file
//          beside it: LogView reads both, RecoverLog brings them together
//          (recovery.h). Costs no system call then.
//   WriteOut
//          as Flush, and every byte appended before can be read in the file.
//   Sync   every byte appended before the call survives power loss, with the
//          size and extents of the file.
//   Close  the file has exactly the appended bytes and exactly that size.
//          Close alone makes nothing durable.
//
// A shared ring is drained into the file by a background thread of the
// process: full buffers at once, the rest when the log was idle for some
// milliseconds, or after LogOptions::drain_within_ms.
//
// While the log is open the *physical* file may be longer than size(), by less
// than 4096 zero bytes (direct writes are whole blocks), or by the zeros of
// LogOptions::max_extend_bytes. Sync of a tail-localised log, Settle and Close
// cut it to the exact size.
//
// Errors are sticky: once a write or a sync has failed, every later call that
// could acknowledge anything answers with that first error, and nothing behind
// the failed offset becomes durable later. Nothing is retried into a false OK.
//
// THREADS: any number of threads may call Append, AppendBatch, Reserve, Flush,
// WriteOut, Sync, SyncTo, Settle and the accessors at once. Appends take no
// latch. Truncate and Close wait for running Flush and Sync calls; the caller
// must see to it that no append is under way. A thread holds at most one
// Reservation and commits it before it calls anything else on the same log;
// Flush and Sync wait for Reservations that are not committed and lie below
// or in the same buffer. A log is not inherited by fork: in the child every
// call fails and leaves the file alone.
//
// With a shared ring: while a child of fork lives that has not exec'd, it keeps
// the log locked, and RecoverLog has to wait for it.

#ifndef URINGFS_LOG_STORE_H_
#define URINGFS_LOG_STORE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "uringfs/options.h"
#include "uringfs/stats.h"
#include "uringfs/status.h"

namespace uringfs {

class LogEngine;

// A range of the stream that the caller owns and writes itself, in pieces that
// follow each other. Destroying a Reservation commits it.
class Reservation {
 public:
  Reservation();
  ~Reservation();
  Reservation(Reservation&&) noexcept;
  Reservation& operator=(Reservation&&) noexcept;

  // Stream offset of the first byte.
  uint64_t offset() const;
  // Number of pieces; 0 for an empty or committed Reservation.
  size_t pieces() const;
  // REQUIRES: i < pieces(). Memory of piece `i`, in stream order.
  char* data(size_t i) const;
  size_t bytes(size_t i) const;

  // Copies into the reservation, starting `at` bytes behind its begin.
  // REQUIRES: at + bytes.size() is within the reservation.
  void Write(uint64_t at, std::string_view bytes);

  // The bytes are filled; what was not written is zeros.
  // ENSURES: pieces() == 0.
  void Commit();

 private:
  friend class LogEngine;
  struct Body;
  std::unique_ptr<Body> body_;
};

enum class SyncKind : uint8_t {
  kData,  // fdatasync: bytes, size and extents
  kFull,  // fsync: times and mode as well
};

class LogStore {
 public:
  // Opens `path` (see OpenMode). Errors: InvalidArgument for bad options,
  // NotSupported where kRequired or kUring cannot be had, else the errno of
  // the failing call. *log is set only on OK.
  static Status Open(const std::string& path, const LogOptions& options,
                     std::unique_ptr<LogStore>* log);

  // Closes, if that was not done; the outcome is lost then.
  ~LogStore();
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  // Appends `bytes` as one contiguous range, of any length, and stores its
  // begin in *offset. Waits for the device when the ring is exhausted.
  // Durability: none. On an error nothing of it stays in the stream.
  Status Append(std::string_view bytes, uint64_t* offset = nullptr);

  // The same for `count` slices that follow each other without a gap.
  Status AppendBatch(const std::string_view* slices, size_t count,
                     uint64_t* offset = nullptr);

  // Append, and the bytes are compared with their CRC32C when they are handed
  // to the device. If they changed since it was computed the log fails with
  // kCorruption, which Flush, Sync or Close tell, or a later append; no Sync
  // vouches for them. (With a shared ring Flush hands nothing over, so it may
  // not know yet.) Costs a pass over the bytes.
  Status AppendChecked(std::string_view bytes, uint32_t crc32c,
                       uint64_t* offset = nullptr);

  // Reserves `bytes` (at most max_reservation_bytes()) for the caller to
  // write. Errors: InvalidArgument if it is longer; the sticky error.
  Status Reserve(uint64_t bytes, Reservation* reservation);
  uint64_t max_reservation_bytes() const;

  // See above. With a private ring of direct I/O Flush waits for the device.
  Status Flush();
  Status WriteOut();
  // From now on the file alone is the log: what was appended before is in it,
  // durably if it is a serialised one, it ends where that ends, and each Flush
  // writes to it, as behind SettleForGood. To be called before another log goes
  // on from this one, or the file gets another name or directory, where nobody
  // would look for the side file. Errors: the log's.
  Status LeaveSideFile();
  Status Sync(SyncKind kind = SyncKind::kData);
  // As Sync, for the bytes below `offset` only. Errors: InvalidArgument if
  // `offset` is beyond size().
  Status SyncTo(uint64_t offset, SyncKind kind = SyncKind::kData);

  // Flushes and cuts the physical file to exactly what is written then: size(),
  // unless others append meanwhile.
  Status Settle();

  // Settle, and from now on the file alone is the log, exactly as long: the
  // side file is gone, Flush writes through the page cache (but with
  // DirectIo::kRequired, where it cuts the file each time). For the end of a
  // process that may go on using the log, and may have threads that never move
  // again: gives up after `limit`, but for a write that the device holds.
  // Errors: ETIMEDOUT, and all is as it was; the sticky error.
  Status SettleForGood(std::chrono::milliseconds limit);

  // Makes the log `size` bytes long: shorter drops the end, longer adds zero
  // bytes. The next append goes behind it. Not durable before Sync.
  Status Truncate(uint64_t size);

  // Writes what is filled, cuts the file to its exact size, closes it. After
  // an error: cuts the file to what was written and not part of a failed
  // append, and returns the error; a shared ring that holds flushed bytes which
  // the file could not take stays beside it for RecoverLog. Idempotent: later
  // calls return the same.
  Status Close();

  // Bytes of the stream: end of what has been reserved.
  uint64_t size() const;
  // End of what WriteOut has promised: all bytes below can be read in the
  // file.
  // After a failed append it, and hi_stable() with it, may go back to where
  // that append began.
  uint64_t hi_written() const;
  uint64_t hi_stable() const;
  // Up to where Flush has promised that the bytes survive the process: behind
  // hi_written() while they are in a shared ring only. Waits for a call that
  // closes, truncates or settles the log.
  uint64_t hi_flushed() const;

  // Advisory: passes an RWH_WRITE_LIFE_* value to the file. Errors: none.
  void SetWriteLifetimeHint(int hint);

  // The sticky error, or OK.
  Status error() const;
  LogStats stats() const;
  IoChoice io_choice() const;
  const std::string& path() const;
  // Which file this is, whatever its names are now.
  uint64_t device_id() const;
  uint64_t inode() const;

 private:
  explicit LogStore(std::unique_ptr<LogEngine> engine);
  std::unique_ptr<LogEngine> engine_;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_STORE_H_
