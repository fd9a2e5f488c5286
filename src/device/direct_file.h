// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// DirectFile: one open descriptor and what every device does with it, by plain
// system calls. Whether the descriptor has O_DIRECT is known here, because it
// can be lost while writing.
//
// THREADS: as Device; direct() and reason() may be called by any thread.

#ifndef URINGFS_DEVICE_DIRECT_FILE_H_
#define URINGFS_DEVICE_DIRECT_FILE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "src/device/device.h"
#include "src/device/io_errno.h"
#include "src/device/sys.h"

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"
#include "uringfs/status.h"

namespace uringfs {

// The part of `write` that is not done yet; returns the number of vectors.
int RemainingVectors(const Write& write, iovec vectors[Write::kMaxSegments]);

enum class Progress : uint8_t {
  kWhole,     // the write is done
  kContinue,  // issue the remainder
  kStuck,     // nothing was written, or too often less than a block
};

// Books a transfer of `bytes` on `write`. The remainder starts at a block
// again: what was written of the last one is written once more, identically,
// because O_DIRECT cannot go on in the middle of a block.
Progress BookTransfer(Write* write, uint32_t bytes);

class DirectFile {
 public:
  // Takes over `fd`. `direct_required`: O_DIRECT must never be dropped.
  DirectFile(Sys* sys, int fd, std::string path, bool direct,
             bool direct_required);
  ~DirectFile();
  DirectFile(const DirectFile&) = delete;
  DirectFile& operator=(const DirectFile&) = delete;

  int fd() const { return fd_; }
  // Relaxed: a statistic for other threads; the owner orders its own calls.
  bool direct() const { return direct_.load(std::memory_order_relaxed); }
  std::string reason() const;
  // Adds a sentence to reason(), once.
  void AddReason(const std::string& sentence);

  // Writes what is left of `write`, from done_bytes on, and sets its error:
  // EFBIG if the process's file size limit is in front of its last byte that is
  // not padding.
  void FinishByPwrite(Write* write);

  Status MakeDurable(SyncKind kind);
  Status Resize(uint64_t bytes);
  // THREADS: any, beside the owner; one call at a time.
  Status Extend(uint64_t from, uint64_t to);
  Status Allocate(uint64_t from, uint64_t to);
  Status Read(uint64_t offset, char* data, size_t bytes, size_t* got);
  // Without O_DIRECT, which the descriptor has no more until StopCaching.
  Status WriteCached(uint64_t offset, const char* data, size_t bytes);
  Status WriteBack();
  // To be called before a direct write.
  void StopCaching() {
    if (is_caching_) {
      SetDirectFlag(true);
    }
  }
  void SetLifetimeHint(int hint);

  // Tells the error of close(), which some file systems keep for it.
  // Idempotent.
  Status Close();

 private:
  // Acts on the table's verdict about `error`: true to try again.
  bool MayRetry(IoOp op, int error, uint32_t* attempts);
  // `write` is stuck with `bytes` behind done_bytes: asks the kernel for the
  // reason, which is told only where the transfer ended. True if it goes on.
  bool Unstick(Write* write, uint32_t bytes);
  // If it is only the padding of `write` that the file size limit forbids,
  // writes all but that, and sets the outcome. Else false, and nothing is done.
  bool FinishWithoutPadding(Write* write);
  // Turns O_DIRECT off until StopCaching. 0 or the errno.
  int StartCaching();
  int WriteWhole(uint64_t offset, const char* data, size_t bytes, int flags);
  Status Fallocate(int mode, uint64_t from, uint64_t to);
  Status WriteZeros(uint64_t from, uint64_t to);
  // Clears O_DIRECT. False if it was not set, must stay or cannot be cleared.
  bool DropDirect();
  bool SetDirectFlag(bool direct);

  Sys* const sys_;
  const std::string path_;
  const bool direct_required_;
  int fd_;
  std::atomic<bool> direct_;
  bool is_caching_ = false;  // O_DIRECT is off for a while
  Status close_status_;

  mutable Mutex reason_mutex_;
  std::string reason_ URINGFS_GUARDED_BY(reason_mutex_);
};

}  // namespace uringfs

#endif  // URINGFS_DEVICE_DIRECT_FILE_H_
