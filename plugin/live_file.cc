// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "live_file.h"

#include <sys/stat.h>

#include <algorithm>

#include "exit_drain.h"
#include "one_per_process.h"

namespace uringfs {

LiveFile::LiveFile(std::unique_ptr<LogStore> log, FileKind kind,
                   std::shared_ptr<FsStats> stats, BufferShare buffers)
    : stats_(std::move(stats)),
      buffers_(std::move(buffers)),
      log_(std::move(log)),
      kind_(kind) {
  stats_->Opened(log_.get(), kind);
}

LiveFile::~LiveFile() { stats_->Closed(log_.get()); }

Status LiveFile::Settle() {
  if (plain()) {
    return Status::Ok();
  }
  Status status = log_->Settle();
  // Closed meanwhile: then it is exact.
  return plain() ? Status::Ok() : status;
}

Status LiveFile::LeaveSideFile() {
  if (plain()) {
    return Status::Ok();
  }
  Status status = log_->LeaveSideFile();
  // Closed beside us: exact, and its side file is gone.
  return status.code() == Status::Code::kClosed ? Status::Ok() : status;
}

Status LiveFile::SettleForGood(std::chrono::milliseconds limit) {
  if (plain()) {
    return Status::Ok();
  }
  Status status = log_->SettleForGood(limit);
  return status.code() == Status::Code::kClosed ? Status::Ok() : status;
}

Status LiveFile::Close() {
  Status status = log_->Close();
  // Only now is the file on disk the logical file.
  plain_.store(true, std::memory_order_release);
  stats_->Closed(log_.get());
  return status;
}

bool LiveFile::ReadableSize(uint64_t* size, Status* status) {
  if (plain()) {
    return false;
  }
  if (log_->hi_written() < log_->size()) {
    *status = log_->WriteOut();
    // Of bytes that nobody was promised the error is the writer's to hear. But
    // what was promised is not to be read as if it had never been there.
    if (log_->hi_written() >= log_->hi_flushed()) {
      *status = Status::Ok();
    } else if (!status->ok()) {
      // RocksDB takes Corruption of a WAL for its end.
      *status = Status::IoError(status->ToString());
    }
  }
  *size = log_->hi_written();
  return true;
}

namespace {

// Files with static storage may be closed at exit. After a fork the files are
// the parent's: the child sees them as it would those of any other process.
OnePerProcess<LiveFiles> the_files;

// For a log that nobody else knows yet.
constexpr std::chrono::milliseconds kLimitOfNew(1000);

}  // namespace

LiveFiles& LiveFiles::OfProcess() { return the_files.Get(); }
LiveFiles* LiveFiles::IfThereAreAny() { return the_files.IfMade(); }

Status LiveFiles::Open(const std::string& path, const LogOptions& options,
                       FileKind kind, const std::shared_ptr<FsStats>& stats,
                       BufferShare buffers, std::shared_ptr<LiveFile>* file) {
  if (kind == FileKind::kWal) {
    DrainAtExit();
  }
  const MutexLock lock(&mutex_);
  // Before the file can be seen, so that Find does not pass the lock by.
  count_.fetch_add(1, std::memory_order_seq_cst);
  std::unique_ptr<LogStore> log;
  Status status = LogStore::Open(path, options, &log);
  if (status.ok()) {
    *file = std::make_shared<LiveFile>(std::move(log), kind, stats,
                                       std::move(buffers));
    // Within the lock: who leaves finds the file in the table, or we see here
    // that he has begun to.
    if (kind == FileKind::kWal && is_leaving()) {
      static_cast<void>((*file)->SettleForGood(kLimitOfNew));
    }
    Insert(*file);
  }
  count_.store(files_.size(), std::memory_order_seq_cst);
  return status;
}

void LiveFiles::Insert(const std::shared_ptr<LiveFile>& file) {
  std::shared_ptr<LiveFile>& place =
      files_[{file->log()->device_id(), file->log()->inode()}];
  if (place != nullptr && place->kind() == FileKind::kWal) {
    wals_.fetch_sub(1);
  }
  place = file;
  wals_.fetch_add(file->kind() == FileKind::kWal ? 1 : 0);
}

std::vector<std::shared_ptr<LiveFile>> LiveFiles::OpenWals(
    const FsStats* owner) const {
  std::vector<std::shared_ptr<LiveFile>> found;
  const MutexLock lock(&mutex_);
  for (const auto& entry : files_) {
    const LiveFile& file = *entry.second;
    if (file.kind() == FileKind::kWal && !file.plain() &&
        (owner == nullptr || file.owner() == owner)) {
      found.push_back(entry.second);
    }
  }
  return found;
}

std::vector<std::shared_ptr<LiveFile>> LiveFiles::WalsToSettle(
    const FsStats* owner) const {
  std::vector<std::shared_ptr<LiveFile>> found = OpenWals(owner);
  found.erase(
      std::remove_if(found.begin(), found.end(),
                     [](const auto& file) { return !file->IsFirstToSettle(); }),
      found.end());
  return found;
}

void LiveFiles::Remove(const LiveFile& file) {
  // Outlives the lock: it may be the last reference.
  std::shared_ptr<LiveFile> removed;
  const MutexLock lock(&mutex_);
  const auto found =
      files_.find({file.log()->device_id(), file.log()->inode()});
  if (found != files_.end() && found->second.get() == &file) {
    removed = std::move(found->second);
    files_.erase(found);
    wals_.fetch_sub(removed->kind() == FileKind::kWal ? 1 : 0);
    count_.store(files_.size(), std::memory_order_seq_cst);
  }
}

std::shared_ptr<LiveFile> LiveFiles::Find(const std::string& path) const {
  // seq_cst here and in Open: who has seen the file through the kernel sees
  // the count, which was raised before the file was made.
  if (count_.load(std::memory_order_seq_cst) == 0) {
    return nullptr;
  }
  const MutexLock lock(&mutex_);
  std::shared_ptr<LiveFile> file = Lookup(path);
  return file != nullptr && file->plain() ? nullptr : file;
}

std::shared_ptr<LiveFile> LiveFiles::Lookup(const std::string& path) const {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    return nullptr;
  }
  const auto found = files_.find({status.st_dev, status.st_ino});
  return found == files_.end() ? nullptr : found->second;
}

Status LiveFiles::Settle(const std::string& path) const {
  const std::shared_ptr<LiveFile> file = Find(path);
  return file ? file->Settle() : Status::Ok();
}

void LiveFiles::Detach(const std::string& path) {
  const std::shared_ptr<LiveFile> file = Find(path);
  if (file) {
    file->Detach();
  }
}

bool LiveFiles::Holds(const std::string& path) const {
  if (count_.load(std::memory_order_seq_cst) == 0) {
    return false;
  }
  const MutexLock lock(&mutex_);
  return Lookup(path) != nullptr;
}

std::vector<std::shared_ptr<LiveFile>> LiveFiles::FilesBeside(
    const std::string& path) const {
  const std::string directory = DirectoryOf(path);
  std::vector<std::shared_ptr<LiveFile>> found;
  const MutexLock lock(&mutex_);
  for (const auto& entry : files_) {
    if (DirectoryOf(entry.second->log()->path()) == directory) {
      found.push_back(entry.second);
    }
  }
  return found;
}

void LiveFiles::WriteOutForManifest(const FsStats* owner) const {
  for (const std::shared_ptr<LiveFile>& wal : OpenWals(owner)) {
    // An error is its writer's to hear.
    static_cast<void>(wal->log()->WriteOut());
  }
}

bool LiveFiles::HoldsAnyBeside(const std::string& path) const {
  return !FilesBeside(path).empty();
}

Status LiveFiles::LeaveSideFilesBeside(const std::string& path,
                                       std::string* reason) const {
  Status first;
  for (const std::shared_ptr<LiveFile>& file : FilesBeside(path)) {
    const std::string& other = file->log()->path();
    if (!IsWalName(other) || !IsEarlierWal(other, path)) {
      continue;
    }
    Status status = file->LeaveSideFile();
    const IoChoice choice = file->log()->io_choice();
    *reason = choice.lost_shared_ring ? choice.reason : *reason;
    first = first.ok() ? status : first;
  }
  return first;
}

}  // namespace uringfs
