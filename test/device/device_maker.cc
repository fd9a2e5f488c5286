// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "test/device/device_maker.h"

#include <cstdlib>
#include <cstring>

#include "src/base/assert.h"
#include "test/support/fake_device.h"

namespace uringfs::test {

const char* Name(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::kFake:
      return "Fake";
    case DeviceKind::kPwriteDirect:
      return "PwriteDirect";
    case DeviceKind::kPwriteBuffered:
      return "PwriteBuffered";
    case DeviceKind::kUringRegistered:
      return "UringRegistered";
    case DeviceKind::kUringUnregistered:
      return "UringUnregistered";
    case DeviceKind::kUringBuffered:
      return "UringBuffered";
  }
  return "?";
}

bool UsesUring(DeviceKind kind) {
  return kind == DeviceKind::kUringRegistered ||
         kind == DeviceKind::kUringUnregistered ||
         kind == DeviceKind::kUringBuffered;
}

std::vector<DeviceKind> RealDeviceKinds() {
  return {DeviceKind::kPwriteDirect, DeviceKind::kPwriteBuffered,
          DeviceKind::kUringRegistered, DeviceKind::kUringUnregistered,
          DeviceKind::kUringBuffered};
}

std::vector<DeviceKind> AllDeviceKinds() {
  std::vector<DeviceKind> kinds = RealDeviceKinds();
  kinds.insert(kinds.begin(), DeviceKind::kFake);
  return kinds;
}

std::string KindName(const testing::TestParamInfo<DeviceKind>& info) {
  return Name(info.param);
}

std::string WhyNoUring() {
  IoContext context(nullptr, 0);
  UringQueue* queue = nullptr;
  const Status status = context.Queue(&queue);
  return status.ok() ? "" : status.ToString();
}

bool RequiresUring() {
  const char* required = std::getenv("URINGFS_REQUIRE_URING");
  return required != nullptr && std::strcmp(required, "1") == 0;
}

DeviceMaker::DeviceMaker(DeviceKind kind, Sys* sys) {
  URINGFS_CHECK(AlignedBuffer::Allocate(kMemoryBytes, &memory_).ok());
  FillPattern(memory_.data(), memory_.bytes(), 1);
  if (kind == DeviceKind::kFake) {
    FakeDiskOptions options;
    options.order = CompletionOrder::kRandom;
    disk_ = FakeDisk::Create(options);
    opened_ = FakeDevice::Open(disk_);
    return;
  }
  const bool registered = kind != DeviceKind::kUringUnregistered;
  context_ = std::make_unique<IoContext>(memory_.data(),
                                         registered ? memory_.bytes() : 0, sys);
  LogOptions options;
  const bool buffered =
      kind == DeviceKind::kPwriteBuffered || kind == DeviceKind::kUringBuffered;
  options.direct_io = buffered ? DirectIo::kOff : DirectIo::kOptional;
  options.io_engine = UsesUring(kind) ? IoEngine::kUring : IoEngine::kPwrite;
  const Status status = OpenDevice(path(), options, context_.get(), &opened_);
  EXPECT_TRUE(status.ok()) << status.ToString();
  URINGFS_CHECK(status.ok());
}

DeviceMaker::~DeviceMaker() {
  const size_t left = opened_.device->in_flight();
  std::vector<Write*> done(left);
  opened_.device->Reap(left, done.data(), left);
}

std::string DeviceMaker::Content() const {
  return disk_ != nullptr ? disk_->Image() : ReadWholeFile(path());
}

Write DeviceMaker::Make(uint64_t offset, size_t from, uint32_t bytes) const {
  Write write;
  write.offset = offset;
  write.segments[0] = {memory_.data() + from, bytes};
  write.segment_count = 1;
  return write;
}

int DeviceMaker::WriteNow(Write* write) {
  device().Submit(write);
  Write* done = nullptr;
  EXPECT_EQ(device().Reap(1, &done, 1), 1u);
  EXPECT_EQ(done, write);
  return write->error;
}

void FillPattern(char* data, size_t bytes, uint64_t seed) {
  Random random(seed);
  for (size_t i = 0; i + sizeof(uint64_t) <= bytes; i += sizeof(uint64_t)) {
    const uint64_t value = random.Next();
    std::memcpy(data + i, &value, sizeof(value));
  }
}

}  // namespace uringfs::test
