// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// LogEngine: ring, flusher and watermarks put together over one Device. The
// body of LogStore, whose header has the contract of every call here.
//
// Two gates: `flush_gate_` leads the flusher and the device's writes,
// `sync_gate_` leads device flushes. They are apart so that appends go on
// while the disk flushes. Order of taking: sync_gate_ before flush_gate_.
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
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "src/base/aligned_buffer.h"
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

  char* RingMemory() const;
  void StartDrain();

  Status CheckUsable() const;
  Status StartClaim(uint64_t bytes, Claim* claim);
  Status ContinueClaim(Claim* claim);
  void WaitForSpace();
  void FillParts(const Claim& claim, SliceReader* source);
  static void AddParts(const Claim& claim, Reservation::Body* body);
  void AbandonFrom(uint64_t begin);
  void Kick();
  uint64_t ReservedEnd() const;
  uint64_t ClaimedEnd() const;
  void LeadFlush(uint64_t wanted, class Backoff* backoff);
  bool TryPublish(uint64_t offset);
  Status PublishTo(uint64_t offset);
  Status WriteTo(uint64_t offset);
  Status FlushTo(uint64_t offset);
  Status SyncUpTo(uint64_t offset, SyncKind kind);
  void LeadSync(SyncKind kind);
  Status FlushDevice(SyncKind kind);
  void ExtendAhead();
  uint64_t ExtensionEnd() const;
  void FlushWindow();
  void LeadSyncTo(uint64_t offset, SyncKind kind);
  void LeadWriteAndSync(uint64_t offset, SyncKind kind);
  bool MayWriteNow() const;
  bool LeadWriteNow(uint64_t offset, SyncKind kind, SyncWay way,
                    bool* has_choice);
  Status TruncateAlone(uint64_t size);
  Status RestartAt(uint64_t offset, uint64_t physical);
  bool IsTooLong(uint64_t more_bytes) const;
  void TryGrow();
  void GrowAlone();
  Status FindSide(std::unique_ptr<SideFile>* side) const;
  void StopGrowing();
  template <class Done>
  Status PollUntil(std::chrono::steady_clock::time_point deadline,
                   const Done& done);
  bool TryWriteTo(uint64_t offset);
  Status SettleAlone();
  void CloseAlone();
  void CloseSide(uint64_t end, bool is_whole);
  void Rescue();
  void RescueAlone();
  IoChoice ChoiceNow() const;
  void Fail(const Status& status);

  // Constant after construction, but for RestartAt, TryGrow, SettleForGood.
  const std::string path_;
  const LogOptions options_;
  const FileIdentity identity_;
  const uint32_t forks_;  // see IsForeign()
  std::unique_ptr<Workspace> workspace_;
  // Null: the ring is private.
  std::unique_ptr<SideFile> side_;
  // The same behind SettleForGood: memory of the ring, nothing else.
  std::unique_ptr<SideFile> spent_side_;
  AlignedBuffer fallback_ring_;
  std::string ring_reason_;
  std::unique_ptr<Device> device_;
  SyncProbe* const probe_;
  FlushRing<> ring_;

  // Owned by the leader of flush_gate_.
  mutable LeaderGate flush_gate_;
  Watermark written_;
  Flusher flusher_;

  std::mutex device_flush_mutex_;  // see FlushDevice; the last to be taken

  // Owned by the leader of sync_gate_.
  LeaderGate sync_gate_;
  Watermark stable_;
  // The file's own state (it exists, its size was set) has versions as well:
  // a sync is needed even where all bytes are stable.
  std::atomic<uint64_t> metadata_version_{1};
  std::atomic<uint64_t> metadata_stable_{0};

  // Shared by calls that wait for an offset, taken alone by those that make
  // offsets meaningless: Truncate and Close. Before both gates.
  std::shared_mutex restart_mutex_;
  // Odd while the ring restarts; see ReservedEnd().
  std::atomic<uint64_t> restarts_{0};

  // A private ring that is to become a shared one; see log_grow.cc.
  std::atomic<bool> is_small_{false};
  std::unique_ptr<SideFile> next_side_;  // guarded by restart_mutex_
  // Null without a shared ring or without a thread. Guarded by restart_mutex_.
  Drainer* drainer_ = nullptr;
  const bool is_drained_by_hand_;
  DrainSchedule schedule_;  // the drainer's
  // While zeros are written ahead. Before both gates.
  std::mutex extend_mutex_;
  uint64_t syncs_at_extension_ = 0;  // the drainer's
  bool is_extended_ = false;         // the drainer's
  bool may_extend_ = true;           // guarded by extend_mutex_

  // What was written of a log that had failed; see RescueAlone. Guarded by
  // both gates.
  uint64_t rescued_end_ = 0;

  // Any thread.
  std::atomic<bool> flushes_to_file_{false};  // see LeaveSideFile
  std::atomic<State> state_{State::kOpen};
  // Begin of the first append that failed: nothing from there on counts.
  std::atomic<uint64_t> abandoned_{UINT64_MAX};
  mutable std::mutex error_mutex_;
  Status error_;          // guarded by error_mutex_
  Status close_status_;   // guarded by error_mutex_
  IoChoice last_choice_;  // guarded by error_mutex_, set when closed

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
