// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// WalWriter: a log in RocksDB's format in memory, made without any code of the
// library that reads one, so that both may disagree.

#ifndef URINGFS_TEST_ROCKSDB_WAL_WAL_WRITER_H_
#define URINGFS_TEST_ROCKSDB_WAL_WAL_WRITER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "test/support/seed.h"

#include "uringfs/internal/crc32c.h"

namespace uringfs::test {

inline constexpr size_t kWalBlock = 32768;

enum class WalHeader : uint8_t { kPlain, kRecyclable };

struct WalPiece {
  size_t begin = 0;
  size_t end = 0;
};

struct WalFragment {
  WalPiece at;
  uint8_t type = 0;
  size_t header_bytes = 0;
};

// Payload without zeros, and without bytes that the flip of one bit makes
// zero: no sector of it looks as if it had never been written.
inline std::string Payload(size_t bytes, uint64_t salt) {
  Random random(salt);
  std::string payload(bytes, '\0');
  for (char& byte : payload) {
    byte = static_cast<char>(random.Next() | 0x81);
  }
  return payload;
}

// End of the last byte that is not zero.
inline size_t DataEnd(const std::string& bytes) {
  return bytes.find_last_not_of('\0') + 1;
}

inline std::string Zeros(size_t bytes) { return std::string(bytes, '\0'); }

// Zeros from `begin` up to `end`, or up to the end of all.
inline std::string WithHole(std::string bytes, size_t begin, size_t end) {
  const size_t size = std::min(end, bytes.size()) - begin;
  return bytes.replace(begin, size, size, '\0');
}

class WalWriter {
 public:
  explicit WalWriter(WalHeader header = WalHeader::kPlain,
                     uint32_t log_number = 7)
      : header_(header), log_number_(log_number) {}

  // A record of as many fragments as it takes.
  WalWriter& Add(const std::string& payload) {
    PadShortEnd();
    const size_t begin = bytes_.size();
    bool is_first = true;
    bool is_last = false;
    for (size_t at = 0; !is_last; is_first = false) {
      PadShortEnd();
      const size_t room = Left() - header_bytes();
      const size_t piece = std::min(room, payload.size() - at);
      is_last = at + piece == payload.size();
      AddFragment(TypeOf(is_first, is_last), payload.substr(at, piece));
      at += piece;
    }
    records_.push_back({begin, bytes_.size()});
    return *this;
  }

  // The first one of a log begins as write batches do: a sequence number, its
  // highest byte zero, and a count.
  WalWriter& AddBytes(size_t payload_bytes) {
    std::string payload = Payload(payload_bytes, records_.size() + 1);
    if (records_.empty() && payload_bytes >= 12) {
      payload.replace(7, 5, std::string("\0\1\0\0\0", 5));
    }
    return Add(payload);
  }

  // A record that ends `left` bytes in front of the end of this block, or of
  // the next one if this one has no room for it.
  WalWriter& AddUpTo(size_t left) {
    PadShortEnd();
    if (Left() >= header_bytes() + left) {
      return AddBytes(Left() - header_bytes() - left);
    }
    const size_t here = Left() - header_bytes();
    return AddBytes(here + kWalBlock - header_bytes() - left);
  }

  // One of any size up to `most`.
  WalWriter& AddAny(Random* random, size_t most) {
    return AddBytes(random->LogUniform(records_.empty() ? 12 : 1, most));
  }

  // Records of many sizes, until the log has at least `bytes`.
  WalWriter& AddMany(Random* random, size_t bytes) {
    while (bytes_.size() < bytes) {
      AddAny(random, random->OneIn(4) ? 70000 : 900);
    }
    return *this;
  }

  // A single fragment of any type, whether it has its place there or not.
  WalWriter& AddFragment(uint8_t type, const std::string& payload) {
    const size_t begin = bytes_.size();
    std::string checked(1, static_cast<char>(type));
    if (IsRecyclable(type)) {
      checked += Little(log_number_, 4);
    }
    const size_t header = 6 + checked.size();
    checked += payload;
    const uint32_t crc = Crc32c(checked.data(), checked.size());
    bytes_ += Little(((crc >> 15) | (crc << 17)) + 0xa282ead8u, 4);
    bytes_ += Little(payload.size(), 2) + checked;
    fragments_.push_back({{begin, bytes_.size()}, type, header});
    return *this;
  }

  const std::string& bytes() const { return bytes_; }
  // Those of Add(): a begin is behind the padding in front of it.
  const std::vector<WalPiece>& records() const { return records_; }
  const std::vector<WalFragment>& fragments() const { return fragments_; }
  size_t header_bytes() const {
    return header_ == WalHeader::kRecyclable ? 11 : 7;
  }

  // Of this block.
  size_t Left() const { return kWalBlock - bytes_.size() % kWalBlock; }
  // End of the last record that is whole if the bytes behind `offset` are not.
  size_t WholeAt(size_t offset) const {
    size_t end = 0;
    for (const WalPiece& record : records_) {
      end = record.end <= offset ? record.end : end;
    }
    return end;
  }

  // Whether that is `offset`, or has all of a block's padding behind it there.
  bool IsEndOrPadding(size_t offset) const {
    const size_t end = WholeAt(offset);
    const size_t left = (kWalBlock - end % kWalBlock) % kWalBlock;
    return offset == end || (left < header_bytes() && offset == end + left);
  }

 private:
  static bool IsRecyclable(uint8_t type) {
    return (type >= 5 && type <= 8) || type == 11 || type == 131;
  }

  static std::string Little(uint64_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) {
      text.push_back(static_cast<char>(value >> (8 * i)));
    }
    return text;
  }

  uint8_t TypeOf(bool is_first, bool is_last) const {
    const int plain = is_first ? (is_last ? 1 : 2) : (is_last ? 4 : 3);
    return static_cast<uint8_t>(header_ == WalHeader::kRecyclable ? plain + 4
                                                                  : plain);
  }

  void PadShortEnd() {
    if (Left() < header_bytes()) {
      bytes_.append(Left(), '\0');
    }
  }

  WalHeader header_;
  uint32_t log_number_;
  std::string bytes_;
  std::vector<WalPiece> records_;
  std::vector<WalFragment> fragments_;
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_ROCKSDB_WAL_WAL_WRITER_H_
