// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/side_format.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "test/support/seed.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::Random;
using test::SeedOr;
using test::SeedTrace;

TEST(SideFormatTest, SealedWordsComeBack) {
  const uint64_t seed = SeedOr(1);
  SCOPED_TRACE(SeedTrace(seed));
  Random random(seed);
  for (int i = 0; i < 100000; ++i) {
    const uint64_t offset =
        i == 0 ? 0
               : (i == 1 ? kMaxSealedOffset : random.Next() & kMaxSealedOffset);
    uint64_t back = 1;
    ASSERT_TRUE(UnsealWord(SealWord(offset), &back));
    ASSERT_EQ(back, offset);
  }
  uint64_t back = 0;
  EXPECT_FALSE(UnsealWord(0, &back)) << "zeros are no word";
}

// Offsets that logs really have, too: small ones, aligned ones.
TEST(SideFormatTest, EveryChangeOfOneBitOfAWordShows) {
  const uint64_t seed = SeedOr(2);
  SCOPED_TRACE(SeedTrace(seed));
  Random random(seed);
  for (int i = 0; i < 20000; ++i) {
    uint64_t offset = random.LogUniform(1, kMaxSealedOffset) & kMaxSealedOffset;
    offset = random.OneIn(2) ? offset & ~uint64_t{4095} : offset;
    for (int bit = 0; bit < 64; ++bit) {
      uint64_t back = 0;
      ASSERT_FALSE(UnsealWord(SealWord(offset) ^ (uint64_t{1} << bit), &back))
          << offset << " bit " << bit;
    }
  }
}

TEST(SideFormatTest, TheChecksumCoversEveryBitButItsOwn) {
  SideHeader header = {};
  std::memcpy(header.magic, kSideMagic, sizeof(header.magic));
  header.version = kSideVersion;
  header.origin = 4096;
  const uint32_t checksum = SideChecksum(header);
  header.checksum = checksum;
  EXPECT_EQ(SideChecksum(header), checksum);
  const size_t at = offsetof(SideHeader, checksum);
  char bytes[sizeof(header)];
  for (size_t bit = 0; bit < sizeof(header) * 8; ++bit) {
    std::memcpy(bytes, &header, sizeof(header));
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    SideHeader other;
    std::memcpy(&other, bytes, sizeof(other));
    const bool is_own = bit / 8 >= at && bit / 8 < at + sizeof(uint32_t);
    EXPECT_EQ(SideChecksum(other) == checksum, is_own) << bit;
  }
}

TEST(SideFormatTest, TheBootIdIsTheKernels) {
  std::string text = test::ReadWholeFile("/proc/sys/kernel/random/boot_id");
  ASSERT_FALSE(text.empty());
  text.pop_back();  // the end of the line
  EXPECT_EQ(BootId(), text);
  EXPECT_EQ(BootId().size(), 36u);
  EXPECT_LT(BootId().size(), sizeof(SideHeader::boot_id));
}

TEST(SideFormatTest, AProcessThatIsNotThereHasNoStart) {
  EXPECT_EQ(ProcessStart(0), 0u);
  EXPECT_EQ(ProcessStart(~uint32_t{0}), 0u);
}

// The start of a process that has `name`.
uint64_t StartUnder(const char* name) {
  const std::string old = test::ReadWholeFile("/proc/self/comm");
  EXPECT_EQ(::prctl(PR_SET_NAME, name), 0);
  const uint64_t start = ProcessStart(static_cast<uint32_t>(::getpid()));
  EXPECT_EQ(::prctl(PR_SET_NAME, old.substr(0, old.size() - 1).c_str()), 0);
  return start;
}

TEST(SideFormatTest, TheStartOfAProcessDoesNotDependOnItsName) {
  const uint64_t start = ProcessStart(static_cast<uint32_t>(::getpid()));
  EXPECT_GT(start, 0u);
  for (const char* name : {"a b", ") 1 2 (", "((", "))", ") S 1 1 1 1 1"}) {
    EXPECT_EQ(StartUnder(name), start) << name;
  }
}

TEST(SideFormatTest, AChildStartsLater) {
  const uint64_t start = ProcessStart(static_cast<uint32_t>(::getpid()));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  const uint64_t of_child = ProcessStart(static_cast<uint32_t>(child));
  EXPECT_GE(of_child, start);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_NE(ProcessStart(static_cast<uint32_t>(child)), of_child);
}

}  // namespace
}  // namespace uringfs
