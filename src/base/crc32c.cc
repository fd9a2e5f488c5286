// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/base/crc32c.h"

#include <array>

namespace uringfs {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // 0x1edc6f41, bits reversed

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table = {};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
    }
    table[byte] = value;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kTable = MakeTable();

}  // namespace

uint32_t Crc32c(const void* data, size_t bytes, uint32_t init) {
  const auto* next = static_cast<const unsigned char*>(data);
  uint32_t value = ~init;
  for (const auto* end = next + bytes; next != end; ++next) {
    value = (value >> 8) ^ kTable[(value ^ *next) & 0xff];
  }
  return ~value;
}

}  // namespace uringfs
