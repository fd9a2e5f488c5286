// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "writable_file.h"

#include <fcntl.h>

#include <optional>
#include <string_view>
#include <utility>

#include "handed_checksum.h"
#include "io_status.h"

namespace uringfs {

// RocksDB's hints are the kernel's by number, so that one is passed as the
// other.
static_assert(rdb::Env::WLTH_NOT_SET == RWH_WRITE_LIFE_NOT_SET &&
                  rdb::Env::WLTH_SHORT == RWH_WRITE_LIFE_SHORT &&
                  rdb::Env::WLTH_EXTREME == RWH_WRITE_LIFE_EXTREME,
              "write lifetime hints must be translated");

UringWritableFile::UringWritableFile(std::shared_ptr<LiveFile> live,
                                     const rdb::FileOptions& options,
                                     Hooks hooks)
    : rdb::FSWritableFile(options),
      live_(std::move(live)),
      hooks_(std::move(hooks)),
      handed_type_(options.handoff_checksum_type),
      flush_is_lazy_(live_->kind() == FileKind::kData &&
                     IsReadOnlyOnceSynced(options)) {
#if URINGFS_ROCKSDB_GE(10, 1)
  if (options.write_hint != rdb::Env::WLTH_NOT_SET) {
    live_->log()->SetWriteLifetimeHint(options.write_hint);
  }
#endif
}

UringWritableFile::~UringWritableFile() {
  // Nobody is left to hear of an error.
  const Status status = CloseOnce();
  static_cast<void>(status);
}

Status UringWritableFile::CloseOnce() {
  if (hooks_.after_flush) {
    hooks_.after_flush();
  }
  Status status = live_->Close();
  LiveFiles::OfProcess().Remove(*live_);
  return status;
}

void UringWritableFile::BeforeAppend(const rdb::Slice& data) {
  if (hooks_.before_first && !data.empty()) {
    std::exchange(hooks_.before_first,
                  nullptr)(std::string_view(data.data(), data.size()));
  }
}

rdb::IOStatus UringWritableFile::Append(const rdb::Slice& data,
                                        const rdb::IOOptions&,
                                        rdb::IODebugContext*) {
  BeforeAppend(data);
  return ToIOStatus(
      live_->log()->Append(std::string_view(data.data(), data.size())));
}

rdb::IOStatus UringWritableFile::Append(const rdb::Slice& data,
                                        const rdb::IOOptions& options,
                                        const rdb::DataVerificationInfo& info,
                                        rdb::IODebugContext* dbg) {
  const std::optional<uint32_t> crc32c = HandedCrc32c(handed_type_, info);
  if (!crc32c.has_value()) {
    return Append(data, options, dbg);
  }
  BeforeAppend(data);
  return ToIOStatus(live_->log()->AppendChecked(
      std::string_view(data.data(), data.size()), *crc32c));
}

rdb::IOStatus UringWritableFile::Truncate(uint64_t size, const rdb::IOOptions&,
                                          rdb::IODebugContext*) {
  return ToIOStatus(live_->log()->Truncate(size));
}

rdb::IOStatus UringWritableFile::Close(const rdb::IOOptions&,
                                       rdb::IODebugContext*) {
  return ToIOStatus(CloseOnce());
}

rdb::IOStatus UringWritableFile::Flush(const rdb::IOOptions&,
                                       rdb::IODebugContext*) {
  if (flush_is_lazy_) {
    // Full buffers are on their way already.
    return ToIOStatus(live_->log()->error());
  }
  const Status status = live_->log()->Flush();
  if (hooks_.after_flush) {
    hooks_.after_flush();
  }
  return ToIOStatus(status);
}

rdb::IOStatus UringWritableFile::Sync(const rdb::IOOptions&,
                                      rdb::IODebugContext*) {
  return ToIOStatus(live_->log()->Sync(SyncKind::kData));
}

rdb::IOStatus UringWritableFile::Fsync(const rdb::IOOptions&,
                                       rdb::IODebugContext*) {
  return ToIOStatus(live_->log()->Sync(SyncKind::kFull));
}

rdb::IOStatus UringWritableFile::RangeSync(uint64_t offset, uint64_t nbytes,
                                           const rdb::IOOptions&,
                                           rdb::IODebugContext*) {
  if (!strict_bytes_per_sync_) {
    // The call asks for writeback to begin; direct writes are under way.
    return rdb::IOStatus::OK();
  }
  const uint64_t size = live_->log()->size();
  const uint64_t end =
      nbytes < size && offset <= size - nbytes ? offset + nbytes : size;
  return ToIOStatus(live_->log()->SyncTo(end));
}

void UringWritableFile::SetWriteLifeTimeHint(rdb::Env::WriteLifeTimeHint hint) {
  write_hint_ = hint;
  live_->log()->SetWriteLifetimeHint(hint);
}

uint64_t UringWritableFile::GetFileSize(const rdb::IOOptions&,
                                        rdb::IODebugContext*) {
  return live_->log()->size();
}

rdb::IOStatus UringWritableFile::InvalidateCache(size_t, size_t) {
  // Nothing of ours is kept in a cache, but for short files.
  return rdb::IOStatus::OK();
}

rdb::IOStatus UringWritableFile::Allocate(uint64_t, uint64_t,
                                          const rdb::IOOptions&,
                                          rdb::IODebugContext*) {
  // The log gives long files their space itself, in larger steps.
  return rdb::IOStatus::OK();
}

}  // namespace uringfs
