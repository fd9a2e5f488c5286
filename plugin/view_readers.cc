// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "view_readers.h"

#include <utility>

#include "io_status.h"

namespace uringfs {
namespace {

rdb::IOStatus ReadView(const LogView& view, uint64_t offset, size_t n,
                       rdb::Slice* result, char* scratch) {
  size_t got = 0;
  const Status status = view.Read(offset, n, scratch, &got);
  *result = rdb::Slice(scratch, got);
  return ToIOStatus(status);
}

}  // namespace

ViewSequentialFile::ViewSequentialFile(std::unique_ptr<LogView> view)
    : view_(std::move(view)) {}

rdb::IOStatus ViewSequentialFile::Read(size_t n, const rdb::IOOptions&,
                                       rdb::Slice* result, char* scratch,
                                       rdb::IODebugContext*) {
  rdb::IOStatus status = ReadView(*view_, position_, n, result, scratch);
  position_ += result->size();
  return status;
}

rdb::IOStatus ViewSequentialFile::Skip(uint64_t n) {
  position_ += n;
  return rdb::IOStatus::OK();
}

rdb::IOStatus ViewSequentialFile::PositionedRead(uint64_t offset, size_t n,
                                                 const rdb::IOOptions&,
                                                 rdb::Slice* result,
                                                 char* scratch,
                                                 rdb::IODebugContext*) {
  return ReadView(*view_, offset, n, result, scratch);
}

rdb::IOStatus ViewSequentialFile::InvalidateCache(size_t, size_t) {
  // What is read anew is always the newest.
  return rdb::IOStatus::OK();
}

ViewRandomAccessFile::ViewRandomAccessFile(std::unique_ptr<LogView> view)
    : view_(std::move(view)) {}

rdb::IOStatus ViewRandomAccessFile::Read(uint64_t offset, size_t n,
                                         const rdb::IOOptions&,
                                         rdb::Slice* result, char* scratch,
                                         rdb::IODebugContext*) const {
  return ReadView(*view_, offset, n, result, scratch);
}

rdb::IOStatus ViewRandomAccessFile::InvalidateCache(size_t, size_t) {
  return rdb::IOStatus::OK();
}

#if URINGFS_ROCKSDB_GE(10, 5)
rdb::IOStatus ViewRandomAccessFile::GetFileSize(uint64_t* size) {
  return ToIOStatus(view_->Size(size));
}
#endif

}  // namespace uringfs
