// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "cache_demand.h"

#include <ctime>
#include <utility>

namespace uringfs {
namespace {

time_t BootTime() {
  timespec now = {};
  timespec since_boot = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return now.tv_sec - since_boot.tv_sec;
}

}  // namespace

bool CacheDemand::IsWanted(Clock::time_point now) {
  if (policy_ == DataCache::kWarm) {
    return true;
  }
  if (was_read_.exchange(false, std::memory_order_relaxed)) {
    was_ever_read_ = true;
    last_read_ = now;
  }
  return was_ever_read_ && now - last_read_ < kLasts;
}

void CacheDemand::Closed(const std::string& path, Clock::time_point now) {
  const auto heat = std::make_shared<std::atomic<Heat>>(Heat::kCold);
  bool is_wanted = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_wanted = IsWanted(now);
    if (files_.insert_or_assign(path, heat).second) {
      order_.push_back(path);
    }
    if (order_.size() > kMaxFiles) {
      files_.erase(order_.front());
      order_.pop_front();
    }
  }
  if (is_wanted) {
    CacheWarmer::OfProcess().Warm(path, heat,
                                  CacheWarmer::Memory::kReclaimable);
  }
}

void CacheDemand::Forget(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  files_.erase(path);
}

SharedHeat CacheDemand::HeatOf(const std::string& path) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = files_.find(path);
  return found == files_.end() ? nullptr : found->second;
}

DemandReader::DemandReader(std::unique_ptr<rdb::FSRandomAccessFile>&& base,
                           std::string path, const struct stat& file,
                           std::shared_ptr<CacheDemand> demand)
    : FSRandomAccessFileOwnerWrapper(std::move(base)),
      path_(std::move(path)),
      demand_(std::move(demand)),
      heat_(demand_->HeatOf(path_)) {
  if (heat_ == nullptr && file.st_mtime >= BootTime()) {
    heat_ = std::make_shared<std::atomic<Heat>>(Heat::kCold);
    memory_ = CacheWarmer::Memory::kUnused;
  }
}

// Reads of compactions have a priority, those of users have none.
void DemandReader::Count(const rdb::IOOptions& options, size_t reads) const {
  if (options.rate_limiter_priority != rdb::Env::IO_TOTAL) {
    return;
  }
  const size_t before = reads_.load(std::memory_order_relaxed);
  if (before < kReads) {
    reads_.store(before + reads, std::memory_order_relaxed);
    return;
  }
  demand_->Read();
  if (heat_ != nullptr &&
      heat_->load(std::memory_order_relaxed) == Heat::kCold) {
    CacheWarmer::OfProcess().Warm(path_, heat_, memory_);
  }
}

rdb::IOStatus DemandReader::Read(uint64_t offset, size_t n,
                                 const rdb::IOOptions& options,
                                 rdb::Slice* result, char* scratch,
                                 rdb::IODebugContext* dbg) const {
  Count(options, 1);
  return target()->Read(offset, n, options, result, scratch, dbg);
}

rdb::IOStatus DemandReader::MultiRead(rdb::FSReadRequest* requests,
                                      size_t count,
                                      const rdb::IOOptions& options,
                                      rdb::IODebugContext* dbg) {
  Count(options, count);
  return target()->MultiRead(requests, count, options, dbg);
}

}  // namespace uringfs
