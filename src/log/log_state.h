// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// LogState: whether a log can be used, how it failed or closed, and from where
// on its bytes do not count. The first error is the log's for good.
//
// A child of fork has a copy of the log and nothing else that counts: there
// every call is refused before it touches a lock or the file.
//
// THREADS: any.

#ifndef URINGFS_LOG_LOG_STATE_H_
#define URINGFS_LOG_LOG_STATE_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"
#include "uringfs/options.h"
#include "uringfs/status.h"

namespace uringfs {

class LogState {
 public:
  explicit LogState(std::string path);
  LogState(const LogState&) = delete;
  LogState& operator=(const LogState&) = delete;

  const std::string& path() const { return path_; }

  // Errors: the log's own, if it has failed; Closed; NotSupported in a child of
  // fork.
  Status CheckUsable() const;
  bool is_open() const { return Load() == State::kOpen; }
  bool is_closed() const { return Load() == State::kClosed; }
  // In a child of fork: the log is to be leaked.
  bool IsForeign() const;

  // The first error counts, others are forgotten.
  void Fail(const Status& error) URINGFS_EXCLUDES(mutex_);
  void FailUnlessOk(const Status& status) {
    if (!status.ok()) {
      Fail(status);
    }
  }
  // OK if it has not failed.
  Status error() const URINGFS_EXCLUDES(mutex_);

  // Nothing counts from `begin` on, though the device may have taken some of
  // it: Close cuts the file there.
  void AbandonFrom(uint64_t begin);
  // UINT64_MAX: all counts.
  uint64_t abandoned() const {
    // acquire: partner of the release in AbandonFrom().
    return abandoned_.load(std::memory_order_acquire);
  }

  // The file has its last size, `size`; `status` is what Close answers unless
  // the log has failed.
  void Close(const Status& status, uint64_t size, const IoChoice& choice)
      URINGFS_EXCLUDES(mutex_);
  // REQUIRES: is_closed().
  Status close_status() const URINGFS_EXCLUDES(mutex_);
  IoChoice last_choice() const URINGFS_EXCLUDES(mutex_);
  uint64_t last_size() const {
    return last_size_.load(std::memory_order_relaxed);
  }

 private:
  enum class State : uint8_t { kOpen, kFailed, kClosed };

  // acquire: partner of the releases in Fail() and Close().
  State Load() const { return state_.load(std::memory_order_acquire); }

  const std::string path_;
  const uint32_t forks_;
  std::atomic<State> state_{State::kOpen};
  std::atomic<uint64_t> abandoned_{UINT64_MAX};
  std::atomic<uint64_t> last_size_{0};
  mutable Mutex mutex_;
  Status error_ URINGFS_GUARDED_BY(mutex_);
  Status close_status_ URINGFS_GUARDED_BY(mutex_);
  IoChoice last_choice_ URINGFS_GUARDED_BY(mutex_);
};

}  // namespace uringfs

#endif  // URINGFS_LOG_LOG_STATE_H_
