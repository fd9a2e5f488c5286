// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Files that are open for write with us, and how the rest of the file system
// finds them. Bytes may sit in a log's ring, and the file on disk may end in
// padding; who opens, sizes or links such a file must see the logical file.

#ifndef URINGFS_PLUGIN_LIVE_FILE_H_
#define URINGFS_PLUGIN_LIVE_FILE_H_

#include <uringfs/log_store.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "buffer_budget.h"
#include "file_policy.h"
#include "fs_stats.h"

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {

// One open log. Shared by the writable file, the handles that read it and the
// table below. THREADS: any, for every call.
class LiveFile {
 public:
  // `buffers`: what the log has of the budget of `stats`.
  LiveFile(std::unique_ptr<LogStore> log, FileKind kind,
           std::shared_ptr<FsStats> stats, BufferShare buffers);
  ~LiveFile();
  LiveFile(const LiveFile&) = delete;
  LiveFile& operator=(const LiveFile&) = delete;

  // As in LogStore, but that a file closed meanwhile is settled already.
  Status Settle();
  // ENSURES: plain().
  Status Close();

  // As in LogStore, but that a closed file has nothing to leave, and what was
  // detached is left to itself.
  Status LeaveSideFile();
  Status SettleForGood(std::chrono::milliseconds limit);
  // True once: the end of the process settles a file no more than once.
  bool IsFirstToSettle() { return !is_tried_.exchange(true); }

  // From now on the file on disk speaks for itself: somebody else has begun
  // to change it by path, and the newest writer wins.
  void Detach() { plain_.store(true, std::memory_order_release); }
  bool plain() const { return plain_.load(std::memory_order_acquire); }

  // How many bytes a reader may see: all that was appended before the call,
  // written out first if need be; after an error, what was written. False if
  // plain(): there is no limit then.
  bool ReadableSize(uint64_t* size, Status* status);

  LogStore* log() const { return log_.get(); }
  FileKind kind() const { return kind_; }
  // Which file system has made it.
  const FsStats* owner() const { return stats_.get(); }

 private:
  // Constant after construction. In this order: the log has the buffers, and
  // the statistics have the budget.
  const std::shared_ptr<FsStats> stats_;
  const BufferShare buffers_;
  const std::unique_ptr<LogStore> log_;
  const FileKind kind_;

  std::atomic<bool> plain_{false};
  std::atomic<bool> is_tried_{false};
};

// Every live file of the process, by identity, so that renames and links need
// no work and several file system objects see each other's files. An inode
// number cannot be used again while its log is open.
class LiveFiles {
 public:
  static LiveFiles& OfProcess();
  // Null if this process, a child of fork say, has opened no file. Takes no
  // lock and no memory.
  static LiveFiles* IfThereAreAny();

  // Opens a log and adds it in one step: whoever can open the file can Find
  // it. The newest file of an identity wins.
  Status Open(const std::string& path, const LogOptions& options, FileKind kind,
              const std::shared_ptr<FsStats>& stats, BufferShare buffers,
              std::shared_ptr<LiveFile>* file);
  // Does nothing if another file has taken its place.
  void Remove(const LiveFile& file);
  // Null if `path` is no live file. Costs a stat, and nothing if there are no
  // live files at all. A reader opens the file first and asks then: asking
  // first, it could miss a file that is made in between.
  std::shared_ptr<LiveFile> Find(const std::string& path) const;

  // Settles the live file at `path`, if there is one. Errors: its own.
  Status Settle(const std::string& path) const;
  // Detaches it; what is in its ring stays there.
  void Detach(const std::string& path);

  // Whether some log of the process has `path` open, detached or not.
  bool Holds(const std::string& path) const;
  // The same for any file in the directory of `path`, by the names they were
  // opened with.
  bool HoldsAnyBeside(const std::string& path) const;

  // A MANIFEST is about to pass over WALs, of some column families perhaps.
  // They are written out: nothing of a WAL that is passed over may be at stake.
  void WriteOutForManifest(const FsStats* owner) const;

  // LeaveSideFile of the earlier WALs in the directory of `path`. Returns the
  // first error, which is its writer's to hear as well. *reason: why one of
  // them has no shared ring though it should; else it is left alone.
  Status LeaveSideFilesBeside(const std::string& path,
                              std::string* reason) const;

  // Whether any WAL is open. Costs a load.
  bool has_wals() const { return wals_.load(std::memory_order_seq_cst) > 0; }
  // WALs that are open and were made for `owner`, or for anybody if it is null.
  std::vector<std::shared_ptr<LiveFile>> OpenWals(const FsStats* owner) const;
  // WALs that were made for `owner`, or all, and of each pair of calls are in
  // the answer of one: see LiveFile::IsFirstToSettle.
  std::vector<std::shared_ptr<LiveFile>> WalsToSettle(
      const FsStats* owner) const;
  // The process is about to end. What is opened from now on, by a thread that
  // goes on, is settled at once.
  void StartLeaving() { is_leaving_.store(true, std::memory_order_seq_cst); }
  bool is_leaving() const {
    return is_leaving_.load(std::memory_order_seq_cst);
  }

 private:
  using Identity = std::pair<uint64_t, uint64_t>;  // device, inode

  std::vector<std::shared_ptr<LiveFile>> FilesBeside(
      const std::string& path) const;
  void Insert(const std::shared_ptr<LiveFile>& file) URINGFS_REQUIRES(mutex_);
  // Null if there is none.
  std::shared_ptr<LiveFile> Lookup(const std::string& path) const
      URINGFS_REQUIRES(mutex_);

  std::atomic<size_t> count_{0};
  std::atomic<size_t> wals_{0};
  std::atomic<bool> is_leaving_{false};
  mutable Mutex mutex_;
  std::map<Identity, std::shared_ptr<LiveFile>> files_
      URINGFS_GUARDED_BY(mutex_);
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_LIVE_FILE_H_
