// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "compaction_reader.h"

#include <algorithm>
#include <utility>

namespace uringfs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kIdle = std::chrono::seconds(1);
// A read of that much is worth a stream by itself.
constexpr size_t kLargeRead = size_t{256} << 10;
// What may be left out between two reads that follow one another.
constexpr uint64_t kGap = uint64_t{64} << 10;

// Nobody replaces a table; if somebody did all the same, the reader that is
// open and its path would not be the same file.
bool IsStill(const std::string& path, const struct stat& file) {
  struct stat now = {};
  return ::stat(path.c_str(), &now) == 0 && now.st_dev == file.st_dev &&
         now.st_ino == file.st_ino && now.st_size == file.st_size &&
         now.st_mtim.tv_sec == file.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == file.st_mtim.tv_nsec;
}

}  // namespace

bool ReadStreams::Open(const std::string& path, const struct stat& file,
                       const std::shared_ptr<ReadStream>& stream,
                       bool* is_hopeless) {
  if (static_cast<uint64_t>(file.st_size) <= cached_bytes_) {
    *is_hopeless = true;
    return false;
  }
  BufferShare memory = budget_.Take(max_bytes_, kWindowBytes, 2);
  if (memory.count() == 0) {
    Reclaim();
    memory = budget_.Take(max_bytes_, kWindowBytes, 2);
  }
  if (memory.count() == 0) {
    return false;
  }
  const Status status = ReadAhead::Open(path, kWindowBytes, &stream->ahead);
  if (!status.ok() || !IsStill(path, file)) {
    *is_hopeless = true;
    stream->ahead.reset();
    return false;
  }
  stream->memory = std::move(memory);
  const std::lock_guard<std::mutex> lock(mutex_);
  open_.erase(std::remove_if(open_.begin(), open_.end(),
                             [](const auto& entry) { return entry.expired(); }),
              open_.end());
  open_.push_back(stream);
  return true;
}

// (The stream that it is done for is not among them: it is not open.)
void ReadStreams::Reclaim() {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto now = Clock::now();
  const auto is_gone = [&](const std::weak_ptr<ReadStream>& entry) {
    const std::shared_ptr<ReadStream> stream = entry.lock();
    if (stream == nullptr) {
      return true;
    }
    const std::unique_lock<std::mutex> held(stream->mutex, std::try_to_lock);
    if (!held.owns_lock() || now - stream->last_use < kIdle) {
      return false;
    }
    stream->ahead.reset();
    stream->memory = {};
    return true;
  };
  open_.erase(std::remove_if(open_.begin(), open_.end(), is_gone), open_.end());
}

CompactionReader::CompactionReader(
    std::unique_ptr<rdb::FSRandomAccessFile>&& base, std::string path,
    const struct stat& file, std::shared_ptr<ReadStreams> streams)
    : FSRandomAccessFileOwnerWrapper(std::move(base)),
      path_(std::move(path)),
      file_(file),
      streams_(std::move(streams)),
      stream_(std::make_shared<ReadStream>()) {}

rdb::IOStatus CompactionReader::Read(uint64_t offset, size_t n,
                                     const rdb::IOOptions& options,
                                     rdb::Slice* result, char* scratch,
                                     rdb::IODebugContext* dbg) const {
  if (options.rate_limiter_priority != rocksdb::Env::IO_TOTAL &&
      ReadAheadOf(offset, n, scratch)) {
    *result = rdb::Slice(scratch, n);
    return rdb::IOStatus::OK();
  }
  return target()->Read(offset, n, options, result, scratch, dbg);
}

bool CompactionReader::GoesOn(uint64_t offset, size_t n) const {
  return n >= kLargeRead ||
         (expected_ != 0 && offset >= expected_ && offset - expected_ <= kGap);
}

bool CompactionReader::ReadAheadOf(uint64_t offset, size_t n,
                                   char* scratch) const {
  // Two that read the same file would throw each other's windows away.
  const std::unique_lock<std::mutex> lock(stream_->mutex, std::try_to_lock);
  if (!lock.owns_lock() || is_hopeless_) {
    return false;
  }
  const bool goes_on = GoesOn(offset, n);
  expected_ = offset + n;
  if (!goes_on || (stream_->ahead == nullptr &&
                   !streams_->Open(path_, file_, stream_, &is_hopeless_))) {
    return false;
  }
  stream_->last_use = Clock::now();
  const uint64_t before = stream_->ahead->device_bytes();
  size_t got = 0;
  const Status status = stream_->ahead->Read(offset, n, scratch, &got);
  if (stream_->ahead->device_bytes() != before) {
    streams_->stats()->ReadAhead(stream_->ahead->device_bytes() - before);
  }
  if (!status.ok()) {
    // Errors are the base's to tell.
    is_hopeless_ = true;
    stream_->ahead.reset();
    stream_->memory = {};
  }
  // So is the end of the file.
  return status.ok() && got == n;
}

}  // namespace uringfs
