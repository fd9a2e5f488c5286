// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// RocksDB's log format, which its MANIFEST has too: blocks of 32 KiB, in them
// fragments of
//
//   crc32c (4, masked)   over type, log number and payload
//   length (2)           of the payload
//   type (1)             full, first, middle, last, and others that stand alone
//   log number (4)       of recyclable types only
//   payload
//
// A block's end that is too short for a header is padding.

#ifndef URINGFS_ROCKSDB_WAL_RECORD_FORMAT_H_
#define URINGFS_ROCKSDB_WAL_RECORD_FORMAT_H_

#include <cstdint>
#include <cstring>

namespace uringfs {

inline constexpr uint32_t kWalBlockBytes = 32768;
inline constexpr uint32_t kHeaderBytes = 7;
inline constexpr uint32_t kRecyclableHeaderBytes = 11;
inline constexpr uint32_t kLengthAt = 4;
inline constexpr uint32_t kTypeAt = 6;

enum FragmentType : uint8_t {
  kZero = 0,
  kFull = 1,
  kFirst = 2,
  kMiddle = 3,
  kLast = 4,
  kRecyclableFull = 5,
  kRecyclableFirst = 6,
  kRecyclableMiddle = 7,
  kRecyclableLast = 8,
  kSetCompression = 9,
  kTimestampSize = 10,
  kRecyclableTimestampSize = 11,
  kPredecessor = 130,
  kRecyclablePredecessor = 131,
};

inline uint32_t Load32(const char* data) {
  uint32_t value = 0;
  std::memcpy(&value, data, sizeof(value));
  return value;
}

inline uint32_t Load16(const char* data) {
  uint16_t value = 0;
  std::memcpy(&value, data, sizeof(value));
  return value;
}

// RocksDB stores a checksum so that one over bytes with checksums in them is
// still a good one.
inline uint32_t MaskedCrc(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

}  // namespace uringfs

#endif  // URINGFS_ROCKSDB_WAL_RECORD_FORMAT_H_
