// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "base_file.h"

#include "file_size_signal.h"
#include "live_file.h"

namespace uringfs {

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
  return target()->Append(data, options, dbg);
}

rdb::IOStatus BaseFile::Append(const rdb::Slice& data,
                               const rdb::IOOptions& options,
                               const rdb::DataVerificationInfo& info,
                               rdb::IODebugContext* dbg) {
  BeforeAppend();
  const NoFileSizeSignal no_signal;
  return target()->Append(data, options, info, dbg);
}

rdb::IOStatus BaseFile::PositionedAppend(const rdb::Slice& data,
                                         uint64_t offset,
                                         const rdb::IOOptions& options,
                                         rdb::IODebugContext* dbg) {
  const NoFileSizeSignal no_signal;
  return target()->PositionedAppend(data, offset, options, dbg);
}

rdb::IOStatus BaseFile::PositionedAppend(const rdb::Slice& data,
                                         uint64_t offset,
                                         const rdb::IOOptions& options,
                                         const rdb::DataVerificationInfo& info,
                                         rdb::IODebugContext* dbg) {
  const NoFileSizeSignal no_signal;
  return target()->PositionedAppend(data, offset, options, info, dbg);
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

rdb::IOStatus BaseFile::Close(const rdb::IOOptions& options,
                              rdb::IODebugContext* dbg) {
  const uint64_t bytes =
      demand_ != nullptr ? target()->GetFileSize(options, dbg) : 0;
  rdb::IOStatus status = target()->Close(options, dbg);
  if (demand_ != nullptr && status.ok()) {
    demand_->Closed(path_, bytes, /*is_cached=*/true);
  }
  return status;
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
