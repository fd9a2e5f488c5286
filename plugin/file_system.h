// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The FileSystem itself. It overrides the calls that must differ; every other
// one goes to the file system underneath. The public door is
// uringfs_file_system.h.

#ifndef URINGFS_PLUGIN_FILE_SYSTEM_H_
#define URINGFS_PLUGIN_FILE_SYSTEM_H_

#include <rocksdb/file_system.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "compaction_reader.h"
#include "database_logs.h"
#include "fs_options.h"
#include "fs_stats.h"
#include "probe_cache.h"
#include "side_files.h"

#include "rocksdb_api.h"
#include "uringfs_file_system.h"

namespace uringfs {

class UringFileSystem : public rdb::FileSystemWrapper {
 public:
  // REQUIRES: options passed ValidateFsOptions.
  UringFileSystem(const std::shared_ptr<rdb::FileSystem>& base,
                  const UringFsOptions& options);
  // WALs that are still open, of a database that was leaked, are written out.
  ~UringFileSystem() override;

  static const char* kClassName() { return kUringFsName; }
  const char* Name() const override { return kUringFsName; }
  std::string GetPrintableOptions() const override;

  // OK, or InvalidArgument if bytes we write would not be found under the
  // same path through the file system underneath.
  rdb::Status CheckBase() const;
  std::shared_ptr<rdb::FileSystem> base() const { return target_; }
  FsTotals Totals() const { return stats_->Totals(); }
  const FsStats* stats() const { return stats_.get(); }

  // The only place that makes files of ours.
  rdb::IOStatus NewWritableFile(const std::string& path,
                                const rdb::FileOptions& options,
                                std::unique_ptr<rdb::FSWritableFile>* result,
                                rdb::IODebugContext* dbg) override;
  rdb::IOStatus ReuseWritableFile(const std::string& path,
                                  const std::string& old_path,
                                  const rdb::FileOptions& options,
                                  std::unique_ptr<rdb::FSWritableFile>* result,
                                  rdb::IODebugContext* dbg) override;

  // Calls that must see the logical size and bytes of a live file, of this
  // process or another one.
  rdb::IOStatus NewSequentialFile(
      const std::string& path, const rdb::FileOptions& options,
      std::unique_ptr<rdb::FSSequentialFile>* result,
      rdb::IODebugContext* dbg) override;
  rdb::IOStatus NewRandomAccessFile(
      const std::string& path, const rdb::FileOptions& options,
      std::unique_ptr<rdb::FSRandomAccessFile>* result,
      rdb::IODebugContext* dbg) override;
  // Fails if a WAL in there is not to be read without bytes that only an
  // unusable side file has.
  rdb::IOStatus GetChildren(const std::string& dir,
                            const rdb::IOOptions& options,
                            std::vector<std::string>* result,
                            rdb::IODebugContext* dbg) override;
  rdb::IOStatus GetFileSize(const std::string& path,
                            const rdb::IOOptions& options, uint64_t* size,
                            rdb::IODebugContext* dbg) override;
  rdb::IOStatus GetChildrenFileAttributes(
      const std::string& dir, const rdb::IOOptions& options,
      std::vector<rdb::FileAttributes>* result,
      rdb::IODebugContext* dbg) override;
#if URINGFS_ROCKSDB_GE(11, 5)
  rdb::IOStatus SyncFile(const std::string& path,
                         const rdb::FileOptions& file_options,
                         const rdb::IOOptions& options, bool use_fsync,
                         rdb::IODebugContext* dbg) override;
#endif

  // Calls that put an end to a side file, or make one useless. LockFile comes
  // before RocksDB looks at anything: what a killed process left is recovered.
  rdb::IOStatus LockFile(const std::string& path, const rdb::IOOptions& options,
                         rdb::FileLock** lock,
                         rdb::IODebugContext* dbg) override;
  rdb::IOStatus UnlockFile(rdb::FileLock* lock, const rdb::IOOptions& options,
                           rdb::IODebugContext* dbg) override;
  rdb::IOStatus DeleteFile(const std::string& path,
                           const rdb::IOOptions& options,
                           rdb::IODebugContext* dbg) override;
  rdb::IOStatus RenameFile(const std::string& path, const std::string& target,
                           const rdb::IOOptions& options,
                           rdb::IODebugContext* dbg) override;
  rdb::IOStatus LinkFile(const std::string& path, const std::string& target,
                         const rdb::IOOptions& options,
                         rdb::IODebugContext* dbg) override;

  // Calls that write behind the back of a live file: it is settled and left
  // to itself, the newest writer wins.
  rdb::IOStatus ReopenWritableFile(const std::string& path,
                                   const rdb::FileOptions& options,
                                   std::unique_ptr<rdb::FSWritableFile>* result,
                                   rdb::IODebugContext* dbg) override;
  rdb::IOStatus NewRandomRWFile(const std::string& path,
                                const rdb::FileOptions& options,
                                std::unique_ptr<rdb::FSRandomRWFile>* result,
                                rdb::IODebugContext* dbg) override;
  rdb::IOStatus NewMemoryMappedFileBuffer(
      const std::string& path,
      std::unique_ptr<rdb::MemoryMappedFileBuffer>* result) override;
  rdb::IOStatus Truncate(const std::string& path, size_t size,
                         const rdb::IOOptions& options,
                         rdb::IODebugContext* dbg) override;

  // For what ReadAsync has begun.
  rdb::IOStatus Poll(std::vector<void*>& handles,
                     size_t min_completions) override;
  rdb::IOStatus AbortIO(std::vector<void*>& handles) override;

#if URINGFS_ROCKSDB_GE(8, 4)
  // Those of the file system underneath, without what our readers cannot do.
  void SupportedOps(int64_t& supported_ops) override;
#endif

  // Tag the options, so that NewWritableFile knows what the file is.
  rdb::FileOptions OptimizeForLogWrite(
      const rdb::FileOptions& options,
      const rdb::DBOptions& db_options) const override;
  rdb::FileOptions OptimizeForManifestWrite(
      const rdb::FileOptions& options) const override;
  rdb::FileOptions OptimizeForCompactionTableWrite(
      const rdb::FileOptions& options,
      const rdb::ImmutableDBOptions& db_options) const override;

  // Forwarded by hand: RocksDB's wrapper leaves these out.
  rdb::Status RegisterDbPaths(const std::vector<std::string>& paths) override;
  rdb::Status UnregisterDbPaths(const std::vector<std::string>& paths) override;

  // Says in the database's LOG what its files will get.
  rdb::IOStatus NewLogger(const std::string& path,
                          const rdb::IOOptions& options,
                          std::shared_ptr<rdb::Logger>* result,
                          rdb::IODebugContext* dbg) override;

 protected:
  // Strict and with our messages. RocksDB's own would pass over values that
  // are out of range and roll back by serialising itself.
  rdb::Status ConfigureOptions(
      const rdb::ConfigOptions& config,
      const std::unordered_map<std::string, std::string>& values,
      std::unordered_map<std::string, std::string>* unused) override;

 private:
  // A file that is not ours.
  rdb::IOStatus NewBaseFile(const std::string& path,
                            const rdb::FileOptions& options,
                            std::unique_ptr<rdb::FSWritableFile>* result,
                            rdb::IODebugContext* dbg);
  rdb::IOStatus NewLog(const std::string& path, FileKind kind,
                       const rdb::FileOptions& options,
                       const LogOptions& log_options, BufferShare buffers,
                       std::unique_ptr<rdb::FSWritableFile>* result);
  // Whether files are opened for reads by ourselves, so that many reads can be
  // at the device at once; else by the file system underneath.
  bool HasRings() const;
  rdb::IOStatus OpenToRead(const std::string& path,
                           const rdb::FileOptions& options,
                           std::unique_ptr<rdb::FSRandomAccessFile>* result,
                           rdb::IODebugContext* dbg);
  // Whether a data file is left to the file system underneath, as on posix.
  bool GoesThroughCache(const std::string& path,
                        const rdb::FileOptions& options) const;
  LogOptions OptionsOf(const std::string& path, FileKind kind,
                       const rdb::FileOptions& options) const;

  // The file at `path` alone is its log: what a live one has in its ring is
  // written out, what a dead one has is recovered.
  rdb::IOStatus MakeWhole(const std::string& path);
  // The same for whoever is about to write there behind our back.
  rdb::IOStatus PrepareForWriter(const std::string& path);
  // False: the file system underneath knows the size.
  bool LogicalSize(const std::string& path, rdb::IOStatus* status,
                   uint64_t* size) const;

  // What the base file system has opened into *result with `status`, or, if
  // `path` is a live file of this process or another one, a LiveReader or a
  // ViewReader in its place.
  template <class LiveReader, class ViewReader, class Reader>
  rdb::IOStatus NewReader(const std::string& path,
                          const rdb::FileOptions& options, rdb::IOStatus status,
                          std::unique_ptr<Reader>* result,
                          rdb::IODebugContext* dbg);

  void SetOptions(const UringFsOptions& options);

  const std::shared_ptr<FsStats> stats_;
  // Changed by ConfigureOptions only, which comes before any other use.
  UringFsOptions options_;
  // Null where compactions read as all do.
  std::shared_ptr<ReadStreams> read_streams_;
  const std::shared_ptr<DatabaseLogs> logs_ = std::make_shared<DatabaseLogs>();
  ProbeCache probes_;
  WalDirs wal_dirs_;
  SideFiles side_files_{stats_, logs_.get(), &wal_dirs_};
};

// As the URI and the environment say, on RocksDB's default file system.
rdb::Status NewUringFileSystemFromUri(const std::string& uri,
                                      std::unique_ptr<rdb::FileSystem>* out);

// The Env over such a file system that lives as long as the process: one for
// all who say the same. RocksDB takes no other where it keeps a bare pointer,
// as for `env=` in an options string.
rdb::Status FindUringEnv(const std::string& uri, rdb::Env** env);

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_FILE_SYSTEM_H_
