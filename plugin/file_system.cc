// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "file_system.h"

#include <sys/stat.h>
#include <uringfs/rocksdb_wal.h>

#include <cstring>
#include <utility>

#include "base_file.h"
#include "base_logger.h"
#include "data_reader.h"
#include "exit_drain.h"
#include "file_policy.h"
#include "io_status.h"
#include "live_file.h"
#include "live_readers.h"
#include "view_readers.h"

namespace uringfs {
namespace {

std::shared_ptr<ReadStreams> MakeReadStreams(
    const UringFsOptions& options, const std::shared_ptr<FsStats>& stats) {
  if (options.compaction_reads == CompactionReads::kCached ||
      options.direct_io == DirectIo::kOff ||
      options.io_engine == IoEngine::kPwrite ||
      options.max_buffer_bytes < ReadStreams::kMinBytes) {
    return nullptr;
  }
  return std::make_shared<ReadStreams>(options.max_buffer_bytes, stats);
}

// Whether what users read of it goes through the page cache, and by calls, and
// RocksDB says which reads are a compaction's. (Before 8.3 none of blob files.)
bool IsReadThroughCache(const std::string& path,
                        const rdb::FileOptions& options) {
  return !options.use_mmap_reads && !options.use_direct_reads &&
         ((URINGFS_ROCKSDB_GE(8, 3) && IsBlobName(path)) ||
          Classify(path, rdb::FileOptions()) == FileKind::kData);
}

}  // namespace

UringFileSystem::UringFileSystem(const std::shared_ptr<rdb::FileSystem>& base,
                                 const UringFsOptions& options)
    : rdb::FileSystemWrapper(base), stats_(std::make_shared<FsStats>()) {
  SetOptions(options);
}

UringFileSystem::~UringFileSystem() { DrainWalsOf(stats_); }

void UringFileSystem::SetOptions(const UringFsOptions& options) {
  options_ = options;
  read_streams_ = MakeReadStreams(options, stats_);
  probes_.Clear();
  stats_->SetFile(options.stats_file);
}

std::string UringFileSystem::GetPrintableOptions() const {
  return FormatFsOptions(options_);
}

rdb::IOStatus UringFileSystem::NewSequentialFile(
    const std::string& path, const rdb::FileOptions& options,
    std::unique_ptr<rdb::FSSequentialFile>* result, rdb::IODebugContext* dbg) {
  if (IsCurrentName(path)) {
    wal_dirs_.ReadsCurrent(path);
  }
  return NewReader<LiveSequentialFile, ViewSequentialFile>(
      path, options, target()->NewSequentialFile(path, options, result, dbg),
      result, dbg);
}

rdb::IOStatus UringFileSystem::NewRandomAccessFile(
    const std::string& path, const rdb::FileOptions& options,
    std::unique_ptr<rdb::FSRandomAccessFile>* result,
    rdb::IODebugContext* dbg) {
  struct stat file = {};
  // For a shorter one no stream is worth its windows.
  const bool may_wrap = read_streams_ != nullptr &&
                        IsReadThroughCache(path, options) &&
                        ::stat(path.c_str(), &file) == 0 &&
                        file.st_size > off_t{options_.data_cached_bytes};
  rdb::IOStatus status = NewReader<LiveRandomAccessFile, ViewRandomAccessFile>(
      path, options, OpenToRead(path, options, result, dbg), result, dbg);
  // One that was live and is no longer is a file like any other by now. And
  // what was opened is what the path named before and names behind.
  if (status.ok() && may_wrap && LiveFiles::OfProcess().Find(path) == nullptr &&
      IsStill(path, file)) {
    *result = std::make_unique<CompactionReader>(std::move(*result), path, file,
                                                 read_streams_);
  }
  return status;
}

// Whoever has put another one there wants its reads, and its handles, too.
bool UringFileSystem::HasRings() const {
  return options_.io_engine != IoEngine::kPwrite &&
         std::strcmp(target()->Name(), "PosixFileSystem") == 0;
}

rdb::IOStatus UringFileSystem::OpenToRead(
    const std::string& path, const rdb::FileOptions& options,
    std::unique_ptr<rdb::FSRandomAccessFile>* result,
    rdb::IODebugContext* dbg) {
  if (!HasRings() || options.use_mmap_reads) {
    return target()->NewRandomAccessFile(path, options, result, dbg);
  }
  const Status opened =
      DataReader::Open(path, options, ReadRings::OfProcess(), stats_, result);
  if (opened.ok()) {
    return rdb::IOStatus::OK();
  }
  // Its words are known to users. If it can open the file by now, nobody may
  // have it all the same: handles of its asynchronous reads are not ours.
  rdb::IOStatus status =
      target()->NewRandomAccessFile(path, options, result, dbg);
  result->reset();
  return status.ok() ? ToIOStatus(opened) : status;
}

rdb::IOStatus UringFileSystem::Poll(std::vector<void*>& handles,
                                    size_t min_completions) {
  return HasRings() ? DataReader::Poll(handles)
                    : target()->Poll(handles, min_completions);
}

rdb::IOStatus UringFileSystem::AbortIO(std::vector<void*>& handles) {
  return HasRings() ? DataReader::Abort(handles) : target()->AbortIO(handles);
}

template <class LiveReader, class ViewReader, class Reader>
rdb::IOStatus UringFileSystem::NewReader(const std::string& path,
                                         const rdb::FileOptions& options,
                                         rdb::IOStatus status,
                                         std::unique_ptr<Reader>* result,
                                         rdb::IODebugContext* dbg) {
  if (!status.ok()) {
    return status;
  }
  std::shared_ptr<LiveFile> live = LiveFiles::OfProcess().Find(path);
  if (live == nullptr) {
    if (NeedsLogView(path)) {
      std::unique_ptr<LogView> view;
      status =
          ToIOStatus(LogView::Open(path, &wal_dirs_.FormatOf(path), &view));
      if (status.ok()) {
        result->reset(new ViewReader(std::move(view)));
      }
    }
    return status;
  }
  // At once: not every recovery mode minds an error of a read.
  uint64_t size = 0;
  Status readable;
  if (live->ReadableSize(&size, &readable) && !readable.ok()) {
    return ToIOStatus(readable);
  }
  std::unique_ptr<rdb::FSRandomAccessFile> base;
  status = target()->NewRandomAccessFile(path, OptionsForLiveReads(options),
                                         &base, dbg);
  if (status.ok()) {
    result->reset(new LiveReader(std::move(base), std::move(live)));
  }
  return status;
}

rdb::IOStatus UringFileSystem::GetChildren(const std::string& dir,
                                           const rdb::IOOptions& options,
                                           std::vector<std::string>* result,
                                           rdb::IODebugContext* dbg) {
  rdb::IOStatus status = target()->GetChildren(dir, options, result, dbg);
  if (status.ok()) {
    wal_dirs_.Lists(dir, *result);
    status = side_files_.CheckListed(dir, *result);
  }
  // With an error too: who deletes what is in the list (RocksDB, restoring a
  // backup, whatever the status says) is told of each file again.
  return status;
}

rdb::IOStatus UringFileSystem::GetFileSize(const std::string& path,
                                           const rdb::IOOptions& options,
                                           uint64_t* size,
                                           rdb::IODebugContext* dbg) {
  rdb::IOStatus status;
  if (LogicalSize(path, &status, size)) {
    return status;
  }
  status = target()->GetFileSize(path, options, size, dbg);
  // It may have become a live file in between.
  rdb::IOStatus again;
  return status.ok() && side_files_.LogicalSize(path, &again, size) ? again
                                                                    : status;
}

bool UringFileSystem::LogicalSize(const std::string& path,
                                  rdb::IOStatus* status, uint64_t* size) const {
  const std::shared_ptr<LiveFile> live = LiveFiles::OfProcess().Find(path);
  Status readable;
  if (live && live->ReadableSize(size, &readable)) {
    *status = ToIOStatus(readable);
    return true;
  }
  return side_files_.LogicalSize(path, status, size);
}

rdb::IOStatus UringFileSystem::GetChildrenFileAttributes(
    const std::string& dir, const rdb::IOOptions& options,
    std::vector<rdb::FileAttributes>* result, rdb::IODebugContext* dbg) {
  rdb::IOStatus status =
      target()->GetChildrenFileAttributes(dir, options, result, dbg);
  if (status.ok()) {
    for (rdb::FileAttributes& child : *result) {
      rdb::IOStatus looked;
      uint64_t size = 0;
      if (LogicalSize(dir + "/" + child.name, &looked, &size) && looked.ok()) {
        child.size_bytes = size;
      }
    }
  }
  return status;
}

rdb::IOStatus UringFileSystem::MakeWhole(const std::string& path) {
  const Status status = LiveFiles::OfProcess().Settle(path);
  return status.ok() ? side_files_.RecoverWal(path) : ToIOStatus(status);
}

rdb::IOStatus UringFileSystem::PrepareForWriter(const std::string& path) {
  return IsSideFileOfWal(path) ? side_files_.ClearForWriter(path)
                               : MakeWhole(path);
}

rdb::IOStatus UringFileSystem::LockFile(const std::string& path,
                                        const rdb::IOOptions& options,
                                        rdb::FileLock** lock,
                                        rdb::IODebugContext* dbg) {
  rdb::IOStatus status = target()->LockFile(path, options, lock, dbg);
  if (!status.ok()) {
    return status;
  }
  wal_dirs_.Locks(path);
  status = side_files_.RecoverDirectoryOf(path);
  if (!status.ok()) {
    const rdb::IOStatus unlocked = UnlockFile(*lock, options, dbg);
    unlocked.PermitUncheckedError();
    *lock = nullptr;
  }
  return status;
}

rdb::IOStatus UringFileSystem::UnlockFile(rdb::FileLock* lock,
                                          const rdb::IOOptions& options,
                                          rdb::IODebugContext* dbg) {
  wal_dirs_.MakesWalOrUnlocks();
  return target()->UnlockFile(lock, options, dbg);
}

#if URINGFS_ROCKSDB_GE(11, 5)
rdb::IOStatus UringFileSystem::SyncFile(const std::string& path,
                                        const rdb::FileOptions& file_options,
                                        const rdb::IOOptions& options,
                                        bool use_fsync,
                                        rdb::IODebugContext* dbg) {
  const std::shared_ptr<LiveFile> live = LiveFiles::OfProcess().Find(path);
  if (!live) {
    rdb::IOStatus status = MakeWhole(path);
    return status.ok()
               ? target()->SyncFile(path, file_options, options, use_fsync, dbg)
               : status;
  }
  return ToIOStatus(
      live->log()->Sync(use_fsync ? SyncKind::kFull : SyncKind::kData));
}
#endif

rdb::IOStatus UringFileSystem::ReopenWritableFile(
    const std::string& path, const rdb::FileOptions& options,
    std::unique_ptr<rdb::FSWritableFile>* result, rdb::IODebugContext* dbg) {
  // RocksDB reopens files to sync or truncate them, never to write much, so
  // the base file system serves that.
  rdb::IOStatus status = PrepareForWriter(path);
  if (!status.ok()) {
    return status;
  }
  LiveFiles::OfProcess().Detach(path);
  status = target()->ReopenWritableFile(path, options, result, dbg);
  if (status.ok()) {
    auto file = std::make_unique<BaseFile>(std::move(*result), options);
    if (IsManifest(path, options)) {
      file->IsManifestOf(stats_);
    }
    *result = std::move(file);
  }
  return status;
}

rdb::IOStatus UringFileSystem::NewRandomRWFile(
    const std::string& path, const rdb::FileOptions& options,
    std::unique_ptr<rdb::FSRandomRWFile>* result, rdb::IODebugContext* dbg) {
  rdb::IOStatus status = PrepareForWriter(path);
  return status.ok() ? target()->NewRandomRWFile(path, options, result, dbg)
                     : status;
}

rdb::IOStatus UringFileSystem::NewMemoryMappedFileBuffer(
    const std::string& path,
    std::unique_ptr<rdb::MemoryMappedFileBuffer>* result) {
  rdb::IOStatus status = PrepareForWriter(path);
  return status.ok() ? target()->NewMemoryMappedFileBuffer(path, result)
                     : status;
}

rdb::IOStatus UringFileSystem::Truncate(const std::string& path, size_t size,
                                        const rdb::IOOptions& options,
                                        rdb::IODebugContext* dbg) {
  // RocksDB does this to files it has closed. Its tests do it to live ones,
  // to damage them: then the writer goes on at its own offset, as on posix.
  rdb::IOStatus status = PrepareForWriter(path);
  if (status.ok()) {
    status = target()->Truncate(path, size, options, dbg);
  }
  if (status.ok()) {
    LiveFiles::OfProcess().Detach(path);
  }
  return status;
}

#if URINGFS_ROCKSDB_GE(8, 4)
void UringFileSystem::SupportedOps(int64_t& supported_ops) {
  target()->SupportedOps(supported_ops);
  if (HasRings()) {
    supported_ops |= int64_t{1} << rdb::FSSupportedOps::kAsyncIO;
  }
  // RocksDB would hand our readers no memory to read into.
  supported_ops &= ~(int64_t{1} << rdb::FSSupportedOps::kFSBuffer);
}
#endif

rdb::FileOptions UringFileSystem::OptimizeForLogWrite(
    const rdb::FileOptions& options, const rdb::DBOptions& db_options) const {
  rdb::FileOptions optimized =
      target()->OptimizeForLogWrite(options, db_options);
  optimized.io_options.type = rdb::IOType::kWAL;
  optimized.use_direct_writes = false;
  // In the other modes a record that power loss has torn, with zeros behind
  // it, is an error unless the log is cut first; and that takes uringfs.
  using Mode = rdb::WALRecoveryMode;
  const Mode mode = db_options.wal_recovery_mode;
  if ((mode == Mode::kPointInTimeRecovery ||
       mode == Mode::kSkipAnyCorruptedRecords) &&
      db_options.recycle_log_file_num == 0) {
    MarkEndMayBeTorn(&optimized);
  }
  return optimized;
}

rdb::FileOptions UringFileSystem::OptimizeForManifestWrite(
    const rdb::FileOptions& options) const {
  rdb::FileOptions optimized = target()->OptimizeForManifestWrite(options);
  optimized.io_options.type = rdb::IOType::kManifest;
  return optimized;
}

rdb::FileOptions UringFileSystem::OptimizeForCompactionTableWrite(
    const rdb::FileOptions& options,
    const rdb::ImmutableDBOptions& db_options) const {
  rdb::FileOptions optimized =
      target()->OptimizeForCompactionTableWrite(options, db_options);
  optimized.io_options.type = rdb::IOType::kData;
  // RocksDB would pad the tail of each write itself; we do that better.
  if (optimized.use_direct_writes) {
    MarkDirect(&optimized);
    optimized.use_direct_writes = false;
  }
  return optimized;
}

rdb::Status UringFileSystem::RegisterDbPaths(
    const std::vector<std::string>& paths) {
  return target()->RegisterDbPaths(paths);
}

rdb::Status UringFileSystem::UnregisterDbPaths(
    const std::vector<std::string>& paths) {
  return target()->UnregisterDbPaths(paths);
}

rdb::IOStatus UringFileSystem::NewLogger(const std::string& path,
                                         const rdb::IOOptions& options,
                                         std::shared_ptr<rdb::Logger>* result,
                                         rdb::IODebugContext* dbg) {
  wal_dirs_.MakesLog(DirectoryOf(path));
  rdb::IOStatus status = target()->NewLogger(path, options, result, dbg);
  if (!status.ok() || *result == nullptr) {
    return status;
  }
  *result = std::make_shared<BaseLogger>(std::move(*result));
  logs_->Remember(path, *result);
  WriteLogLine(
      result->get(), rdb::InfoLogLevel::INFO_LEVEL,
      std::string(kUringFsVersion) + ": " +
          probes_.Describe(DirectoryOf(path), WalLogOptions(options_)) +
          "; options " + FormatFsOptions(options_) +
          "; after a kill run `uringfs recover` before this database is "
          "opened without uringfs");
  return status;
}

}  // namespace uringfs
