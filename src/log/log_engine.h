// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// LogEngine: ring, flusher and watermarks put together over one Device. The
// body of LogStore, whose header has the contract of every call here.
//
// Two gates: `flush_gate_` leads the flusher and the device's writes,
// `sync_gate_` leads device flushes. They are apart so that appends go on
// while the disk flushes. README.md has the order of these and all other locks.
// No thread waits for a writer's memcpy without letting that writer use the
// flush gate in between: the writer may need it to get space.
//
// With a shared ring (side_file.h) Flush only publishes how far the stream is
// filled; the drainer, and whoever syncs or closes, writes it out.
//
// A child of fork has a copy of this object and a descriptor of the same file,
// and nothing else that counts: there every call fails before it touches a
// lock or the file, and the destructor leaks what it must not free.

#ifndef URINGFS_LOG_LOG_ENGINE_H_
#define URINGFS_LOG_LOG_ENGINE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "src/base/aligned_buffer.h"
#include "src/base/mutex.h"
#include "src/base/shared_mutex.h"
#include "src/base/thread_annotations.h"
#include "src/device/open_device.h"
#include "src/log/drain_schedule.h"
#include "src/log/drainer.h"
#include "src/log/flusher.h"
#include "src/log/leader_gate.h"
#include "src/log/sync_probe.h"
#include "src/log/watermark.h"
#include "src/log/workspace.h"
#include "src/ring/flush_ring.h"
#include "src/side/side_file.h"

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
  SyncProbe* probe = nullptr;  // null: the one of the device
  // No thread looks after a shared ring: whoever made the log calls DrainTick.
  bool is_drained_by_hand = false;
};

class LogEngine final : public Drainable {
 public:
  static Status Open(const std::string& path, const LogOptions& options,
                     std::unique_ptr<LogEngine>* engine);

  // Over a device that is open already. REQUIRES: valid options.
  static Status OpenOn(LogParts parts, const std::string& path,
                       const LogOptions& options,
                       std::unique_ptr<LogEngine>* engine);

  ~LogEngine() override;
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
  uint64_t max_reservation_bytes() const;
  void SetWriteLifetimeHint(int hint);
  Status error() const;
  LogStats stats() const;
  IoChoice io_choice() const;
  const std::string& path() const { return path_; }
  uint64_t device_id() const { return identity_.device; }
  uint64_t inode() const { return identity_.inode; }

  // In a child of fork: it is to be leaked, see above.
  bool IsForeign() const;

  // For Reservation.
  void Leave(const ClaimPart& part);

  // For the drainer.
  bool DrainTick(std::chrono::steady_clock::time_point now) override;

 private:
  enum class State : uint8_t { kOpen, kFailed, kClosed };

  LogEngine(LogParts parts, const std::string& path, const LogOptions& options);

  char* RingMemory() const URINGFS_REQUIRES_SHARED(restart_mutex_);
  void StartDrain() URINGFS_REQUIRES(restart_mutex_, flush_gate_);

  Status CheckUsable() const;
  Status StartClaim(uint64_t bytes, Claim* claim);
  Status ContinueClaim(Claim* claim);
  void WaitForSpace();
  void FillParts(const Claim& claim, SliceReader* source);
  static void AddParts(const Claim& claim, Reservation::Body* body);
  void AbandonFrom(uint64_t begin);
  void Kick();
  uint64_t ReservedEnd() const;
  uint64_t ClaimedEnd() const URINGFS_REQUIRES_SHARED(restart_mutex_);
  void LeadFlush(uint64_t wanted, class Backoff* backoff)
      URINGFS_REQUIRES(flush_gate_);
  bool TryPublish(uint64_t offset) URINGFS_REQUIRES_SHARED(restart_mutex_);
  Status PublishTo(uint64_t offset) URINGFS_REQUIRES_SHARED(restart_mutex_);
  Status WriteTo(uint64_t offset) URINGFS_EXCLUDES(flush_gate_);
  Status FlushTo(uint64_t offset) URINGFS_REQUIRES_SHARED(restart_mutex_)
      URINGFS_EXCLUDES(flush_gate_);
  Status SyncUpTo(uint64_t offset, SyncKind kind)
      URINGFS_REQUIRES_SHARED(restart_mutex_)
          URINGFS_EXCLUDES(sync_gate_, flush_gate_);
  void LeadSync(SyncKind kind) URINGFS_REQUIRES(sync_gate_)
      URINGFS_EXCLUDES(flush_gate_);
  Status FlushDevice(SyncKind kind) URINGFS_EXCLUDES(device_flush_mutex_);
  void ExtendAhead() URINGFS_REQUIRES_SHARED(restart_mutex_)
      URINGFS_EXCLUDES(extend_mutex_, flush_gate_);
  uint64_t ExtensionEnd() const URINGFS_REQUIRES(flush_gate_);
  void FlushWindow() URINGFS_REQUIRES_SHARED(restart_mutex_)
      URINGFS_EXCLUDES(sync_gate_);
  void LeadSyncTo(uint64_t offset, SyncKind kind)
      URINGFS_REQUIRES_SHARED(restart_mutex_) URINGFS_REQUIRES(sync_gate_)
          URINGFS_EXCLUDES(flush_gate_);
  void LeadWriteAndSync(uint64_t offset, SyncKind kind)
      URINGFS_REQUIRES(sync_gate_) URINGFS_EXCLUDES(flush_gate_);
  bool MayWriteNow() const URINGFS_REQUIRES_SHARED(restart_mutex_);
  bool LeadWriteNow(uint64_t offset, SyncKind kind, SyncWay way,
                    bool* has_choice) URINGFS_REQUIRES(sync_gate_)
      URINGFS_EXCLUDES(flush_gate_);
  Status TruncateAlone(uint64_t size)
      URINGFS_REQUIRES(restart_mutex_, sync_gate_, flush_gate_);
  Status RestartAt(uint64_t offset, uint64_t physical)
      URINGFS_REQUIRES(restart_mutex_, flush_gate_);
  bool IsTooLong(uint64_t more_bytes) const;
  void TryGrow() URINGFS_EXCLUDES(restart_mutex_, flush_gate_);
  void GrowAlone() URINGFS_REQUIRES(restart_mutex_, flush_gate_);
  Status FindSide(std::unique_ptr<SideFile>* side) const;
  void StopGrowing() URINGFS_REQUIRES(restart_mutex_);
  template <class Done>
  Status PollUntil(std::chrono::steady_clock::time_point deadline,
                   const Done& done);
  bool TryWriteTo(uint64_t offset) URINGFS_EXCLUDES(flush_gate_);
  Status SettleAlone() URINGFS_REQUIRES(restart_mutex_, flush_gate_);
  void CloseAlone() URINGFS_REQUIRES(restart_mutex_, sync_gate_, flush_gate_);
  void CloseSide(uint64_t end, bool is_whole)
      URINGFS_REQUIRES(restart_mutex_, sync_gate_, flush_gate_);
  void Rescue() URINGFS_REQUIRES(restart_mutex_)
      URINGFS_EXCLUDES(sync_gate_, flush_gate_);
  void RescueAlone() URINGFS_REQUIRES(restart_mutex_, sync_gate_, flush_gate_);
  IoChoice ChoiceNow() const URINGFS_REQUIRES(flush_gate_);
  bool HasSideNow() const URINGFS_REQUIRES(flush_gate_);
  void Fail(const Status& status) URINGFS_EXCLUDES(error_mutex_);
  // In the body of both gates, with restart_mutex_ held alone.
  void AssertAlone() const
      URINGFS_ASSERT_CAPABILITY(restart_mutex_, sync_gate_, flush_gate_) {}
  // For checksums(), counters() and corrupt_from(), which are any thread's.
  Flusher* FlusherForAny() URINGFS_NO_THREAD_SAFETY_ANALYSIS {
    return &flusher_;
  }
  const Flusher& FlusherForAny() const URINGFS_NO_THREAD_SAFETY_ANALYSIS {
    return flusher_;
  }

  // Constant after construction, but for what is guarded.
  const std::string path_;
  const LogOptions options_;
  const FileIdentity identity_;
  const uint32_t forks_;  // see IsForeign()
  std::unique_ptr<Workspace> workspace_;
  // Null: the ring is private. Changed by who holds restart_mutex_ alone and
  // leads the flush gate.
  std::unique_ptr<SideFile> side_ URINGFS_GUARDED_BY(restart_mutex_);
  // The same behind SettleForGood: memory of the ring, nothing else.
  std::unique_ptr<SideFile> spent_side_ URINGFS_GUARDED_BY(flush_gate_);
  AlignedBuffer fallback_ring_ URINGFS_GUARDED_BY(restart_mutex_);
  std::string ring_reason_ URINGFS_GUARDED_BY(flush_gate_);
  std::unique_ptr<Device> device_;
  SyncProbe* const probe_;
  FlushRing<> ring_;

  // Its leader owns the flusher and moves `written_`.
  mutable LeaderGate flush_gate_ URINGFS_ACQUIRED_BEFORE(error_mutex_);
  Watermark written_;
  Flusher flusher_ URINGFS_GUARDED_BY(flush_gate_);

  // See FlushDevice.
  Mutex device_flush_mutex_ URINGFS_ACQUIRED_BEFORE(error_mutex_);

  // Its leader moves `stable_` and `metadata_stable_`.
  LeaderGate sync_gate_ URINGFS_ACQUIRED_BEFORE(flush_gate_,
                                                device_flush_mutex_);
  Watermark stable_;
  // The file's own state (it exists, its size was set) has versions as well:
  // a sync is needed even where all bytes are stable. The version is raised by
  // whoever changes that state.
  std::atomic<uint64_t> metadata_version_{1};
  std::atomic<uint64_t> metadata_stable_{0};

  // Shared by calls that wait for an offset, taken alone by those that make
  // offsets meaningless (Truncate, Close) or change where the ring lives.
  SharedMutex restart_mutex_ URINGFS_ACQUIRED_BEFORE(extend_mutex_, sync_gate_);
  // Odd while the ring restarts; see ReservedEnd().
  std::atomic<uint64_t> restarts_{0};

  // A private ring that is to become a shared one; see log_grow.cc.
  std::atomic<bool> is_small_{false};
  std::unique_ptr<SideFile> next_side_ URINGFS_GUARDED_BY(restart_mutex_);
  // Null without a shared ring or without a thread.
  Drainer* drainer_ URINGFS_GUARDED_BY(restart_mutex_) = nullptr;
  const bool is_drained_by_hand_;
  DrainSchedule schedule_;  // the drainer's
  // While zeros are written ahead.
  Mutex extend_mutex_ URINGFS_ACQUIRED_BEFORE(sync_gate_);
  uint64_t syncs_at_extension_ = 0;  // the drainer's
  bool is_extended_ = false;         // the drainer's
  bool may_extend_ URINGFS_GUARDED_BY(extend_mutex_) = true;

  // What was written of a log that had failed; see RescueAlone.
  uint64_t rescued_end_ URINGFS_GUARDED_BY(sync_gate_)
      URINGFS_GUARDED_BY(flush_gate_) = 0;

  // Any thread.
  std::atomic<bool> flushes_to_file_{false};  // see LeaveSideFile
  std::atomic<State> state_{State::kOpen};
  // Begin of the first append that failed: nothing from there on counts.
  std::atomic<uint64_t> abandoned_{UINT64_MAX};
  mutable Mutex error_mutex_;
  Status error_ URINGFS_GUARDED_BY(error_mutex_);
  Status close_status_ URINGFS_GUARDED_BY(error_mutex_);
  // Set when closed.
  IoChoice last_choice_ URINGFS_GUARDED_BY(error_mutex_);

  std::atomic<uint64_t> end_when_closed_{0};
  std::atomic<uint64_t> appends_{0};
  std::atomic<uint64_t> appended_bytes_{0};
  std::atomic<uint64_t> flushes_{0};
  std::atomic<uint64_t> syncs_{0};
  std::atomic<uint64_t> device_flushes_{0};
  std::atomic<uint64_t> durable_writes_{0};
  std::atomic<uint64_t> stable_advances_{0};
  std::atomic<uint64_t> extensions_{0};
  std::atomic<uint64_t> extended_bytes_{0};
  std::atomic<uint64_t> space_waits_{0};
};

struct Reservation::Body {
  LogEngine* engine = nullptr;
  uint64_t offset = 0;
  std::unique_ptr<ClaimPart[]> parts;
  size_t part_count = 0;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_LOG_ENGINE_H_
