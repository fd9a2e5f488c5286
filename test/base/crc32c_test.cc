// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "uringfs/internal/crc32c.h"

#include <string>

#include "gtest/gtest.h"

namespace uringfs {
namespace {

uint32_t Crc(const std::string& bytes) {
  return Crc32c(bytes.data(), bytes.size());
}

TEST(Crc32cTest, KnownAnswers) {
  EXPECT_EQ(Crc(""), 0u);
  EXPECT_EQ(Crc("a"), 0xc1d04330u);
  EXPECT_EQ(Crc("123456789"), 0xe3069283u);
  // RFC 3720, B.4.
  EXPECT_EQ(Crc(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc(std::string(32, '\xff')), 0x62a8ab43u);
  std::string rising;
  for (char c = 0; c < 32; ++c) {
    rising += c;
  }
  EXPECT_EQ(Crc(rising), 0x46dd794eu);
}

TEST(Crc32cTest, GoesOnWhereItStopped) {
  const std::string all = "123456789";
  for (size_t cut = 0; cut <= all.size(); ++cut) {
    const uint32_t first = Crc32c(all.data(), cut);
    EXPECT_EQ(Crc32c(all.data() + cut, all.size() - cut, first), 0xe3069283u);
  }
}

TEST(Crc32cTest, EveryBitCounts) {
  std::string bytes(112, 'x');
  const uint32_t whole = Crc(bytes);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(Crc(bytes), whole) << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
}

}  // namespace
}  // namespace uringfs
