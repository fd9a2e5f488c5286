// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Seeds of randomised tests: fixed by default, so that CI is repeatable;
// URINGFS_TEST_SEED=N runs another one. Wrap a test body in
//   SCOPED_TRACE(SeedTrace(seed));
// so that a failure prints it.

#ifndef URINGFS_TEST_SUPPORT_SEED_H_
#define URINGFS_TEST_SUPPORT_SEED_H_

#include <cstdint>
#include <cstdlib>
#include <string>

namespace uringfs::test {

inline uint64_t SeedOr(uint64_t fallback) {
  const char* text = std::getenv("URINGFS_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 0) : fallback;
}

inline std::string SeedTrace(uint64_t seed) {
  return "URINGFS_TEST_SEED=" + std::to_string(seed);
}

// Small, fast, good enough for tests: splitmix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound). REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  // Log-uniform in [low, high].
  uint64_t LogUniform(uint64_t low, uint64_t high);

 private:
  uint64_t state_;
};

inline uint64_t Random::LogUniform(uint64_t low, uint64_t high) {
  int low_bits = 63 - __builtin_clzll(low | 1);
  int high_bits = 63 - __builtin_clzll(high | 1);
  const int bits = low_bits + static_cast<int>(Below(high_bits - low_bits + 1));
  const uint64_t value = (1ull << bits) + Below(1ull << bits);
  return value < low ? low : (value > high ? high : value);
}

}  // namespace uringfs::test

#endif  // URINGFS_TEST_SUPPORT_SEED_H_
