// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// LogEngine: the body of LogStore, whose header has the contract of each call.
// It puts together what has one job each: the ring, WritePath (ring to file),
// SyncPath (what is durable), ZerosAhead, LogState (errors and the end), and
// with a shared ring the SideFile.
//
// With a shared ring Flush only publishes how far the stream is filled; the
// draining thread, and whoever syncs or closes, writes it out.
//
// It has more methods than other classes: LogStore has one for each thing that
// users do with a log, and each of them is a few lines over the parts.

#ifndef URINGFS_LOG_LOG_ENGINE_H_
#define URINGFS_LOG_LOG_ENGINE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "src/base/aligned_buffer.h"
#include "src/base/shared_mutex.h"
#include "src/device/open_device.h"
#include "src/log/drain_schedule.h"
#include "src/log/log_state.h"
#include "src/log/sync_path.h"
#include "src/log/sync_schedule.h"
#include "src/log/ticker.h"
#include "src/log/workspace.h"
#include "src/log/write_path.h"
#include "src/log/zeros_ahead.h"
#include "src/ring/flush_ring.h"
#include "src/side/side_file.h"

#include "uringfs/internal/thread_annotations.h"
#include "uringfs/log_store.h"

namespace uringfs {

class SliceReader;

// What a log is made of.
struct LogParts {
  OpenedDevice opened;
  std::unique_ptr<Workspace> workspace;
  // At most one of these holds the ring; if none does the workspace does.
  std::unique_ptr<SideFile> side;
  AlignedBuffer fallback_ring;
  std::string ring_reason;     // why the ring is not shared though it should be
  bool starts_small = false;   // see log_grow.cc
  bool is_cached = false;      // each flush goes through the page cache
  SyncProbe* probe = nullptr;  // null: the one of the device
  // No thread looks after the log: whoever made it calls DrainTick and
  // SyncTick.
  bool is_ticked_by_hand = false;
};

class LogEngine final {
 public:
  static Status Open(const std::string& path, const LogOptions& options,
                     std::unique_ptr<LogEngine>* engine);

  // Over a device that is open already. REQUIRES: valid options.
  static Status OpenOn(LogParts parts, const std::string& path,
                       const LogOptions& options,
                       std::unique_ptr<LogEngine>* engine);

  ~LogEngine();
  LogEngine(const LogEngine&) = delete;
  LogEngine& operator=(const LogEngine&) = delete;

  // `crc32c`: of all slices; null: not known.
  Status AppendBatch(const std::string_view* slices, size_t count,
                     uint64_t* offset, const uint32_t* crc32c = nullptr);
  Status Reserve(uint64_t bytes, Reservation* reservation);
  Status Flush();
  Status WriteOut();
  Status LeaveSideFile();
  Status SyncTo(uint64_t offset, SyncKind kind);
  Status Sync(SyncKind kind = SyncKind::kData);
  Status Settle();
  Status SettleForGood(std::chrono::milliseconds limit);
  Status Truncate(uint64_t size);
  Status Close();

  uint64_t size() const;
  uint64_t hi_written() const;
  uint64_t hi_stable() const;
  uint64_t hi_flushed() const;
  uint64_t max_reservation_bytes() const;
  void SetWriteLifetimeHint(int hint);
  Status error() const { return state_.error(); }
  LogStats stats() const;
  IoChoice io_choice() const;
  const std::string& path() const { return state_.path(); }
  uint64_t device_id() const { return identity_.device; }
  uint64_t inode() const { return identity_.inode; }

  // In a child of fork: it is to be leaked.
  bool IsForeign() const { return state_.IsForeign(); }

  // For Reservation.
  void Leave(const ClaimPart& part);

  // For the background threads. False: nothing is left to be done.
  bool DrainTick(const Ticker::Tick& tick);
  bool SyncTick(const Ticker::Tick& tick);

 private:
  LogEngine(LogParts parts, const std::string& path, const LogOptions& options);

  // log_append.cc
  Status StartClaim(uint64_t bytes, Claim* claim);
  Status ContinueClaim(Claim* claim);
  void WaitForSpace();
  void FillParts(const Claim& claim, SliceReader* source);
  static void AddParts(const Claim& claim, Reservation::Body* body);
  uint64_t ReservedEnd() const;
  uint64_t ClaimedEnd() const URINGFS_REQUIRES_SHARED(restart_mutex_);

  // log_publish.cc
  bool IsFilled(uint64_t known, uint64_t offset) const;
  bool TryPublish(uint64_t offset) URINGFS_REQUIRES_SHARED(restart_mutex_);
  Status MakeNameDurable();
  void SyncInTime(uint64_t flushed) URINGFS_REQUIRES_SHARED(restart_mutex_);
  void NoteUnstable(std::chrono::nanoseconds waited);
  uint64_t FlushedEnd() const URINGFS_REQUIRES_SHARED(restart_mutex_);
  Status PublishTo(uint64_t offset) URINGFS_REQUIRES_SHARED(restart_mutex_);
  Status WriteOutTo(uint64_t offset) URINGFS_REQUIRES_SHARED(restart_mutex_);
  bool IsPublishedOnly() const URINGFS_REQUIRES_SHARED(restart_mutex_);
  Status SyncUpTo(uint64_t offset, SyncKind kind)
      URINGFS_REQUIRES_SHARED(restart_mutex_);
  void Drain(uint64_t wanted);
  // Who copies the files twice, the second time what has another time or size,
  // must see that the side file has changed: stores do not tell.
  void TouchIfChanged(uint64_t filled) URINGFS_REQUIRES_SHARED(restart_mutex_);

  // log_grow.cc
  bool IsTooLong(uint64_t more_bytes) const;
  void TryGrow() URINGFS_EXCLUDES(restart_mutex_);
  void GrowAlone(Flusher* flusher) URINGFS_REQUIRES(restart_mutex_, gate());
  bool FindNextSide() URINGFS_REQUIRES(restart_mutex_, gate());
  void StopGrowing() URINGFS_REQUIRES(restart_mutex_);

  // log_close.cc
  template <class Body>
  void RunAlone(const Body& body) URINGFS_REQUIRES(restart_mutex_);
  void CloseAlone(Flusher* flusher) URINGFS_REQUIRES(restart_mutex_, gate());
  void CloseSide(Flusher* flusher, uint64_t end, bool is_whole)
      URINGFS_REQUIRES(restart_mutex_, gate());
  bool FindKeptEnd(uint64_t* end) const;
  Status KeepPromises(const Status& error, bool durably)
      URINGFS_EXCLUDES(restart_mutex_);
  void Rescue(Flusher* flusher) URINGFS_REQUIRES(restart_mutex_, gate());
  Status RescueTo(Flusher* flusher, uint64_t end)
      URINGFS_REQUIRES(restart_mutex_, gate());
  template <class Done>
  Status PollUntil(std::chrono::steady_clock::time_point deadline,
                   const Done& done);
  bool OwesOrder();
  Status CutAlone(Flusher* flusher) URINGFS_REQUIRES(gate());
  void LeaveSideAlone(Flusher* flusher)
      URINGFS_REQUIRES(restart_mutex_, gate());
  Status SettleAlone(Flusher* flusher) URINGFS_REQUIRES(restart_mutex_, gate());

  // log_engine.cc
  char* RingMemory() const URINGFS_REQUIRES_SHARED(restart_mutex_);
  void StartDrain() URINGFS_REQUIRES(restart_mutex_, gate());
  Status StartSyncs() URINGFS_REQUIRES(restart_mutex_);
  Status TruncateAlone(Flusher* flusher, uint64_t size)
      URINGFS_REQUIRES(restart_mutex_, gate());
  Status RestartAt(Flusher* flusher, uint64_t offset, uint64_t physical)
      URINGFS_REQUIRES(restart_mutex_, gate());
  IoChoice ChoiceNow() const URINGFS_REQUIRES(gate());
  bool HasSideNow() const URINGFS_REQUIRES(gate());
  LeaderGate* gate() const URINGFS_RETURN_CAPABILITY(writes_.gate()) {
    return writes_.gate();
  }

  // Constant after construction, but for what is guarded.
  const LogOptions options_;
  const FileIdentity identity_;
  LogState state_;
  std::unique_ptr<Workspace> workspace_;
  // Null: the ring is private. Changed by who holds restart_mutex_ alone and
  // leads the writes.
  std::unique_ptr<SideFile> side_ URINGFS_GUARDED_BY(restart_mutex_);
  // The same behind LeaveSideFile and SettleForGood: memory of the ring, and
  // its name, nothing else.
  std::unique_ptr<SideFile> spent_side_ URINGFS_GUARDED_BY(gate());
  // Of a private ring that is to become a shared one; see log_grow.cc.
  std::unique_ptr<SideFile> next_side_ URINGFS_GUARDED_BY(restart_mutex_);
  AlignedBuffer fallback_ring_ URINGFS_GUARDED_BY(restart_mutex_);
  std::string ring_reason_ URINGFS_GUARDED_BY(gate());
  std::unique_ptr<Device> device_;
  FlushRing<> ring_;

  WritePath writes_;
  SyncPath syncs_;
  ZerosAhead zeros_;

  // Shared by calls that wait for an offset, taken alone by those that make
  // offsets meaningless (Truncate, Close) or change where the ring lives.
  // Nobody takes it who leads one of the gates.
  mutable SharedMutex restart_mutex_ URINGFS_ACQUIRED_BEFORE(gate());
  // Odd while the ring restarts; see ReservedEnd().
  std::atomic<uint64_t> restarts_{0};
  std::atomic<bool> is_small_{false};     // see log_grow.cc
  std::atomic<bool> stays_exact_{false};  // see LeaveSideAlone

  // Null without a shared ring or without a thread.
  Ticker* drainer_ URINGFS_GUARDED_BY(restart_mutex_) = nullptr;
  // Null unless flushed bytes are to be durable within a time.
  Ticker* syncer_ URINGFS_GUARDED_BY(restart_mutex_) = nullptr;
  std::atomic<uint64_t> flush_marks_{0};  // with syncer_: flushes
  const bool is_ticked_by_hand_;
  const Ticker::Look drain_look_;
  const Ticker::Look sync_look_;
  DrainSchedule drain_schedule_;  // of the thread that drains
  // Of the thread that syncs. The name of the file is durable, too.
  SyncSchedule sync_schedule_;
  bool is_name_durable_ = false;
  // The first thread's: what was published when the side file was touched last.
  uint64_t touched_filled_ = 0;

  // What was written of a log that had failed; see Rescue.
  std::atomic<uint64_t> rescued_end_{0};

  struct Counters {
    std::atomic<uint64_t> appends{0};
    std::atomic<uint64_t> appended_bytes{0};
    std::atomic<uint64_t> flushes{0};
    std::atomic<uint64_t> syncs{0};
    std::atomic<uint64_t> space_waits{0};
    std::atomic<uint64_t> late_syncs{0};
    std::atomic<uint64_t> max_unstable_us{0};
  };
  Counters counters_;
};

struct Reservation::Body {
  LogEngine* engine = nullptr;
  uint64_t offset = 0;
  std::unique_ptr<ClaimPart[]> parts;
  size_t part_count = 0;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_LOG_ENGINE_H_
