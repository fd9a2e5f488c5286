// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A RocksDB FileSystem that writes WAL, SST and blob files through uringfs.
//
//   std::shared_ptr<rocksdb::FileSystem> fs;
//   rocksdb::Status s = uringfs::NewUringFileSystem(
//       rocksdb::FileSystem::Default(), uringfs::UringFsOptions(), &fs);
//   std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(fs);
//   db_options.env = env.get();
//
// docs/calls.md says what each RocksDB call means on it.

#ifndef URINGFS_PLUGIN_URINGFS_FILE_SYSTEM_H_
#define URINGFS_PLUGIN_URINGFS_FILE_SYSTEM_H_

#include <rocksdb/file_system.h>
#include <uringfs/options.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace uringfs {

// Whether a WAL gets zeros ahead of its tail (LogOptions::max_extend_bytes).
enum class WalPreextend : uint8_t {
  kOff,
  // Where RocksDB's recovery takes a torn record for the end, whoever opens the
  // database next: kPointInTimeRecovery and kSkipAnyCorruptedRecords, without
  // recycling.
  kAuto,
  kOn,
};

// Which data files are written through the page cache, as posix does.
enum class DataCache : uint8_t {
  kNone,  // none but the shortest
  // Tables, unless a compaction writes them whose inputs are not in there
  // either. Blob files are written directly.
  kAuto,
  kAll,
};

// How compactions read their inputs.
enum class CompactionReads : uint8_t {
  kCached,  // as all readers do
  // Round the page cache, and ahead. (As all readers do, where direct I/O or
  // io_uring is not to be had, and of files that are in there.)
  kDirect,
};

// Every option that can be set as text, with its range and meaning, stands in
// the table in fs_options.cc; README.md repeats it for readers.
struct UringFsOptions {
  // Write-ahead logs: size and number of flush buffers of each open one.
  uint32_t wal_buffer_bytes = 256 * 1024;
  uint32_t wal_buffers = 4;
  // Shared: in `<wal>.uringfs` beside it, where it survives the process, so
  // that RocksDB's Flush of unsynced writes costs no system call.
  RingHome wal_ring = RingHome::kShared;
  // A WAL up to this length does without that file; each flush of it writes
  // through the page cache.
  uint32_t wal_ring_after_bytes = 64 * 1024;
  // After so many milliseconds at most what was flushed has left that file for
  // the WAL; 0: as long as the WAL is written to, its tail may stay there.
  uint32_t wal_drain_within = 20;
  // After so many milliseconds at most what was flushed is durable, though
  // nobody syncs, if the disk keeps up: 4 or more; 0: only what is synced. The
  // LOG and `wal_late_syncs` in the statistics say when it did not.
  uint32_t wal_durable_within = 0;
  // Zeros ahead of a WAL that is synced again and again.
  WalPreextend wal_preextend = WalPreextend::kAuto;
  uint32_t wal_preextend_bytes = 4 * 1024 * 1024;
  // With that: a device flush in the background after so many unsynced bytes.
  uint32_t wal_flush_window_bytes = 4 * 1024 * 1024;
  // An SST or blob file no longer than this is written through the page cache.
  uint32_t data_cached_bytes = 1024 * 1024;
  // Size and number of flush buffers of each SST or blob file being written,
  // and how many of them may be in flight.
  uint32_t data_buffer_bytes = 256 * 1024;
  uint32_t data_buffers = 16;
  uint32_t data_writes_in_flight = 12;
  // All of those buffers together. A file gets fewer where this runs low, and
  // is left to the file system underneath where it is spent.
  uint32_t max_buffer_bytes = 64 * 1024 * 1024;
  DataCache data_cache = DataCache::kAuto;
  // Takes up to as much memory again as max_buffer_bytes.
  CompactionReads compaction_reads = CompactionReads::kDirect;
  DirectIo direct_io = DirectIo::kOptional;
  IoEngine io_engine = IoEngine::kAuto;
  // Where the statistics go when the file system is destroyed or the process
  // exits: nowhere if empty, to stderr if "-", else appended to this file.
  std::string stats_file;
};

// Makes a file system on top of `base`, which must reach the same files by the
// same paths as the kernel does (RocksDB's default one, or a wrapper of it that
// changes neither paths nor bytes); null means RocksDB's default one. The
// environment variable URINGFS_OPTIONS is not looked at. Errors:
// InvalidArgument that names the option or the file system, and its limits.
ROCKSDB_NAMESPACE::Status NewUringFileSystem(
    const std::shared_ptr<ROCKSDB_NAMESPACE::FileSystem>& base,
    const UringFsOptions& options,
    std::shared_ptr<ROCKSDB_NAMESPACE::FileSystem>* out);

// What `fs` has done so far, open files included: a block of text of
// `key=value` tokens. Empty if `fs` is not one of ours.
std::string UringFsStatistics(const ROCKSDB_NAMESPACE::FileSystem& fs);

// How far a WAL that is open for writing has come: bytes from its begin, as
// LogStore has them. Each is at least the next.
struct UringFsWal {
  std::string path;      // that it was opened with
  uint64_t size = 0;     // appended
  uint64_t flushed = 0;  // survives the process
  uint64_t stable = 0;   // survives power loss
};

// The WALs of `fs` that are open, in any order; none if it is not one of ours.
// THREADS: any.
std::vector<UringFsWal> UringFsWals(const ROCKSDB_NAMESPACE::FileSystem& fs);

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_URINGFS_FILE_SYSTEM_H_
