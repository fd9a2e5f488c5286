// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "live_readers.h"

#include <algorithm>
#include <utility>

#include "io_status.h"

namespace uringfs {
namespace {

rdb::IOStatus ReadLogical(const rdb::FSRandomAccessFile& base, LiveFile* live,
                          uint64_t offset, size_t n,
                          const rdb::IOOptions& options, rdb::Slice* result,
                          char* scratch, rdb::IODebugContext* dbg) {
  uint64_t end = 0;
  Status status;
  if (live->ReadableSize(&end, &status)) {
    if (!status.ok()) {
      return ToIOStatus(status);
    }
    const uint64_t available = offset < end ? end - offset : 0;
    n = static_cast<size_t>(std::min<uint64_t>(n, available));
  }
  if (n == 0) {
    *result = rdb::Slice(scratch, 0);
    return rdb::IOStatus::OK();
  }
  return base.Read(offset, n, options, result, scratch, dbg);
}

}  // namespace

rdb::FileOptions OptionsForLiveReads(const rdb::FileOptions& options) {
  rdb::FileOptions adapted = options;
  adapted.use_mmap_reads = false;
  adapted.use_direct_reads = false;
  return adapted;
}

LiveSequentialFile::LiveSequentialFile(
    std::unique_ptr<rdb::FSRandomAccessFile> base,
    std::shared_ptr<LiveFile> live)
    : base_(std::move(base)), live_(std::move(live)) {}

rdb::IOStatus LiveSequentialFile::Read(size_t n, const rdb::IOOptions& options,
                                       rdb::Slice* result, char* scratch,
                                       rdb::IODebugContext* dbg) {
  rdb::IOStatus status = ReadLogical(*base_, live_.get(), position_, n, options,
                                     result, scratch, dbg);
  if (status.ok()) {
    position_ += result->size();
  }
  return status;
}

rdb::IOStatus LiveSequentialFile::Skip(uint64_t n) {
  position_ += n;
  return rdb::IOStatus::OK();
}

rdb::IOStatus LiveSequentialFile::PositionedRead(uint64_t offset, size_t n,
                                                 const rdb::IOOptions& options,
                                                 rdb::Slice* result,
                                                 char* scratch,
                                                 rdb::IODebugContext* dbg) {
  return ReadLogical(*base_, live_.get(), offset, n, options, result, scratch,
                     dbg);
}

rdb::IOStatus LiveSequentialFile::InvalidateCache(size_t offset,
                                                  size_t length) {
  return base_->InvalidateCache(offset, length);
}

LiveRandomAccessFile::LiveRandomAccessFile(
    std::unique_ptr<rdb::FSRandomAccessFile> base,
    std::shared_ptr<LiveFile> live)
    : base_(std::move(base)), live_(std::move(live)) {}

rdb::IOStatus LiveRandomAccessFile::Read(uint64_t offset, size_t n,
                                         const rdb::IOOptions& options,
                                         rdb::Slice* result, char* scratch,
                                         rdb::IODebugContext* dbg) const {
  return ReadLogical(*base_, live_.get(), offset, n, options, result, scratch,
                     dbg);
}

size_t LiveRandomAccessFile::GetUniqueId(char* id, size_t max_size) const {
  return base_->GetUniqueId(id, max_size);
}

void LiveRandomAccessFile::Hint(AccessPattern pattern) { base_->Hint(pattern); }

rdb::IOStatus LiveRandomAccessFile::InvalidateCache(size_t offset,
                                                    size_t length) {
  return base_->InvalidateCache(offset, length);
}

#if URINGFS_ROCKSDB_GE(10, 5)
rdb::IOStatus LiveRandomAccessFile::GetFileSize(uint64_t* size) {
  Status status;
  return live_->ReadableSize(size, &status) ? ToIOStatus(status)
                                            : base_->GetFileSize(size);
}
#endif

}  // namespace uringfs
