// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// FakeDevice: a Device on a FakeDisk, for tests that need a certain order of
// completions, certain failures, or a power loss at a certain instant.
//
// It checks its caller: alignment, writes in flight that overlap, and memory
// that changes between Submit and completion each end the process.
//
// THREADS: as Device.

#ifndef URINGFS_TEST_SUPPORT_FAKE_DEVICE_H_
#define URINGFS_TEST_SUPPORT_FAKE_DEVICE_H_

#include <memory>

#include "src/device/device.h"
#include "src/device/open_device.h"
#include "test/support/fake_disk.h"

namespace uringfs::test {

class FakeDevice : public Device {
 public:
  explicit FakeDevice(std::shared_ptr<FakeDisk> disk);
  ~FakeDevice() override;

  // As OpenDevice of a file that stands on `disk`, in mode kResume.
  static OpenedDevice Open(std::shared_ptr<FakeDisk> disk);

  void Submit(Write* write) override;
  void WriteNow(Write* write) override { Submit(write); }
  size_t Reap(size_t min_count, Write** done, size_t capacity) override;
  Status MakeDurable(SyncKind kind) override;
  Status Resize(uint64_t bytes) override;
  Status Extend(uint64_t from, uint64_t to) override;
  Status Allocate(uint64_t from, uint64_t to) override;
  Status Read(uint64_t offset, char* data, size_t bytes, size_t* got) override;
  Status WriteCached(uint64_t offset, const char* data, size_t bytes) override;
  Status WriteBack() override { return Status::Ok(); }
  Status Close() override;
  void SetLifetimeHint(int hint) override;
  size_t in_flight() const override;
  size_t max_in_flight() const override;
  IoChoice choice() const override;

 private:
  const std::shared_ptr<FakeDisk> disk_;
  bool closed_ = false;
  Status close_status_;
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_SUPPORT_FAKE_DEVICE_H_
