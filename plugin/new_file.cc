// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// How UringFileSystem makes the files it writes.

#include <unistd.h>
#include <uringfs/rocksdb_wal.h>

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "base_file.h"
#include "file_policy.h"
#include "file_system.h"
#include "io_status.h"
#include "live_file.h"
#include "writable_file.h"

namespace uringfs {

LogOptions UringFileSystem::OptionsOf(const std::string& path, FileKind kind,
                                      const rdb::FileOptions& options) const {
  if (kind != FileKind::kWal) {
    return DataLogOptions(options_);
  }
  LogOptions log = WalLogOptions(options_);
  if (!IsWalName(path)) {
    // By another name nobody would look for its side file.
    log = WithoutSideFile(log);
  }
  if (options_.wal_preextend == WalPreextend::kAuto && !EndMayBeTorn(options)) {
    log.max_extend_bytes = 0;
  }
  return log;
}

// Posix leaves all that it writes in there, and who reads fresh data relies on
// it. What a compaction writes is as what it reads: if that was not in there,
// it does not belong there. Values in blob files are large, and their keys are
// in tables: few are read soon.
bool UringFileSystem::GoesThroughCache(const std::string& path,
                                       const rdb::FileOptions& options) const {
  if (options_.direct_io != DirectIo::kOptional || IsToBeDirect(options)) {
    return false;
  }
  switch (options_.data_cache) {
    case DataCache::kNone:
      return false;
    case DataCache::kAll:
      return true;
    default:
      return !IsBlobName(path) &&
             (read_streams_ == nullptr || !read_streams_->ReadsColdHere());
  }
}

rdb::IOStatus UringFileSystem::NewBaseFile(
    const std::string& path, const rdb::FileOptions& options,
    std::unique_ptr<rdb::FSWritableFile>* result, rdb::IODebugContext* dbg) {
  // The content of a live file there is about to be thrown away.
  LiveFiles::OfProcess().Detach(path);
  rdb::IOStatus cleared = IsSideFileOfWal(path)
                              ? side_files_.ClearForWriter(path)
                              : rdb::IOStatus::OK();
  if (!cleared.ok()) {
    return cleared;
  }
  stats_->OpenedOnBase();
  std::unique_ptr<rdb::FSWritableFile> made;
  rdb::IOStatus status = target()->NewWritableFile(path, options, &made, dbg);
  if (status.ok()) {
    auto file = std::make_unique<BaseFile>(std::move(made), options);
    if (IsManifest(path, options)) {
      file->IsManifestOf(stats_);
    } else if (Classify(path, options) == FileKind::kData) {
      file->IsDataOf(stats_);
    }
    *result = std::move(file);
  }
  if (status.ok() && IsWalName(path) && !LiveFiles::OfProcess().Holds(path)) {
    status = ToIOStatus(ClearSideFile(path));
  }
  return status;
}

namespace {

// RocksDB goes on to the WAL at `path`: not when it makes that, it may do so
// ahead of time, and with manual_wal_flush it writes some more to the last one
// then. If the new one reached the disk before the end of the last, who sees
// only the files would find a gap between them.
void LeaveEarlierWals(const std::string& path, DatabaseLogs* logs) {
  std::string reason;
  const Status left =
      LiveFiles::OfProcess().LeaveSideFilesBeside(path, &reason);
  if (!left.ok()) {
    // Of a WAL that has failed, and whose writer knows. RocksDB makes the next
    // one to get over that; what the old one has acknowledged stays in its side
    // file until then, or until the database is opened again.
    logs->Write(DirectoryOf(path), rdb::InfoLogLevel::WARN_LEVEL,
                "an earlier WAL could not be written out: " + left.ToString());
  }
  if (!reason.empty()) {
    logs->WarnOnce(DirectoryOf(path),
                   "unsynced writes are system calls: " + reason);
  }
}

// Says in LOG that a WAL was not durable in time: the first time, and whenever
// that has happened twice as often since. THREADS: any.
class LateSyncs {
 public:
  LateSyncs(std::shared_ptr<DatabaseLogs> logs, uint32_t within_ms)
      : logs_(std::move(logs)), within_ms_(within_ms) {}

  void Look(const LogStore& log) {
    const uint64_t late = log.stats().late_syncs;
    uint64_t said = said_.load(std::memory_order_relaxed);
    if (late == 0 || late < 2 * said ||
        !said_.compare_exchange_strong(said, late, std::memory_order_relaxed)) {
      return;
    }
    logs_->Write(DirectoryOf(log.path()), rdb::InfoLogLevel::WARN_LEVEL,
                 "so far " + std::to_string(late) + " times writes to " +
                     log.path() +
                     " were durable later than wal_durable_within=" +
                     std::to_string(within_ms_) +
                     "ms: the disk is too slow, or the machine too busy");
  }

 private:
  const std::shared_ptr<DatabaseLogs> logs_;
  const uint32_t within_ms_;
  std::atomic<uint64_t> said_{0};  // relaxed: nothing else is known by it
};

}  // namespace

rdb::IOStatus UringFileSystem::NewWritableFile(
    const std::string& path, const rdb::FileOptions& options,
    std::unique_ptr<rdb::FSWritableFile>* result, rdb::IODebugContext* dbg) {
  const FileKind kind = Classify(path, options);
  if (kind == FileKind::kBase) {
    return NewBaseFile(path, options, result, dbg);
  }
  result->reset();
  LogOptions log_options = OptionsOf(path, kind, options);
  if (kind == FileKind::kWal) {
    wal_dirs_.MakesWalOrUnlocks();
    // What others left in its directory is recovered first.
    rdb::IOStatus status = side_files_.SweepOnce(path);
    return status.ok() ? NewLog(path, kind, options, log_options, {}, result)
                       : status;
  }
  const bool goes_through_cache = GoesThroughCache(path, options);
  BufferShare buffers;
  if (!goes_through_cache) {
    buffers = stats_->budget()->Take(options_.max_buffer_bytes,
                                     log_options.buffer_bytes,
                                     log_options.buffers_count);
  }
  if (buffers.count() == 0) {
    if (!goes_through_cache) {
      stats_->OpenedWithoutBuffers();
    }
    // Another inode here too: late writes of a killed process, or of a log of
    // ours that is still open, must not hit the new file.
    static_cast<void>(::unlink(path.c_str()));
    return NewBaseFile(path, options, result, dbg);
  }
  log_options.buffers_count = buffers.count();
  return NewLog(path, kind, options, log_options, std::move(buffers), result);
}

rdb::IOStatus UringFileSystem::NewLog(
    const std::string& path, FileKind kind, const rdb::FileOptions& options,
    const LogOptions& log_options, BufferShare buffers,
    std::unique_ptr<rdb::FSWritableFile>* result) {
  std::shared_ptr<LiveFile> live;
  const Status status = LiveFiles::OfProcess().Open(
      path, log_options, kind, stats_, std::move(buffers), &live);
  if (!status.ok()) {
    return ToIOStatus(status);
  }
  UringWritableFile::Hooks hooks;
  if (kind == FileKind::kWal) {
    hooks.before_first = [logs = logs_, path,
                          live = live.get()](std::string_view first) {
      LeaveEarlierWals(path, logs.get());
      if (!MayBeginWal(first)) {
        // Encrypted: what is behind its records, zeros, becomes garbage for
        // whoever decrypts it. An error is the append's.
        static_cast<void>(live->LeaveSideFile());
      }
    };
  }
  if (log_options.durable_within_ms > 0) {
    hooks.after_flush = [late = std::make_shared<LateSyncs>(
                             logs_, log_options.durable_within_ms),
                         log = live->log()] { late->Look(*log); };
  }
  result->reset(
      new UringWritableFile(std::move(live), options, std::move(hooks)));
  return rdb::IOStatus::OK();
}

rdb::IOStatus UringFileSystem::ReuseWritableFile(
    const std::string& path, const std::string& old_path,
    const rdb::FileOptions& options,
    std::unique_ptr<rdb::FSWritableFile>* result, rdb::IODebugContext* dbg) {
  // The old file may still be open; its last act, cutting the file to size,
  // must not hit the new one. So the new file is another inode, and nothing
  // of the old bytes is reused. In this order a kill in between never leaves
  // old records under the new number.
  rdb::IOStatus status = NewWritableFile(path, options, result, dbg);
  if (status.ok()) {
    status = DeleteFile(old_path, options.io_options, dbg);
  }
  if (!status.ok()) {
    result->reset();
  }
  return status;
}

}  // namespace uringfs
