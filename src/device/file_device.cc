// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/device/file_device.h"

#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <utility>

#include "src/base/assert.h"
#include "src/device/check_write.h"

namespace uringfs {

FileDevice::FileDevice(std::unique_ptr<DirectFile> file, const IoChoice& choice)
    : file_(std::move(file)), choice_(choice) {
  file_->AddReason(choice.reason);
  finished_.reserve(kMaxInFlight);
}

FileDevice::~FileDevice() { URINGFS_CHECK_EQ(in_flight_, 0u); }

void FileDevice::Admit(Write* write) {
  CheckWrite(*write);
  URINGFS_CHECK_LT(in_flight_, kMaxInFlight);
  write->error = 0;
  write->done_bytes = 0;
  write->attempts = 0;
  file_->StopCaching();
  ++in_flight_;
}

void FileDevice::Finish(Write* write) {
  URINGFS_CHECK_LT(finished_.size(), in_flight_);
  finished_.push_back(write);
}

size_t FileDevice::TakeFinished(Write** done, size_t capacity) {
  const size_t count = std::min(capacity, finished_.size());
  const auto end = finished_.begin() + static_cast<std::ptrdiff_t>(count);
  std::copy(finished_.begin(), end, done);
  finished_.erase(finished_.begin(), end);
  in_flight_ -= count;
  return count;
}

Status FileDevice::MakeDurable(SyncKind kind) {
  return file_->MakeDurable(kind);
}

Status FileDevice::Resize(uint64_t bytes) {
  URINGFS_CHECK_EQ(in_flight_, 0u);
  return file_->Resize(bytes);
}

Status FileDevice::Extend(uint64_t from, uint64_t to) {
  CheckRange(from, to);
  return Offered(file_->Extend(from, to), "no zeros ahead");
}

Status FileDevice::Allocate(uint64_t from, uint64_t to) {
  CheckRange(from, to);
  return Offered(file_->Allocate(from, to), "no space ahead");
}

Status FileDevice::Offered(Status status, const char* what) {
  if (!status.ok() && status.code() != Status::Code::kNotSupported) {
    file_->AddReason(std::string(what) + ": " + status.ToString());
  }
  return status;
}

Status FileDevice::Read(uint64_t offset, char* data, size_t bytes,
                        size_t* got) {
  CheckRead(offset, data, bytes);
  return file_->Read(offset, data, bytes, got);
}

void FileDevice::WriteNow(Write* write) {
  Admit(write);
  file_->FinishByPwrite(write);
  Finish(write);
}

Status FileDevice::WriteCached(uint64_t offset, const char* data,
                               size_t bytes) {
  URINGFS_CHECK_EQ(in_flight_, 0u);
  return file_->WriteCached(offset, data, bytes);
}

Status FileDevice::WriteBack() { return file_->WriteBack(); }

bool FileDevice::HasName() const {
  struct stat stat = {};
  return ::fstat(file_->fd(), &stat) != 0 || stat.st_nlink > 0;
}

Status FileDevice::Close() {
  URINGFS_CHECK_EQ(in_flight_, 0u);
  return file_->Close();
}

void FileDevice::SetLifetimeHint(int hint) { file_->SetLifetimeHint(hint); }

IoChoice FileDevice::choice() const {
  IoChoice choice = choice_;
  choice.uses_direct_io = file_->direct();
  choice.reason = file_->reason();
  return choice;
}

}  // namespace uringfs
