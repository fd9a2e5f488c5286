// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Makes a Device of each kind, with memory to write from, for tests that run
// over all of them.

#ifndef URINGFS_TEST_DEVICE_DEVICE_MAKER_H_
#define URINGFS_TEST_DEVICE_DEVICE_MAKER_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "src/base/aligned_buffer.h"
#include "src/device/device.h"
#include "src/device/io_context.h"
#include "src/device/open_device.h"
#include "src/device/sys.h"
#include "test/support/fake_disk.h"
#include "test/support/temp_dir.h"

namespace uringfs::test {

enum class DeviceKind {
  kFake,
  kPwriteDirect,
  kPwriteBuffered,
  kUringRegistered,
  kUringUnregistered,
  kUringBuffered,
};

const char* Name(DeviceKind kind);
bool UsesUring(DeviceKind kind);
std::vector<DeviceKind> AllDeviceKinds();
std::vector<DeviceKind> RealDeviceKinds();
std::string KindName(const testing::TestParamInfo<DeviceKind>& info);

// Empty, or why io_uring is not to be had.
std::string WhyNoUring();
// URINGFS_REQUIRE_URING=1: a CI that is meant to have io_uring must not skip.
bool RequiresUring();

#define URINGFS_SKIP_WITHOUT_URING()                                 \
  do {                                                               \
    const std::string why_no_uring = ::uringfs::test::WhyNoUring();  \
    if (!why_no_uring.empty() && ::uringfs::test::RequiresUring()) { \
      FAIL() << "URINGFS_REQUIRE_URING=1, but " << why_no_uring;     \
    }                                                                \
    if (!why_no_uring.empty()) {                                     \
      GTEST_SKIP() << why_no_uring;                                  \
    }                                                                \
  } while (false)

// A device on a new file and memory that it may have registered.
class DeviceMaker {
 public:
  static constexpr size_t kMemoryBytes = 4u << 20;

  // Null `sys`: the real calls.
  explicit DeviceMaker(DeviceKind kind, Sys* sys = nullptr);
  ~DeviceMaker();

  Device& device() { return *opened_.device; }
  const OpenedDevice& opened() const { return opened_; }
  char* memory() { return memory_.data(); }
  std::string path() const { return dir_.File("file"); }
  FakeDisk* disk() { return disk_.get(); }  // null for files

  // The file as another reader sees it.
  std::string Content() const;

  // A write of `bytes` of memory, from `from` on, to `offset`.
  Write Make(uint64_t offset, size_t from, uint32_t bytes) const;
  // Submits and reaps one write; returns its error.
  int WriteNow(Write* write);

 private:
  TempDir dir_;
  AlignedBuffer memory_;
  std::shared_ptr<FakeDisk> disk_;
  std::unique_ptr<IoContext> context_;
  OpenedDevice opened_;
};

// Fills memory with bytes that tell their place and `seed`.
void FillPattern(char* data, size_t bytes, uint64_t seed);

}  // namespace uringfs::test

#endif  // URINGFS_TEST_DEVICE_DEVICE_MAKER_H_
