// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "cache_demand.h"

#include <unistd.h>

#include <ctime>
#include <iterator>
#include <utility>

#include "free_memory.h"

namespace uringfs {
namespace {

constexpr int64_t kNever = INT64_MIN / 2;

time_t BootTime() {
  timespec now = {};
  timespec since_boot = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return now.tv_sec - since_boot.tv_sec;
}

bool IsInCache(const FileHeat& file) {
  const Heat heat = file.heat.load(std::memory_order_relaxed);
  return heat == Heat::kWarm || heat == Heat::kWaiting;
}

}  // namespace

CacheDemand::CacheDemand(const UringFsOptions& options,
                         const std::shared_ptr<FsStats>& stats,
                         uint64_t max_bytes)
    : policy_(options.data_cache),
      cached_bytes_(options.data_cached_bytes),
      stats_(stats),
      max_bytes_(max_bytes),
      process_(::getpid()),
      last_read_(kNever) {}

int64_t CacheDemand::Now() {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec;
}

bool CacheDemand::IsForked() const { return process_ != ::getpid(); }

void CacheDemand::Read(int64_t now) {
  if (last_read_.load(std::memory_order_relaxed) != now) {
    last_read_.store(now, std::memory_order_relaxed);
  }
}

std::shared_ptr<FileHeat> CacheDemand::Find(const std::string& path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : found->second->file;
}

void CacheDemand::Drop(const std::string& path) {
  const auto found = by_path_.find(path);
  if (found != by_path_.end()) {
    known_.erase(found->second);
    by_path_.erase(found);
  }
}

void CacheDemand::Remember(const std::string& path,
                           std::shared_ptr<FileHeat> file) {
  Drop(path);
  if (known_.size() == kMaxFiles) {
    by_path_.erase(known_.front().path);
    known_.pop_front();
  }
  known_.push_back({path, std::move(file)});
  by_path_[path] = std::prev(known_.end());
}

bool CacheDemand::AreUsersReading(int64_t now) const {
  return policy_ == DataCache::kWarm ||
         now - last_read_.load(std::memory_order_relaxed) < kLasts;
}

bool CacheDemand::WantsCached(int64_t now) {
  if (IsForked() || !AreUsersReading(now)) {
    return false;
  }
  const MutexLock lock(&mutex_);
  return MayHave(kUsualBytes);
}

void CacheDemand::Closed(const std::string& path, uint64_t bytes,
                         bool is_cached, int64_t now) {
  if (IsForked() || bytes <= cached_bytes_) {
    return;
  }
  const auto file = std::make_shared<FileHeat>();
  file->bytes = bytes;
  file->stats = stats_;
  file->heat.store(is_cached ? Heat::kWarm : Heat::kCold,
                   std::memory_order_relaxed);
  {
    const MutexLock lock(&mutex_);
    Remember(path, file);
  }
  if (!is_cached && AreUsersReading(now)) {
    Want(path, file);
  }
}

// What is in the cache already is part of what can be had.
bool CacheDemand::MayHave(uint64_t bytes) const {
  for (const Known& known : known_) {
    bytes += IsInCache(*known.file) ? known.file->bytes : 0;
  }
  return bytes <=
         (max_bytes_ != 0 ? max_bytes_ : FreeMemory().Reclaimable() / 2);
}

void CacheDemand::Want(const std::string& path,
                       const std::shared_ptr<FileHeat>& file) {
  if (IsForked()) {
    return;
  }
  CacheWarmer& warmer = CacheWarmer::OfProcess();
  if (!warmer.HasRoom()) {
    return;
  }
  const MutexLock lock(&mutex_);
  if (file->heat.load(std::memory_order_relaxed) != Heat::kCold) {
    return;  // somebody else was here first
  }
  if (MayHave(file->bytes)) {
    warmer.Warm(path, file);
  } else {
    file->heat.store(Heat::kPassedOver, std::memory_order_relaxed);
  }
}

void CacheDemand::Renamed(const std::string& from, const std::string& to) {
  if (!IsForked()) {
    const MutexLock lock(&mutex_);
    const std::shared_ptr<FileHeat> file = Find(from);
    Drop(from);
    Drop(to);
    if (file != nullptr) {
      Remember(to, file);
    }
  }
}

void CacheDemand::Linked(const std::string& from, const std::string& to) {
  if (!IsForked()) {
    const MutexLock lock(&mutex_);
    if (const std::shared_ptr<FileHeat> file = Find(from)) {
      Remember(to, file);
    }
  }
}

void CacheDemand::Forget(const std::string& path) {
  if (!IsForked()) {
    const MutexLock lock(&mutex_);
    Drop(path);
  }
}

std::shared_ptr<FileHeat> CacheDemand::Opened(const std::string& path,
                                              const struct stat& stat) {
  if (IsForked()) {
    return nullptr;
  }
  const MutexLock lock(&mutex_);
  std::shared_ptr<FileHeat> file = Find(path);
  if (file == nullptr && policy_ == DataCache::kAuto &&
      stat.st_mtime >= BootTime()) {
    file = std::make_shared<FileHeat>();
    file->bytes = static_cast<uint64_t>(stat.st_size);
    file->memory = CacheMemory::kUnused;
    file->stats = stats_;
    Remember(path, file);
  }
  return file;
}

DemandReader::DemandReader(std::unique_ptr<rdb::FSRandomAccessFile>&& base,
                           std::string path, const struct stat& stat,
                           std::shared_ptr<CacheDemand> demand)
    : FSRandomAccessFileOwnerWrapper(std::move(base)),
      path_(std::move(path)),
      demand_(std::move(demand)),
      file_(demand_->Opened(path_, stat)) {}

void DemandReader::Count(size_t reads) const {
  const size_t before = reads_.load(std::memory_order_relaxed);
  if (before < kReads) {
    reads_.store(before + reads, std::memory_order_relaxed);
    return;
  }
  demand_->Read();
  if (file_ != nullptr &&
      file_->heat.load(std::memory_order_relaxed) == Heat::kCold) {
    demand_->Want(path_, file_);
  }
}

// Reads of compactions look like users' in blob files, and where an Env in
// between has lost their priority. They go forward through the file, once, and
// those of users jump; who reads a file from one end to the other would gain
// next to nothing.
rdb::IOStatus DemandReader::Read(uint64_t offset, size_t n,
                                 const rdb::IOOptions& options,
                                 rdb::Slice* result, char* scratch,
                                 rdb::IODebugContext* dbg) const {
  // Once it is counted enough nobody else's cache line is written to.
  if (IsUserRead(options) &&
      (reads_.load(std::memory_order_relaxed) >= kReads ||
       last_.exchange(offset, std::memory_order_relaxed) >= offset)) {
    Count(1);
  }
  return target()->Read(offset, n, options, result, scratch, dbg);
}

rdb::IOStatus DemandReader::MultiRead(rdb::FSReadRequest* requests,
                                      size_t count,
                                      const rdb::IOOptions& options,
                                      rdb::IODebugContext* dbg) {
  if (IsUserRead(options)) {
    Count(count);
  }
  return target()->MultiRead(requests, count, options, dbg);
}

}  // namespace uringfs
