// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A log on a fake disk, and what tests expect of its files.

#ifndef URINGFS_TEST_LOG_FAKE_LOG_H_
#define URINGFS_TEST_LOG_FAKE_LOG_H_

#include <memory>
#include <string>
#include <utility>

#include "src/log/log_engine.h"
#include "src/side/side_file.h"
#include "test/support/fake_device.h"
#include "test/support/seed.h"

#include "gtest/gtest.h"

namespace uringfs::test {

inline Status OpenOnFake(const std::shared_ptr<FakeDisk>& disk,
                         const LogOptions& options,
                         std::unique_ptr<LogEngine>* log,
                         bool is_ticked_by_hand = false) {
  LogParts parts;
  parts.is_ticked_by_hand = is_ticked_by_hand;
  Status status = Workspace::Acquire(
      size_t{options.buffer_bytes} * options.buffers_count, &parts.workspace);
  if (!status.ok()) {
    return status;
  }
  parts.opened = FakeDevice::Open(disk);
  return LogEngine::OpenOn(std::move(parts), "fake.log", options, log);
}

inline std::unique_ptr<LogEngine> MustOpenOnFake(
    const std::shared_ptr<FakeDisk>& disk, const LogOptions& options) {
  std::unique_ptr<LogEngine> log;
  const Status status = OpenOnFake(disk, options, &log);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return log;
}

// With a side file on a real disk, beside `path`.
inline std::unique_ptr<LogEngine> MustOpenBesideSide(
    const std::shared_ptr<FakeDisk>& disk, const std::string& path,
    const LogOptions& options, SyncProbe* probe = nullptr,
    bool is_ticked_by_hand = false) {
  LogParts parts;
  parts.is_ticked_by_hand = is_ticked_by_hand;
  EXPECT_TRUE(Workspace::Acquire(0, &parts.workspace).ok());
  parts.opened = FakeDevice::Open(disk);
  parts.probe = probe;
  Status status = SideFile::Create(path, "", options, &parts.side);
  EXPECT_TRUE(status.ok()) << status.ToString();
  std::unique_ptr<LogEngine> log;
  status = LogEngine::OpenOn(std::move(parts), path, options, &log);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return log;
}

inline Status Append(LogEngine* log, std::string_view bytes,
                     uint64_t* offset = nullptr) {
  return log->AppendBatch(&bytes, 1, offset);
}

// Bytes that tell where in the stream they belong, and are never zero.
inline std::string StreamBytes(uint64_t begin, uint64_t bytes) {
  std::string text(bytes, '\0');
  for (uint64_t i = 0; i < bytes; ++i) {
    const uint64_t at = begin + i;
    text[i] = static_cast<char>((at ^ (at >> 8) ^ (at >> 16)) % 255 + 1);
  }
  return text;
}

// The image has the first `intact` bytes of the stream, and nothing in it was
// never appended: a byte is the stream's or a zero.
inline void ExpectIntact(const std::string& image, const std::string& stream,
                         uint64_t intact) {
  ASSERT_GE(image.size(), intact);
  ASSERT_EQ(image.compare(0, intact, stream, 0, intact), 0)
      << "a byte below " << intact << " is lost";
  for (uint64_t i = intact; i < image.size(); ++i) {
    const char appended = i < stream.size() ? stream[i] : '\0';
    ASSERT_TRUE(image[i] == appended || image[i] == '\0') << "at " << i;
  }
}

// The image is a prefix of the stream behind which there is nothing but the
// padding of the last block.
inline void ExpectPaddedPrefix(const std::string& image,
                               const std::string& stream, uint64_t at_least) {
  uint64_t end = 0;
  while (end < image.size() && end < stream.size() &&
         image[end] == stream[end]) {
    ++end;
  }
  EXPECT_GE(end, at_least);
  EXPECT_LT(image.size() - end, 4096u);
  for (uint64_t i = end; i < image.size(); ++i) {
    ASSERT_EQ(image[i], '\0') << "a hole or a foreign byte at " << i;
  }
}

inline LogOptions SmallRing(WriteMode mode) {
  LogOptions options;
  options.write_mode = mode;
  options.buffer_bytes = 4096;
  options.buffers_count = 4;
  options.writes_in_flight = 3;
  return options;
}

// For tests with a fake disk and random choices; REQUIRES `seed` of its own.
class OnFakeDisk {
 protected:
  explicit OnFakeDisk(uint64_t seed) : seed_(test::SeedOr(seed)) {}

  const uint64_t seed_;
  const testing::ScopedTrace trace_{__FILE__, __LINE__, SeedTrace(seed_)};
  Random random_{seed_};
  const std::shared_ptr<FakeDisk> disk_ = FakeDisk::Create();
};

inline std::string ModeName(const testing::TestParamInfo<WriteMode>& mode) {
  return mode.param == WriteMode::kSerialised ? "Serialised" : "TailLocalised";
}

}  // namespace uringfs::test

#endif  // URINGFS_TEST_LOG_FAKE_LOG_H_
