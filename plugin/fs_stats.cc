// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "fs_stats.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <set>

#include "exit_drain.h"
#include "file_size_signal.h"
#include "fs_options.h"

namespace uringfs {
namespace {

// The FsStats that still have something to write at exit. Never destroyed:
// objects with static storage may close files after our exit handler ran.
struct Pending {
  // A forked child has copies of locks that nobody will ever open, and the
  // numbers are its parent's to tell.
  const pid_t owner_pid = ::getpid();
  Mutex mutex;
  std::set<FsStats*> all URINGFS_GUARDED_BY(mutex);
};

Pending& PendingAtExit() {
  static Pending* const pending = new Pending;
  return *pending;
}

void WriteAllAtExit() {
  Pending& pending = PendingAtExit();
  if (pending.owner_pid != ::getpid()) {
    return;
  }
  const MutexLock lock(&pending.mutex);
  for (FsStats* stats : pending.all) {
    stats->WriteOnce();
  }
}

// Statistics are an aid: a file that cannot be written is said so on stderr
// and is no error of the file system.
void AppendText(const std::string& path, const std::string& text) {
  // At exit nobody could tell what the process died of.
  const NoFileSizeSignal no_signal;
  const bool to_stderr = path == "-";
  const int fd = to_stderr
                     ? STDERR_FILENO
                     : ::open(path.c_str(),
                              O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  // One write, so that blocks of several processes do not mix.
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) ==
                                      static_cast<ssize_t>(text.size());
  if (!written && !to_stderr) {
    const std::string complaint =
        "uringfs: cannot write statistics to " + path + "\n";
    const ssize_t ignored =
        ::write(STDERR_FILENO, complaint.data(), complaint.size());
    static_cast<void>(ignored);
  }
  if (fd >= 0 && !to_stderr) {
    ::close(fd);
  }
}

void Add(const LogStats& from, LogStats* to) {
  to->appends += from.appends;
  to->appended_bytes += from.appended_bytes;
  to->flushes += from.flushes;
  to->syncs += from.syncs;
  to->device_writes += from.device_writes;
  to->device_bytes += from.device_bytes;
  to->device_flushes += from.device_flushes;
  to->durable_writes += from.durable_writes;
  to->extensions += from.extensions;
  to->extended_bytes += from.extended_bytes;
  to->stable_advances += from.stable_advances;
  to->space_waits += from.space_waits;
  to->late_syncs += from.late_syncs;
  to->max_unstable_us = std::max(to->max_unstable_us, from.max_unstable_us);
}

void AppendToken(const std::string& key, uint64_t value, std::string* text) {
  text->append(" ").append(key).append("=").append(std::to_string(value));
}

void AppendKindLine(const std::string& kind, const KindTotals& totals,
                    std::string* text) {
  const LogStats& log = totals.log;
  text->append(" ");
  AppendToken(kind + "_files", totals.files, text);
  AppendToken(kind + "_appends", log.appends, text);
  AppendToken(kind + "_appended_bytes", log.appended_bytes, text);
  AppendToken(kind + "_flushes", log.flushes, text);
  AppendToken(kind + "_syncs", log.syncs, text);
  AppendToken(kind + "_device_writes", log.device_writes, text);
  AppendToken(kind + "_device_bytes", log.device_bytes, text);
  AppendToken(kind + "_device_flushes", log.device_flushes, text);
  AppendToken(kind + "_durable_writes", log.durable_writes, text);
  AppendToken(kind + "_extensions", log.extensions, text);
  AppendToken(kind + "_extended_bytes", log.extended_bytes, text);
  AppendToken(kind + "_stable_advances", log.stable_advances, text);
  AppendToken(kind + "_space_waits", log.space_waits, text);
  AppendToken(kind + "_late_syncs", log.late_syncs, text);
  AppendToken(kind + "_max_unstable_us", log.max_unstable_us, text);
  text->append("\n");
}

}  // namespace

std::string FsTotals::ToString() const {
  std::string text = std::string("uringfs ") + kUringFsVersion + " statistics";
  text.append("\n ");
  AppendToken("open_files", open_files, &text);
  AppendToken("base_files", base_files, &text);
  AppendToken("unbuffered_files", unbuffered_files, &text);
  AppendToken("buffer_bytes", buffer_bytes, &text);
  AppendToken("peak_buffer_bytes", peak_buffer_bytes, &text);
  AppendToken("cached_data_bytes", cached_data_bytes, &text);
  AppendToken("read_ahead_bytes", read_ahead_bytes, &text);
  AppendToken("cached_reads", reads.cached, &text);
  AppendToken("ring_reads", reads.ring, &text);
  AppendToken("alone_reads", reads.alone, &text);
  text.append("\n");
  AppendKindLine("wal", wal, &text);
  AppendKindLine("data", data, &text);
  text.append(" ");
  AppendToken("over_io_uring", over_io_uring, &text);
  AppendToken("over_pwrite", over_pwrite, &text);
  AppendToken("direct", direct, &text);
  AppendToken("buffered", buffered, &text);
  AppendToken("registered_buffers", registered_buffers, &text);
  AppendToken("shared_rings", shared_rings, &text);
  text.append(" wal_sync_way=").append(wal_syncs_by_flush ? "flush" : "dsync");
  text.append("\n ");
  AppendToken("side_recovered", side_recovered, &text);
  AppendToken("side_recovered_bytes", side_recovered_bytes, &text);
  AppendToken("side_removed", side_removed, &text);
  AppendToken("side_cut", side_cut, &text);
  AppendToken("side_unusable", side_unusable, &text);
  text.append("\n  first_reason=\"").append(first_reason).append("\"\n");
  return text;
}

FsStats::~FsStats() {
  Pending& pending = PendingAtExit();
  if (pending.owner_pid != ::getpid()) {
    return;
  }
  {
    const MutexLock lock(&pending.mutex);
    pending.all.erase(this);
  }
  WriteOnce();
}

void FsStats::SetFile(const std::string& path) {
  {
    const MutexLock lock(&mutex_);
    file_ = path;
  }
  if (path.empty()) {
    return;
  }
  Pending& pending = PendingAtExit();
  const MutexLock lock(&pending.mutex);
  pending.all.insert(this);
  static const bool registered = std::atexit(&WriteAllAtExit) == 0;
  static_cast<void>(registered);
}

void FsStats::Opened(const LogStore* log, FileKind kind) {
  const MutexLock lock(&mutex_);
  open_.emplace(log, kind);
}

void FsStats::Closed(const LogStore* log) {
  const MutexLock lock(&mutex_);
  const auto found = open_.find(log);
  if (found != open_.end()) {
    Collect(*log, found->second, &closed_);
    open_.erase(found);
  }
}

void FsStats::OpenedOnBase() {
  const MutexLock lock(&mutex_);
  ++closed_.base_files;
}

void FsStats::OpenedWithoutBuffers() {
  const MutexLock lock(&mutex_);
  ++closed_.unbuffered_files;
}

void FsStats::Recovered(const RecoveryReport& report) {
  const MutexLock lock(&mutex_);
  switch (report.outcome) {
    case RecoveryOutcome::kRecovered:
      ++closed_.side_recovered;
      closed_.side_recovered_bytes += report.recovered_bytes;
      break;
    case RecoveryOutcome::kRemoved:
      ++closed_.side_removed;
      break;
    case RecoveryOutcome::kCut:
      ++closed_.side_cut;
      break;
    case RecoveryOutcome::kUnusable:
      ++closed_.side_unusable;
      break;
    case RecoveryOutcome::kNothing:
    case RecoveryOutcome::kAccepted:
    case RecoveryOutcome::kDiscarded:
    case RecoveryOutcome::kBusy:
      break;
  }
}

void FsStats::Collect(const LogStore& log, FileKind kind, FsTotals* totals) {
  KindTotals* of_kind = kind == FileKind::kWal ? &totals->wal : &totals->data;
  ++of_kind->files;
  Add(log.stats(), &of_kind->log);
  const IoChoice choice = log.io_choice();
  ++(choice.uses_io_uring ? totals->over_io_uring : totals->over_pwrite);
  ++(choice.uses_direct_io ? totals->direct : totals->buffered);
  totals->registered_buffers += choice.uses_registered_buffers ? 1 : 0;
  totals->shared_rings += choice.uses_shared_ring ? 1 : 0;
  if (kind == FileKind::kWal) {
    totals->wal_syncs_by_flush = choice.syncs_by_flush;
  }
  if (totals->first_reason.empty()) {
    totals->first_reason = choice.reason;
  }
}

void FsStats::ReadAhead(uint64_t bytes) {
  const MutexLock lock(&mutex_);
  closed_.read_ahead_bytes += bytes;
}

void FsStats::Cached(uint64_t bytes) {
  cached_data_bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void FsStats::Reads(const ReadCounts& counts) {
  cached_reads_.fetch_add(counts.cached, std::memory_order_relaxed);
  ring_reads_.fetch_add(counts.ring, std::memory_order_relaxed);
  alone_reads_.fetch_add(counts.alone, std::memory_order_relaxed);
}

FsTotals FsStats::Totals() const {
  const MutexLock lock(&mutex_);
  FsTotals totals = closed_;
  totals.open_files = open_.size();
  totals.buffer_bytes = budget_.in_use();
  totals.peak_buffer_bytes = budget_.peak();
  totals.cached_data_bytes = cached_data_bytes_.load(std::memory_order_relaxed);
  totals.reads.cached = cached_reads_.load(std::memory_order_relaxed);
  totals.reads.ring = ring_reads_.load(std::memory_order_relaxed);
  totals.reads.alone = alone_reads_.load(std::memory_order_relaxed);
  for (const auto& entry : open_) {
    Collect(*entry.first, entry.second, &totals);
  }
  return totals;
}

void FsStats::WriteOnce() {
  if (ExitDrainGaveUp()) {
    return;  // to look at a log waits for what exit would not wait for
  }
  std::string file;
  {
    const MutexLock lock(&mutex_);
    if (written_ || file_.empty()) {
      return;
    }
    written_ = true;
    file = file_;
  }
  AppendText(file, Totals().ToString());
}

}  // namespace uringfs
