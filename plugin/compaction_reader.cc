// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "compaction_reader.h"

#include <rocksdb/env.h>

#include <algorithm>
#include <utility>

#include "file_policy.h"
#include "page_cache.h"

namespace uringfs {
namespace {

using Clock = std::chrono::steady_clock;

struct LastRead {
  uint64_t streams = 0;  // whose; 0: of no cold file
  Clock::time_point at;
};
thread_local LastRead last_read;

// A thread that has read nothing for a compaction for so long may be at work
// for something else.
constexpr auto kMoment = std::chrono::seconds(1);
// The page cache is asked that often for a table.
constexpr auto kNextLook = std::chrono::seconds(1);

// Nobody who is at work waits that long between two reads.
constexpr auto kIdle = std::chrono::milliseconds(100);
// What refused a stream may have passed by then.
constexpr auto kNextTry = std::chrono::milliseconds(500);
// So much, read one behind the other, is worth the windows; or a read of that
// much that begins where the file does.
constexpr uint64_t kWorthIt = uint64_t{64} << 10;
// What a lane that is read ahead may leave out.
constexpr uint64_t kGap = uint64_t{64} << 10;
// With fewer windows the device would wait for the reader.
constexpr uint32_t kFewWindows = 4;

// Whether no flush or compaction reads. RocksDB says who does since 8.3;
// before, and where it does not, jobs have a priority and users have none.
bool IsUserRead(const rdb::IOOptions& options) {
#if URINGFS_ROCKSDB_GE(8, 3)
  using Activity = rdb::Env::IOActivity;
  if (options.io_activity != Activity::kUnknown) {
    return options.io_activity != Activity::kCompaction &&
           options.io_activity != Activity::kFlush;
  }
#endif
  return options.rate_limiter_priority == rdb::Env::IO_TOTAL;
}

// As many as have all of a read of that size ahead of it. RocksDB's own
// read-ahead asks for some MiB and one block: with windows for the MiB alone
// each read would wait for its last block.
uint32_t WindowsFor(size_t bytes) {
  return static_cast<uint32_t>(
      std::clamp<uint64_t>(bytes / ReadStreams::kWindowBytes + 2,
                           ReadStreams::kWindows, ReadStreams::kMaxWindows));
}

}  // namespace

bool IsStill(const std::string& path, const struct stat& file) {
  struct stat now = {};
  return ::stat(path.c_str(), &now) == 0 && now.st_dev == file.st_dev &&
         now.st_ino == file.st_ino && now.st_size == file.st_size &&
         now.st_mtim.tv_sec == file.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == file.st_mtim.tv_nsec;
}

// An address may be used again.
uint64_t ReadStreams::NextId() {
  static std::atomic<uint64_t> last{0};  // relaxed: nothing else is known by it
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void ReadStreams::ReadHere(bool is_cold, Clock::time_point now) const {
  last_read = {is_cold ? id_ : 0, now};
}

bool ReadStreams::ReadsColdHere() const {
  return last_read.streams == id_ && Clock::now() - last_read.at < kMoment;
}

BufferShare ReadStreams::Take(uint32_t windows) {
  BufferShare memory = budget_.Take(max_bytes_, kWindowBytes, windows);
  return memory.count() < kFewWindows ? BufferShare() : std::move(memory);
}

bool ReadStreams::Open(const std::string& path, size_t bytes,
                       const std::shared_ptr<ReadStream>& stream) {
  const uint32_t windows = WindowsFor(bytes);
  BufferShare memory = Take(windows);
  if (memory.count() == 0) {
    Reclaim();
    memory = Take(windows);
  }
  if (memory.count() == 0 ||
      !ReadAhead::Open(path, kWindowBytes, memory.count(), &stream->ahead)
           .ok()) {
    return false;
  }
  stream->memory = std::move(memory);
  const MutexLock lock(&mutex_);
  open_.erase(std::remove_if(open_.begin(), open_.end(),
                             [](const auto& entry) { return entry.expired(); }),
              open_.end());
  open_.push_back(stream);
  return true;
}

// (The stream that it is done for is not among them: it is not open.)
void ReadStreams::Reclaim() {
  const MutexLock lock(&mutex_);
  std::shared_ptr<ReadStream> oldest;
  Clock::time_point oldest_use = Clock::now() - kIdle;
  for (const std::weak_ptr<ReadStream>& entry : open_) {
    std::shared_ptr<ReadStream> stream = entry.lock();
    if (stream == nullptr) {
      continue;
    }
    if (!stream->mutex.TryLock()) {
      continue;
    }
    const MutexLock held(&stream->mutex, std::adopt_lock);
    if (stream->ahead != nullptr && stream->last_use < oldest_use) {
      oldest_use = stream->last_use;
      oldest = stream;
    }
  }
  if (oldest == nullptr || !oldest->mutex.TryLock()) {
    return;
  }
  const MutexLock held(&oldest->mutex, std::adopt_lock);
  oldest->Close();
  open_.erase(
      std::remove_if(open_.begin(), open_.end(),
                     [&](const auto& entry) { return entry.lock() == oldest; }),
      open_.end());
}

CompactionReader::CompactionReader(
    std::unique_ptr<rdb::FSRandomAccessFile>&& base, std::string path,
    const struct stat& file, std::shared_ptr<ReadStreams> streams)
    : FSRandomAccessFileOwnerWrapper(std::move(base)),
      path_(std::move(path)),
      file_(file),
      streams_(std::move(streams)) {}

bool CompactionReader::IsCached(Clock::time_point now) const {
  if (now.time_since_epoch().count() >=
      look_after_.load(std::memory_order_relaxed)) {
    is_cached_.store(IsInPageCache(path_), std::memory_order_relaxed);
    look_after_.store((now + kNextLook).time_since_epoch().count(),
                      std::memory_order_relaxed);
  }
  return is_cached_.load(std::memory_order_relaxed);
}

bool CompactionReader::IsForStream(const rdb::IOOptions& options) const {
#if URINGFS_ROCKSDB_GE(9, 0)
  // RocksDB found a wrong checksum, and wants another try by other means.
  if (options.verify_and_reconstruct_read) {
    return false;
  }
#endif
  if (IsUserRead(options)) {
    return false;
  }
  const Clock::time_point now = Clock::now();
  const bool is_cold = !IsCached(now);
  // Values of blob files are as they are; what is written follows the keys.
  if (!IsBlobName(path_)) {
    streams_->ReadHere(is_cold, now);
  }
  return is_cold && !is_hopeless_.load(std::memory_order_relaxed);
}

rdb::IOStatus CompactionReader::Read(uint64_t offset, size_t n,
                                     const rdb::IOOptions& options,
                                     rdb::Slice* result, char* scratch,
                                     rdb::IODebugContext* dbg) const {
  if (IsForStream(options)) {
    Lane* const lane = TakeLane(offset, n);
    size_t got = 0;
    const bool is_read =
        lane != nullptr && ReadAheadIn(lane, offset, n, scratch, &got);
    if (lane != nullptr) {
      GiveBack(lane);
    }
    if (is_read) {
      *result = rdb::Slice(scratch, got);
      return rdb::IOStatus::OK();
    }
  }
  return target()->Read(offset, n, options, result, scratch, dbg);
}

rdb::IOStatus CompactionReader::Prefetch(uint64_t offset, size_t n,
                                         const rdb::IOOptions& options,
                                         rdb::IODebugContext* dbg) {
  // One up to the very end is for somebody who opens the table, and reads here
  // and there.
  const bool is_of_a_run = n >= kWorthIt && offset + n != size();
  if (is_of_a_run && IsForStream(options)) {
    Lane* const lane = ExpectLane(offset);
    if (lane != nullptr && Announce(lane, n)) {
      return rdb::IOStatus::OK();
    }
  }
  return target()->Prefetch(offset, n, options, dbg);
}

CompactionReader::Lane* CompactionReader::ExpectLane(uint64_t offset) const {
  const MutexLock lock(&mutex_);
  Lane* lane = LaneFor(offset);
  lane = lane != nullptr ? lane : FreeLane();
  if (lane != nullptr) {
    lane->expected = offset;
    lane->went_on = kWorthIt;
    lane->last_use = ++reads_;
    lane->is_busy = true;
  }
  return lane;
}

bool CompactionReader::Announce(Lane* lane, size_t n) const {
  bool is_open = false;
  {
    const std::shared_ptr<ReadStream>& stream = lane->stream;
    const MutexLock lock(&stream->mutex);
    is_open = OpenIn(lane, stream, n);
  }
  GiveBack(lane);
  return is_open;
}

CompactionReader::Lane* CompactionReader::LaneFor(uint64_t offset) const {
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    const uint64_t gap = lane->went_on >= kWorthIt ? kGap : 0;
    if (!lane->is_busy && lane->expected <= offset &&
        offset - lane->expected <= gap) {
      return lane.get();
    }
  }
  return nullptr;
}

CompactionReader::Lane* CompactionReader::FreeLane() const {
  if (lanes_.size() < kMaxLanes) {
    return lanes_.emplace_back(std::make_unique<Lane>()).get();
  }
  Lane* oldest = nullptr;
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    if (!lane->is_busy &&
        (oldest == nullptr || lane->last_use < oldest->last_use)) {
      oldest = lane.get();
    }
  }
  return oldest;
}

CompactionReader::Lane* CompactionReader::TakeLane(uint64_t offset,
                                                   size_t n) const {
  const MutexLock lock(&mutex_);
  ++reads_;
  Lane* lane = LaneFor(offset);
  if (lane == nullptr) {
    lane = FreeLane();
    if (lane == nullptr) {
      return nullptr;
    }
    // One read alone is no run, however long it is.
    lane->went_on = offset == 0 && n >= kWorthIt ? kWorthIt : 0;
  } else {
    lane->went_on += n;
  }
  const bool is_worth_it = lane->went_on >= kWorthIt;
  lane->expected = offset + n;
  lane->last_use = reads_;
  lane->is_busy = is_worth_it;
  return is_worth_it ? lane : nullptr;
}

void CompactionReader::GiveBack(Lane* lane) const {
  const MutexLock lock(&mutex_);
  lane->is_busy = false;
}

bool CompactionReader::OpenIn(Lane* lane,
                              const std::shared_ptr<ReadStream>& stream,
                              size_t n) const {
  const Clock::time_point now = Clock::now();
  if (stream->ahead == nullptr) {
    if (now < lane->no_try_before) {
      return false;
    }
    if (!streams_->Open(path_, n, stream)) {
      lane->no_try_before = now + kNextTry;
      return false;
    }
    // Nobody replaces a table; if somebody did all the same, the reader that
    // is open and its path would not be the same file.
    is_hopeless_.store(!IsStill(path_, file_), std::memory_order_relaxed);
  }
  stream->last_use = now;
  return true;
}

bool CompactionReader::ReadAheadIn(Lane* lane, uint64_t offset, size_t n,
                                   char* scratch, size_t* got) const {
  const std::shared_ptr<ReadStream>& stream = lane->stream;
  const MutexLock lock(&stream->mutex);
  if (!OpenIn(lane, stream, n)) {
    return false;
  }
  const uint64_t before = stream->ahead->device_bytes();
  const bool is_good = !is_hopeless_ &&
                       stream->ahead->Read(offset, n, scratch, got).ok() &&
                       (*got == n || offset + *got == size());
  if (stream->ahead->device_bytes() != before) {
    streams_->stats()->ReadAhead(stream->ahead->device_bytes() - before);
  }
  if (!is_good) {
    // Errors are the base's to tell.
    is_hopeless_.store(true, std::memory_order_relaxed);
    stream->Close();
  }
  return is_good;
}

}  // namespace uringfs
