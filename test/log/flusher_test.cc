// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The flusher alone, step by step: which bytes of a buffer that writers are
// still inside it may write.

#include "src/log/flusher.h"

#include <memory>
#include <string>

#include "src/base/aligned_buffer.h"
#include "test/support/fake_device.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::FakeDevice;
using test::FakeDisk;

constexpr uint32_t kBytes = 8192;

class FlusherTest : public testing::Test {
 protected:
  FlusherTest() {
    EXPECT_TRUE(AlignedBuffer::Allocate(3 * kBytes, &memory_).ok());
    ring_ = std::make_unique<FlushRing<>>(memory_.data(), kBytes, 2);
    device_ = FakeDevice::Open(disk_).device;
    flusher_ = std::make_unique<Flusher>(ring_.get(), device_.get(), &written_,
                                         memory_.data() + 2 * kBytes, 3, "f");
    flusher_->Start(0, 0);
  }
  ~FlusherTest() override { flusher_->AwaitWrites(); }

  Claim Reserve(uint64_t bytes) {
    Claim claim;
    EXPECT_EQ(ring_->Reserve(bytes, &claim), ClaimOutcome::kClaimed);
    return claim;
  }

  void FillAndLeave(const Claim& claim, char with) {
    for (uint32_t i = 0; i < claim.part_count; ++i) {
      const ClaimPart& part = claim.parts[i];
      std::fill(part.data, part.data + part.bytes, with);
      (void)ring_->Leave(part);
    }
  }

  std::shared_ptr<FakeDisk> disk_ = FakeDisk::Create();
  AlignedBuffer memory_;
  std::unique_ptr<FlushRing<>> ring_;
  std::unique_ptr<Device> device_;
  Watermark written_;
  std::unique_ptr<Flusher> flusher_;
};

TEST_F(FlusherTest, AClaimThatIsNotFilledIsNotWritten) {
  const Claim claim = Reserve(100);
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(flusher_->Step(100, true));
  }
  EXPECT_EQ(disk_->writes(), 0u);
  FillAndLeave(claim, 'a');
  EXPECT_TRUE(flusher_->Step(100, true));
  EXPECT_TRUE(flusher_->Step(100, true));
  EXPECT_EQ(written_.value(), 100u);
  EXPECT_EQ(disk_->Image().substr(0, 101), std::string(100, 'a') + '\0');
}

TEST_F(FlusherTest, AFlushDoesNotWaitForThoseWhoCameAfterIt) {
  const Claim before = Reserve(100);
  EXPECT_FALSE(flusher_->Step(100, true)) << "flips the epoch";
  const Claim after = Reserve(100);
  FillAndLeave(before, 'b');
  EXPECT_TRUE(flusher_->Step(100, true));
  EXPECT_TRUE(flusher_->Step(100, true));
  EXPECT_EQ(written_.value(), 100u) << "and not a byte of the later claim";
  EXPECT_EQ(disk_->Image(), std::string(100, 'b') + std::string(3996, '\0'));
  FillAndLeave(after, 'c');
  while (written_.value() < 200) {
    (void)flusher_->Step(200, true);
  }
  EXPECT_EQ(disk_->Image().substr(0, 200),
            std::string(100, 'b') + std::string(100, 'c'));
}

TEST_F(FlusherTest, ALaterClaimThatIsFilledFirstDoesNotCountForTheEarlier) {
  const Claim slow = Reserve(100);
  EXPECT_FALSE(flusher_->Step(100, true)) << "flips the epoch";
  const Claim quick = Reserve(50);
  FillAndLeave(quick, 'q');
  EXPECT_FALSE(flusher_->Step(150, true));
  EXPECT_EQ(disk_->writes(), 0u) << "the old epoch is not left yet";
  FillAndLeave(slow, 's');
  while (written_.value() < 150) {
    (void)flusher_->Step(150, true);
  }
  EXPECT_EQ(disk_->Image().substr(0, 150),
            std::string(100, 's') + std::string(50, 'q'));
}

TEST_F(FlusherTest, NothingIsSubmittedAfterAnErrorAndItIsToldOnceDrained) {
  disk_->FailWrite(0, EIO);
  disk_->HoldCompletions(true);
  for (char with : {'a', 'b'}) {
    FillAndLeave(Reserve(kBytes / 2), with);
    (void)flusher_->Step(ring_->reserved_end(), false);
  }
  ASSERT_EQ(disk_->in_flight(), 2u);
  EXPECT_TRUE(flusher_->Step(0, true)) << "the first comes back, failed";
  EXPECT_FALSE(flusher_->has_failed()) << "the second is still in flight";
  FillAndLeave(Reserve(10), 'c');
  EXPECT_TRUE(flusher_->Step(ring_->reserved_end(), true));
  EXPECT_TRUE(flusher_->has_failed());
  EXPECT_FALSE(flusher_->Step(ring_->reserved_end(), true));
  EXPECT_EQ(disk_->writes(), 2u);
  EXPECT_EQ(written_.value(), 0u) << "what lies above the gap does not count";
}

}  // namespace
}  // namespace uringfs
