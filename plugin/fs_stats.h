// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What one file system has done: the sum over its closed files, plus its open
// ones at the moment somebody asks. Written to a file when the file system is
// destroyed, or at process exit if that comes first: db_bench and others never
// destroy their Env.

#ifndef URINGFS_PLUGIN_FS_STATS_H_
#define URINGFS_PLUGIN_FS_STATS_H_

#include <uringfs/log_store.h>
#include <uringfs/read_rings.h>
#include <uringfs/recovery.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <string>

#include "buffer_budget.h"
#include "file_policy.h"

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {

// Sums over files of one kind.
struct KindTotals {
  uint64_t files = 0;
  LogStats log;
};

struct FsTotals {
  KindTotals wal;
  KindTotals data;
  uint64_t open_files = 0;
  uint64_t base_files = 0;
  // Of those: data files, because max_buffer_bytes was spent.
  uint64_t unbuffered_files = 0;
  // Memory that the flush buffers of data files take, now and at most.
  uint64_t buffer_bytes = 0;
  uint64_t peak_buffer_bytes = 0;
  // Of data files that were left to the base.
  uint64_t cached_data_bytes = 0;
  // What was read ahead of compactions.
  uint64_t read_ahead_bytes = 0;
  // Reads of MultiGet, and those that were asked for ahead.
  ReadCounts reads;
  // How many of the files used what.
  uint64_t over_io_uring = 0;
  uint64_t over_pwrite = 0;
  uint64_t direct = 0;
  uint64_t buffered = 0;
  uint64_t registered_buffers = 0;
  uint64_t shared_rings = 0;
  // As the last WAL had it; see IoChoice.
  bool wal_syncs_by_flush = false;
  // Side files of killed processes that were found.
  uint64_t side_recovered = 0;
  uint64_t side_recovered_bytes = 0;
  uint64_t side_removed = 0;
  uint64_t side_cut = 0;
  uint64_t side_unusable = 0;
  // Why the first file that did not get all it asked for did not.
  std::string first_reason;

  std::string ToString() const;
};

// THREADS: any.
class FsStats {
 public:
  FsStats() = default;
  // Writes the statistics, if that was asked for and not done.
  ~FsStats();
  FsStats(const FsStats&) = delete;
  FsStats& operator=(const FsStats&) = delete;

  // Where to write them at the end: "" nowhere, "-" stderr, else a path.
  void SetFile(const std::string& path);

  // REQUIRES: `log` stays valid until Closed(log).
  void Opened(const LogStore* log, FileKind kind);
  void Closed(const LogStore* log);
  void OpenedOnBase();
  void OpenedWithoutBuffers();
  void Cached(uint64_t bytes);
  void Recovered(const RecoveryReport& report);
  void ReadAhead(uint64_t bytes);
  void Reads(const ReadCounts& counts);

  FsTotals Totals() const;

  BufferBudget* budget() { return &budget_; }

  // Writes once; later calls do nothing. Called by the destructor and at exit.
  void WriteOnce();

 private:
  static void Collect(const LogStore& log, FileKind kind, FsTotals* totals);

  BufferBudget budget_;
  // Counts of readers and of jobs, who do not wait for each other: relaxed.
  std::atomic<uint64_t> cached_data_bytes_{0};
  std::atomic<uint64_t> cached_reads_{0};
  std::atomic<uint64_t> ring_reads_{0};
  std::atomic<uint64_t> alone_reads_{0};
  mutable Mutex mutex_;
  FsTotals closed_ URINGFS_GUARDED_BY(mutex_);
  std::map<const LogStore*, FileKind> open_ URINGFS_GUARDED_BY(mutex_);
  std::string file_ URINGFS_GUARDED_BY(mutex_);
  bool written_ URINGFS_GUARDED_BY(mutex_) = false;
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_FS_STATS_H_
