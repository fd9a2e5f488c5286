// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "uringfs/options.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

void ExpectRefused(const LogOptions& options, const std::string& field,
                   const std::string& range) {
  const Status status = options.Validate();
  EXPECT_EQ(status.code(), Status::Code::kInvalidArgument) << field;
  EXPECT_THAT(status.ToString(), AllOf(HasSubstr(field), HasSubstr(range)));
}

TEST(OptionsTest, DefaultsAreValid) {
  EXPECT_TRUE(LogOptions().Validate().ok());
}

TEST(OptionsTest, BufferBytesIsAPowerOfTwoFrom4KiBTo4MiB) {
  LogOptions options;
  for (uint32_t good : {4096u, 65536u, 4u << 20}) {
    options.buffer_bytes = good;
    EXPECT_TRUE(options.Validate().ok()) << good;
  }
  for (uint32_t bad : {0u, 1u, 2048u, 4095u, 4097u, 12288u, 8u << 20}) {
    options.buffer_bytes = bad;
    ExpectRefused(options, "buffer_bytes = " + std::to_string(bad),
                  "a power of two from 4 KiB to 4 MiB");
  }
}

TEST(OptionsTest, BuffersCountIsFrom2To1024) {
  LogOptions options;
  for (uint32_t good : {2u, 3u, 1024u}) {
    options.buffers_count = good;
    EXPECT_TRUE(options.Validate().ok()) << good;
  }
  for (uint32_t bad : {0u, 1u, 1025u, ~0u}) {
    options.buffers_count = bad;
    ExpectRefused(options, "buffers_count = " + std::to_string(bad),
                  "from 2 to 1024");
  }
}

TEST(OptionsTest, TheRingIsAtMostOneGiB) {
  LogOptions options;
  options.buffer_bytes = 4u << 20;
  options.buffers_count = 256;
  EXPECT_TRUE(options.Validate().ok());
  options.buffers_count = 257;
  ExpectRefused(options, "buffer_bytes * buffers_count = 1077936128", "1 GiB");
  options.buffers_count = 1024;  // 4 GiB: does not fit 32 bits
  ExpectRefused(options, "buffer_bytes * buffers_count = 4294967296", "1 GiB");
}

TEST(OptionsTest, WritesInFlightIsFrom1To64) {
  LogOptions options;
  for (uint32_t good : {1u, 64u}) {
    options.writes_in_flight = good;
    EXPECT_TRUE(options.Validate().ok()) << good;
  }
  for (uint32_t bad : {0u, 65u}) {
    options.writes_in_flight = bad;
    ExpectRefused(options, "writes_in_flight = " + std::to_string(bad),
                  "from 1 to 64");
  }
}

TEST(IoChoiceTest, SaysWhatWasChosenAndWhy) {
  IoChoice choice;
  choice.uses_io_uring = true;
  choice.uses_direct_io = true;
  choice.uses_registered_buffers = true;
  EXPECT_EQ(choice.ToString(), "io_uring, O_DIRECT, registered buffers");

  IoChoice fallback;
  fallback.uses_direct_io = true;
  fallback.reason = "io_uring_setup: Operation not permitted";
  EXPECT_EQ(fallback.ToString(),
            "pwrite, O_DIRECT (io_uring_setup: Operation not permitted)");
  EXPECT_EQ(IoChoice().ToString(), "pwrite, buffered");
}

}  // namespace
}  // namespace uringfs
