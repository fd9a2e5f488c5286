// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "base_file.h"

#include <optional>

#include "file_size_signal.h"
#include "handed_checksum.h"
#include "live_file.h"

#include "uringfs/internal/crc32c.h"

namespace uringfs {
namespace {

// What the disk gets at once of a data file.
constexpr uint64_t kWriteBackBytes = uint64_t{512} << 10;
constexpr uint64_t kPageBytes = 4096;

// Posix does not name the way out.
rdb::IOStatus WithAdvice(rdb::IOStatus status) {
  if (status.ok() ||
      status.ToString().find("File too large") == std::string::npos) {
    return status;
  }
  return rdb::IOStatus::IOError(
      status.getState(), "raise the file size limit (RLIMIT_FSIZE, ulimit -f)");
}

}  // namespace

void BaseFile::BeforeAppend() const {
  if (owner_ != nullptr) {
    LiveFiles::OfProcess().WriteOutForManifest(owner_.get());
  }
}

rdb::IOStatus BaseFile::Append(const rdb::Slice& data,
                               const rdb::IOOptions& options,
                               rdb::IODebugContext* dbg) {
  BeforeAppend();
  const NoFileSizeSignal no_signal;
  rdb::IOStatus status = WithAdvice(target()->Append(data, options, dbg));
  return status.ok() ? Appended(data.size(), options, dbg) : status;
}

rdb::IOStatus BaseFile::Appended(uint64_t bytes, const rdb::IOOptions& options,
                                 rdb::IODebugContext* dbg) {
  if (stats_ == nullptr) {
    return rdb::IOStatus::OK();
  }
  stats_->Cached(bytes);
  appended_ += bytes;
  // With strict_bytes_per_sync the call would wait, or be a Sync.
  if (is_strict_ || appended_ - written_back_ < kWriteBackBytes) {
    return rdb::IOStatus::OK();
  }
  // The page that the next append goes on in is left out.
  const uint64_t begin = written_back_;
  written_back_ = appended_ / kPageBytes * kPageBytes;
  // Nobody else may be told of an error that it returns.
  return target()->RangeSync(begin, written_back_ - begin, options, dbg);
}

rdb::IOStatus BaseFile::Check(const rdb::Slice& data,
                              const rdb::DataVerificationInfo& info) const {
  const std::optional<uint32_t> crc32c = HandedCrc32c(handed_type_, info);
  if (!crc32c.has_value() || Crc32c(data.data(), data.size()) == *crc32c) {
    return rdb::IOStatus::OK();
  }
  return rdb::IOStatus::Corruption(
      "bytes changed between RocksDB's checksum and the write: memory or "
      "software at fault");
}

rdb::IOStatus BaseFile::Append(const rdb::Slice& data,
                               const rdb::IOOptions& options,
                               const rdb::DataVerificationInfo& info,
                               rdb::IODebugContext* dbg) {
  BeforeAppend();
  const NoFileSizeSignal no_signal;
  rdb::IOStatus status = Check(data, info);
  if (status.ok()) {
    status = WithAdvice(target()->Append(data, options, info, dbg));
  }
  return status.ok() ? Appended(data.size(), options, dbg) : status;
}

rdb::IOStatus BaseFile::PositionedAppend(const rdb::Slice& data,
                                         uint64_t offset,
                                         const rdb::IOOptions& options,
                                         rdb::IODebugContext* dbg) {
  const NoFileSizeSignal no_signal;
  return WithAdvice(target()->PositionedAppend(data, offset, options, dbg));
}

rdb::IOStatus BaseFile::PositionedAppend(const rdb::Slice& data,
                                         uint64_t offset,
                                         const rdb::IOOptions& options,
                                         const rdb::DataVerificationInfo& info,
                                         rdb::IODebugContext* dbg) {
  const NoFileSizeSignal no_signal;
  rdb::IOStatus status = Check(data, info);
  return status.ok() ? WithAdvice(target()->PositionedAppend(
                           data, offset, options, info, dbg))
                     : status;
}

rdb::IOStatus BaseFile::Truncate(uint64_t size, const rdb::IOOptions& options,
                                 rdb::IODebugContext* dbg) {
  const NoFileSizeSignal no_signal;
  return target()->Truncate(size, options, dbg);
}

rdb::IOStatus BaseFile::Allocate(uint64_t offset, uint64_t len,
                                 const rdb::IOOptions& options,
                                 rdb::IODebugContext* dbg) {
  const NoFileSizeSignal no_signal;
  return target()->Allocate(offset, len, options, dbg);
}

void BaseFile::PrepareWrite(size_t offset, size_t len,
                            const rdb::IOOptions& options,
                            rdb::IODebugContext* dbg) {
  size_t block = 0;
  size_t blocks = 0;
  target()->GetPreallocationStatus(&block, &blocks);
  if (offset + len <= uint64_t{block} * blocks || block == 0) {
    return;  // it would allocate nothing
  }
  const NoFileSizeSignal no_signal;
  target()->PrepareWrite(offset, len, options, dbg);
}

}  // namespace uringfs
