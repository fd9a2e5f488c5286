// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "test/support/fake_device.h"

#include <cstring>
#include <utility>

#include "src/base/aligned_buffer.h"
#include "src/base/assert.h"
#include "src/device/check_write.h"

namespace uringfs::test {

FakeDevice::FakeDevice(std::shared_ptr<FakeDisk> disk)
    : disk_(std::move(disk)) {}

FakeDevice::~FakeDevice() { URINGFS_CHECK_EQ(disk_->in_flight(), 0u); }

OpenedDevice FakeDevice::Open(std::shared_ptr<FakeDisk> disk) {
  OpenedDevice opened;
  opened.size_bytes = disk->size();
  opened.identity.device = 1;
  opened.identity.inode = 1;
  opened.device = std::make_unique<FakeDevice>(std::move(disk));
  return opened;
}

void FakeDevice::Submit(Write* write) {
  URINGFS_CHECK(!closed_);
  disk_->Submit(write);
}

size_t FakeDevice::Reap(size_t min_count, Write** done, size_t capacity) {
  return disk_->Reap(min_count, done, capacity);
}

Status FakeDevice::MakeDurable(SyncKind) {
  URINGFS_CHECK(!closed_);
  return disk_->MakeDurable();
}

Status FakeDevice::Resize(uint64_t bytes) {
  URINGFS_CHECK(!closed_);
  return disk_->Resize(bytes);
}

Status FakeDevice::Extend(uint64_t from, uint64_t to) {
  URINGFS_CHECK(!closed_);
  return disk_->Extend(from, to);
}

Status FakeDevice::Allocate(uint64_t from, uint64_t to) {
  URINGFS_CHECK(!closed_);
  return disk_->Allocate(from, to);
}

Status FakeDevice::Read(uint64_t offset, char* data, size_t bytes,
                        size_t* got) {
  URINGFS_CHECK(!closed_);
  CheckRead(offset, data, bytes);
  return disk_->Read(offset, data, bytes, got);
}

// As the page cache does it in time: whole blocks, then the size.
Status FakeDevice::WriteCached(uint64_t offset, const char* data,
                               size_t bytes) {
  const uint64_t begin = AlignDown(offset, kDeviceBlockBytes);
  const auto head = static_cast<size_t>(offset - begin);
  AlignedBuffer blocks;
  Status status = AlignedBuffer::Allocate(
      AlignUp(head + bytes, kDeviceBlockBytes), &blocks);
  if (!status.ok()) {
    return status;
  }
  std::memset(blocks.data(), 0, blocks.bytes());
  size_t got = 0;
  status = disk_->Read(begin, blocks.data(), blocks.bytes(), &got);
  if (!status.ok()) {
    return status;
  }
  std::memcpy(blocks.data() + head, data, bytes);
  Write write;
  write.offset = begin;
  write.segments[0] = {blocks.data(), static_cast<uint32_t>(blocks.bytes())};
  write.segment_count = 1;
  Submit(&write);
  Write* done = nullptr;
  (void)Reap(1, &done, 1);
  disk_->CountCachedWrite();
  const uint64_t end = begin + std::max(got, head + bytes);
  return write.error == 0 ? Resize(end)
                          : Status::FromErrno(write.error, "write", "fake");
}

Status FakeDevice::Close() {
  if (!closed_) {
    closed_ = true;
    close_status_ = disk_->Close();
  }
  return close_status_;
}

void FakeDevice::SetLifetimeHint(int) {}

size_t FakeDevice::in_flight() const { return disk_->in_flight(); }

size_t FakeDevice::max_in_flight() const { return disk_->max_in_flight(); }

IoChoice FakeDevice::choice() const {
  IoChoice choice;
  choice.uses_direct_io = true;
  choice.reason = "a fake device";
  return choice;
}

}  // namespace uringfs::test
