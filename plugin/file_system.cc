// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "file_system.h"

#include <rocksdb/env.h>
#include <uringfs/log_store.h>

#include <utility>

#include "file_policy.h"
#include "io_status.h"
#include "live_file.h"
#include "live_readers.h"
#include "writable_file.h"

namespace uringfs {

UringFileSystem::UringFileSystem(const std::shared_ptr<rdb::FileSystem>& base,
                                 const UringFsOptions& options)
    : rdb::FileSystemWrapper(base),
      options_(options),
      stats_(std::make_shared<FsStats>()) {
  stats_->SetFile(options_.stats_file);
}

std::string UringFileSystem::GetPrintableOptions() const {
  return FormatFsOptions(options_);
}

rdb::IOStatus UringFileSystem::NewWritableFile(
    const std::string& path, const rdb::FileOptions& options,
    std::unique_ptr<rdb::FSWritableFile>* result, rdb::IODebugContext* dbg) {
  const FileKind kind = Classify(path, options);
  if (kind == FileKind::kBase) {
    // The content of a live file there is about to be thrown away.
    LiveFiles::OfProcess().Detach(path);
    stats_->OpenedOnBase();
    return target()->NewWritableFile(path, options, result, dbg);
  }
  result->reset();
  std::shared_ptr<LiveFile> live;
  const Status status = LiveFiles::OfProcess().Open(
      path,
      kind == FileKind::kWal ? WalLogOptions(options_)
                             : DataLogOptions(options_),
      kind, stats_, &live);
  if (!status.ok()) {
    return ToIOStatus(status);
  }
  result->reset(new UringWritableFile(std::move(live), options));
  return rdb::IOStatus::OK();
}

rdb::IOStatus UringFileSystem::ReuseWritableFile(
    const std::string& path, const std::string& old_path,
    const rdb::FileOptions& options,
    std::unique_ptr<rdb::FSWritableFile>* result, rdb::IODebugContext* dbg) {
  // The old file may still be open; its last act, cutting the file to size,
  // must not hit the new one. So the new file is another inode, and nothing
  // of the old bytes is reused.
  rdb::IOStatus status =
      target()->RenameFile(old_path, path, options.io_options, dbg);
  return status.ok() ? NewWritableFile(path, options, result, dbg) : status;
}

rdb::IOStatus UringFileSystem::NewSequentialFile(
    const std::string& path, const rdb::FileOptions& options,
    std::unique_ptr<rdb::FSSequentialFile>* result, rdb::IODebugContext* dbg) {
  return NewReader<LiveSequentialFile>(
      path, options, target()->NewSequentialFile(path, options, result, dbg),
      result, dbg);
}

rdb::IOStatus UringFileSystem::NewRandomAccessFile(
    const std::string& path, const rdb::FileOptions& options,
    std::unique_ptr<rdb::FSRandomAccessFile>* result,
    rdb::IODebugContext* dbg) {
  return NewReader<LiveRandomAccessFile>(
      path, options, target()->NewRandomAccessFile(path, options, result, dbg),
      result, dbg);
}

template <class LiveReader, class Reader>
rdb::IOStatus UringFileSystem::NewReader(const std::string& path,
                                         const rdb::FileOptions& options,
                                         rdb::IOStatus status,
                                         std::unique_ptr<Reader>* result,
                                         rdb::IODebugContext* dbg) {
  std::shared_ptr<LiveFile> live;
  if (!status.ok() || !(live = LiveFiles::OfProcess().Find(path))) {
    return status;
  }
  std::unique_ptr<rdb::FSRandomAccessFile> base;
  status = target()->NewRandomAccessFile(path, OptionsForLiveReads(options),
                                         &base, dbg);
  if (status.ok()) {
    result->reset(new LiveReader(std::move(base), std::move(live)));
  }
  return status;
}

rdb::IOStatus UringFileSystem::GetFileSize(const std::string& path,
                                           const rdb::IOOptions& options,
                                           uint64_t* size,
                                           rdb::IODebugContext* dbg) {
  const std::shared_ptr<LiveFile> live = LiveFiles::OfProcess().Find(path);
  if (live && live->ReadableSize(size)) {
    return rdb::IOStatus::OK();
  }
  return target()->GetFileSize(path, options, size, dbg);
}

rdb::IOStatus UringFileSystem::GetChildrenFileAttributes(
    const std::string& dir, const rdb::IOOptions& options,
    std::vector<rdb::FileAttributes>* result, rdb::IODebugContext* dbg) {
  rdb::IOStatus status =
      target()->GetChildrenFileAttributes(dir, options, result, dbg);
  if (status.ok()) {
    for (rdb::FileAttributes& child : *result) {
      const std::shared_ptr<LiveFile> live =
          LiveFiles::OfProcess().Find(dir + "/" + child.name);
      uint64_t size = 0;
      if (live && live->ReadableSize(&size)) {
        child.size_bytes = size;
      }
    }
  }
  return status;
}

rdb::IOStatus UringFileSystem::LinkFile(const std::string& path,
                                        const std::string& target_path,
                                        const rdb::IOOptions& options,
                                        rdb::IODebugContext* dbg) {
  // The link shows the inode to readers that do not ask us: at this instant
  // it has the bytes and the size that posix would show.
  const Status status = LiveFiles::OfProcess().Settle(path);
  if (!status.ok()) {
    return ToIOStatus(status);
  }
  return target()->LinkFile(path, target_path, options, dbg);
}

#if URINGFS_ROCKSDB_GE(11, 5)
rdb::IOStatus UringFileSystem::SyncFile(const std::string& path,
                                        const rdb::FileOptions& file_options,
                                        const rdb::IOOptions& options,
                                        bool use_fsync,
                                        rdb::IODebugContext* dbg) {
  const std::shared_ptr<LiveFile> live = LiveFiles::OfProcess().Find(path);
  if (!live) {
    return target()->SyncFile(path, file_options, options, use_fsync, dbg);
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
  const Status settled = LiveFiles::OfProcess().Settle(path);
  if (!settled.ok()) {
    return ToIOStatus(settled);
  }
  LiveFiles::OfProcess().Detach(path);
  return target()->ReopenWritableFile(path, options, result, dbg);
}

rdb::IOStatus UringFileSystem::NewRandomRWFile(
    const std::string& path, const rdb::FileOptions& options,
    std::unique_ptr<rdb::FSRandomRWFile>* result, rdb::IODebugContext* dbg) {
  const Status status = LiveFiles::OfProcess().Settle(path);
  if (!status.ok()) {
    return ToIOStatus(status);
  }
  return target()->NewRandomRWFile(path, options, result, dbg);
}

rdb::IOStatus UringFileSystem::NewMemoryMappedFileBuffer(
    const std::string& path,
    std::unique_ptr<rdb::MemoryMappedFileBuffer>* result) {
  const Status status = LiveFiles::OfProcess().Settle(path);
  if (!status.ok()) {
    return ToIOStatus(status);
  }
  return target()->NewMemoryMappedFileBuffer(path, result);
}

rdb::IOStatus UringFileSystem::Truncate(const std::string& path, size_t size,
                                        const rdb::IOOptions& options,
                                        rdb::IODebugContext* dbg) {
  // RocksDB does this to files it has closed. Its tests do it to live ones,
  // to damage them: then the writer goes on at its own offset, as on posix.
  const Status settled = LiveFiles::OfProcess().Settle(path);
  if (!settled.ok()) {
    return ToIOStatus(settled);
  }
  rdb::IOStatus status = target()->Truncate(path, size, options, dbg);
  if (status.ok()) {
    LiveFiles::OfProcess().Detach(path);
  }
  return status;
}

rdb::FileOptions UringFileSystem::OptimizeForLogWrite(
    const rdb::FileOptions& options, const rdb::DBOptions& db_options) const {
  rdb::FileOptions optimized =
      target()->OptimizeForLogWrite(options, db_options);
  optimized.io_options.type = rdb::IOType::kWAL;
  optimized.use_direct_writes = false;
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
  optimized.use_direct_writes = false;
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
  rdb::IOStatus status = target()->NewLogger(path, options, result, dbg);
  if (!status.ok() || *result == nullptr) {
    return status;
  }
  const size_t slash = path.find_last_of('/');
  const std::string dir =
      slash == std::string::npos ? "." : path.substr(0, slash + 1);
  IoChoice choice;
  const Status probed = ProbeIo(dir, WalLogOptions(options_), &choice);
  // A fresh logger lets only errors through; its owner sets the level later.
  const rdb::InfoLogLevel level = (*result)->GetInfoLogLevel();
  (*result)->SetInfoLogLevel(rdb::InfoLogLevel::INFO_LEVEL);
  rdb::Info(result->get(), "uringfs %s: %s; options %s", kUringFsVersion,
            probed.ok() ? choice.ToString().c_str() : probed.ToString().c_str(),
            FormatFsOptions(options_).c_str());
  (*result)->SetInfoLogLevel(level);
  return status;
}

}  // namespace uringfs
