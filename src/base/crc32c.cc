// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "uringfs/internal/crc32c.h"

#include <array>
#include <cstring>

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

// These take and return the inverted value.
using Function = uint32_t (*)(const unsigned char* next, size_t bytes,
                              uint32_t value);

uint32_t ByTable(const unsigned char* next, size_t bytes, uint32_t value) {
  for (const auto* end = next + bytes; next != end; ++next) {
    value = (value >> 8) ^ kTable[(value ^ *next) & 0xff];
  }
  return value;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) uint32_t ByInstruction(
    const unsigned char* next, size_t bytes, uint32_t value) {
  uint64_t wide = value;
  for (; bytes >= sizeof(uint64_t); bytes -= sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, next, sizeof(word));
    wide = __builtin_ia32_crc32di(wide, word);
    next += sizeof(word);
  }
  return ByTable(next, bytes, static_cast<uint32_t>(wide));
}

Function Fastest() {
  return __builtin_cpu_supports("sse4.2") ? &ByInstruction : &ByTable;
}
#else
Function Fastest() { return &ByTable; }
#endif

}  // namespace

uint32_t Crc32c(const void* data, size_t bytes, uint32_t init) {
  static const Function function = Fastest();
  return ~function(static_cast<const unsigned char*>(data), bytes, ~init);
}

}  // namespace uringfs
