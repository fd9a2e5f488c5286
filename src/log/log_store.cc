// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "uringfs/log_store.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/base/assert.h"
#include "src/log/log_engine.h"

namespace uringfs {

Reservation::Reservation() = default;
Reservation::Reservation(Reservation&&) noexcept = default;
Reservation::~Reservation() { Commit(); }

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    Commit();
    body_ = std::move(other.body_);
  }
  return *this;
}

uint64_t Reservation::offset() const { return body_ ? body_->offset : 0; }
size_t Reservation::pieces() const { return body_ ? body_->part_count : 0; }

char* Reservation::data(size_t i) const {
  URINGFS_CHECK_LT(i, pieces());
  return body_->parts[i].data;
}

size_t Reservation::bytes(size_t i) const {
  URINGFS_CHECK_LT(i, pieces());
  return body_->parts[i].bytes;
}

void Reservation::Write(uint64_t at, std::string_view bytes) {
  for (size_t i = 0; i < pieces() && !bytes.empty(); ++i) {
    const ClaimPart& part = body_->parts[i];
    if (at >= part.bytes) {
      at -= part.bytes;
      continue;
    }
    const size_t piece = std::min<size_t>(bytes.size(), part.bytes - at);
    std::memcpy(part.data + at, bytes.data(), piece);
    bytes.remove_prefix(piece);
    at = 0;
  }
  URINGFS_CHECK(bytes.empty());
}

void Reservation::Commit() {
  if (body_ == nullptr) {
    return;
  }
  for (size_t i = 0; i < body_->part_count; ++i) {
    body_->engine->Leave(body_->parts[i]);
  }
  body_.reset();
}

Status LogStore::Open(const std::string& path, const LogOptions& options,
                      std::unique_ptr<LogStore>* log) {
  std::unique_ptr<LogEngine> engine;
  Status status = LogEngine::Open(path, options, &engine);
  if (status.ok()) {
    log->reset(new LogStore(std::move(engine)));
  }
  return status;
}

LogStore::LogStore(std::unique_ptr<LogEngine> engine)
    : engine_(std::move(engine)) {}
LogStore::~LogStore() {
  if (engine_ != nullptr && engine_->IsForeign()) {
    // Threads that do not exist here may wait in it, or hold its locks: not
    // even its destructor would return.
    (void)engine_.release();
  }
}

Status LogStore::Append(std::string_view bytes, uint64_t* offset) {
  return engine_->AppendBatch(&bytes, 1, offset);
}
Status LogStore::AppendBatch(const std::string_view* slices, size_t count,
                             uint64_t* offset) {
  return engine_->AppendBatch(slices, count, offset);
}
Status LogStore::AppendChecked(std::string_view bytes, uint32_t crc32c,
                               uint64_t* offset) {
  return engine_->AppendBatch(&bytes, 1, offset, &crc32c);
}
Status LogStore::Reserve(uint64_t bytes, Reservation* reservation) {
  return engine_->Reserve(bytes, reservation);
}
uint64_t LogStore::max_reservation_bytes() const {
  return engine_->max_reservation_bytes();
}
Status LogStore::Flush() { return engine_->Flush(); }
Status LogStore::WriteOut() { return engine_->WriteOut(); }
Status LogStore::LeaveSideFile() { return engine_->LeaveSideFile(); }
Status LogStore::Sync(SyncKind kind) { return engine_->Sync(kind); }
Status LogStore::SyncTo(uint64_t offset, SyncKind kind) {
  return engine_->SyncTo(offset, kind);
}
Status LogStore::Settle() { return engine_->Settle(); }
Status LogStore::SettleForGood(std::chrono::milliseconds limit) {
  return engine_->SettleForGood(limit);
}
Status LogStore::Truncate(uint64_t size) { return engine_->Truncate(size); }
Status LogStore::Close() { return engine_->Close(); }
uint64_t LogStore::size() const { return engine_->size(); }
uint64_t LogStore::hi_written() const { return engine_->hi_written(); }
uint64_t LogStore::hi_stable() const { return engine_->hi_stable(); }
uint64_t LogStore::hi_flushed() const { return engine_->hi_flushed(); }
void LogStore::SetWriteLifetimeHint(int hint) {
  engine_->SetWriteLifetimeHint(hint);
}
Status LogStore::error() const { return engine_->error(); }
LogStats LogStore::stats() const { return engine_->stats(); }
IoChoice LogStore::io_choice() const { return engine_->io_choice(); }
const std::string& LogStore::path() const { return engine_->path(); }
uint64_t LogStore::device_id() const { return engine_->device_id(); }
uint64_t LogStore::inode() const { return engine_->inode(); }

}  // namespace uringfs
