// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_PLUGIN_HANDED_CHECKSUM_H_
#define URINGFS_PLUGIN_HANDED_CHECKSUM_H_

#include <rocksdb/file_system.h>

#include <cstdint>
#include <optional>

#include "rocksdb_api.h"

namespace uringfs {

// The CRC32C of the bytes of an append to a file whose options have that
// handoff_checksum_type, if RocksDB hands it over
// (checksum_handoff_file_types). It has handed over no other kind so far.
inline std::optional<uint32_t> HandedCrc32c(
    rdb::ChecksumType type, const rdb::DataVerificationInfo& info) {
  if (type != rdb::ChecksumType::kCRC32c ||
      info.checksum.size() != sizeof(uint32_t)) {
    return std::nullopt;
  }
  // RocksDB's fixed32 is little-endian everywhere.
  uint32_t crc32c = 0;
  for (int i = 3; i >= 0; --i) {
    crc32c = (crc32c << 8) | static_cast<unsigned char>(info.checksum[i]);
  }
  return crc32c;
}

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_HANDED_CHECKSUM_H_
