// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/wal_records.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "src/base/align.h"
#include "src/base/crc32c.h"
#include "src/log/side_reader.h"

namespace uringfs {
namespace {

constexpr uint32_t kWalBlockBytes = 32768;
constexpr uint32_t kSectorBytes = 512;
constexpr uint32_t kPageBytes = 4096;
constexpr uint32_t kHeaderBytes = 7;
constexpr uint32_t kRecyclableHeaderBytes = 11;
constexpr uint32_t kLengthAt = 4;
constexpr uint32_t kTypeAt = 6;

enum Type : uint8_t {
  kZero = 0,
  kFull = 1,
  kFirst = 2,
  kMiddle = 3,
  kLast = 4,
  kRecyclableFull = 5,
  kRecyclableFirst = 6,
  kRecyclableMiddle = 7,
  kRecyclableLast = 8,
  kRecyclableTimestampSize = 11,
  kPredecessor = 130,
  kRecyclablePredecessor = 131,
};

// To any release of RocksDB so far. A later one may have more, so those count
// if their checksum is right.
bool IsKnown(uint8_t type) {
  return (type >= kFull && type <= kRecyclableTimestampSize) ||
         type == kPredecessor || type == kRecyclablePredecessor;
}

bool IsRecyclable(uint8_t type) {
  return (type >= kRecyclableFull && type <= kRecyclableLast) ||
         type == kRecyclableTimestampSize || type == kRecyclablePredecessor;
}

uint32_t Load32(const char* data) {
  uint32_t value = 0;
  std::memcpy(&value, data, sizeof(value));
  return value;
}

uint32_t Load16(const char* data) {
  uint16_t value = 0;
  std::memcpy(&value, data, sizeof(value));
  return value;
}

// RocksDB stores a checksum so that one over bytes with checksums in them is
// still a good one.
uint32_t Mask(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

bool IsZero(const char* data, size_t bytes) {
  return std::all_of(data, data + bytes, [](char c) { return c == '\0'; });
}

struct Fragment {
  uint32_t begin = 0;  // in the block
  uint32_t end = 0;    // of header and payload
  uint8_t type = kZero;
};

enum class Look : uint8_t {
  kWhole,    // a fragment with the right checksum
  kPadding,  // nothing more in this block
  kEnd,      // the file ends here
  kCut,      // the file ends within it
  kUnset,    // zeros where its header should be, to the end of its sector
  kBad,      // anything else that may be a fragment
  kAlien,    // no fragment of any kind
};

// One block of the log, or what the file has of it.
class Block {
 public:
  Block(const char* data, uint32_t bytes) : data_(data), bytes_(bytes) {}

  // `is_recyclable`: fragments in front of it had log numbers, so padding may
  // be longer.
  Look LookAt(uint32_t at, bool is_recyclable, Fragment* fragment) const;

  // Whether a write that was lost explains a bad fragment: from its begin, or
  // from that of a sector behind it, to the end of that sector there are
  // zeros, which is how a sector reads that never came to be.
  bool HasLostSector(uint32_t begin, uint32_t end) const {
    while (begin < std::min(end, bytes_)) {
      const auto next = static_cast<uint32_t>(std::min<uint64_t>(
          AlignDown(begin, kSectorBytes) + kSectorBytes, bytes_));
      if (IsZero(data_ + begin, next - begin)) {
        return true;
      }
      begin = next;
    }
    return EndsInLostPage(end);
  }

 private:
  // Or it was written in two parts, as records are appended, and the second one
  // was lost: the last byte up to `end` is zero, and so is all behind it that a
  // write of the second part would have brought, which is whole pages.
  bool EndsInLostPage(uint32_t end) const {
    const uint32_t last = std::min(end, bytes_) - 1;
    const auto page_end = static_cast<uint32_t>(
        std::min<uint64_t>(AlignDown(last, kPageBytes) + kPageBytes, bytes_));
    return IsZero(data_ + last, page_end - last);
  }

  const char* const data_;
  const uint32_t bytes_;
};

Look Block::LookAt(uint32_t at, bool is_recyclable, Fragment* fragment) const {
  fragment->begin = at;
  fragment->end = at + kHeaderBytes;
  const uint32_t left = kWalBlockBytes - at;
  if (at >= bytes_) {
    return bytes_ == kWalBlockBytes ? Look::kPadding : Look::kEnd;
  }
  const uint32_t there = bytes_ - at;
  if (left < kHeaderBytes || (is_recyclable && left < kRecyclableHeaderBytes &&
                              IsZero(data_ + at, there))) {
    // RocksDB writes it with the next record, and takes a part of it for the
    // begin of a header.
    return there == left ? Look::kPadding : Look::kUnset;
  }
  if (there < kHeaderBytes) {
    return IsZero(data_ + at, there) ? Look::kUnset : Look::kCut;
  }
  const char* const header = data_ + at;
  if (IsZero(header, kHeaderBytes)) {
    // A type is never zero, so the sector that should have it was lost.
    return HasLostSector(at + kTypeAt, at + kHeaderBytes) ? Look::kUnset
                                                          : Look::kBad;
  }
  fragment->type = static_cast<uint8_t>(header[kTypeAt]);
  const uint32_t header_bytes =
      IsRecyclable(fragment->type) ? kRecyclableHeaderBytes : kHeaderBytes;
  fragment->end = at + header_bytes + Load16(header + kLengthAt);
  if (fragment->type == kZero) {
    return Look::kBad;
  }
  const bool is_known = IsKnown(fragment->type);
  const Look bad = is_known ? Look::kBad : Look::kAlien;
  if (fragment->end > kWalBlockBytes) {
    return bad;
  }
  if (fragment->end > bytes_) {
    return is_known ? Look::kCut : Look::kAlien;
  }
  const uint32_t crc = Crc32c(header + kTypeAt, fragment->end - at - kTypeAt);
  return Mask(crc) == Load32(header) ? Look::kWhole : bad;
}

// Puts fragments together to records.
class Walk {
 public:
  explicit Walk(WalEnd* end) : end_(end) {}

  // Returns whether the walk goes on behind this block.
  bool Through(uint64_t block_begin, const Block& block);

 private:
  // Returns whether the fragment follows the one before it.
  bool Add(const Fragment& fragment, uint64_t end);
  bool Stop(WalEndKind kind, std::string reason) {
    end_->kind = kind;
    end_->reason = std::move(reason);
    return false;
  }

  WalEnd* const end_;
  bool is_recyclable_ = false;
  bool is_within_ = false;  // a record whose last fragment is still to come
};

bool Walk::Add(const Fragment& fragment, uint64_t end) {
  bool fits = false;
  switch (fragment.type) {
    case kFirst:
    case kRecyclableFirst:
      fits = !is_within_;
      is_within_ = true;
      return fits;
    case kMiddle:
    case kRecyclableMiddle:
      return is_within_;
    case kLast:
    case kRecyclableLast:
      fits = is_within_;
      break;
    default:
      fits = !is_within_;
      break;
  }
  is_within_ = false;
  if (fits) {
    end_->offset = end;
  }
  return fits;
}

bool Walk::Through(uint64_t block_begin, const Block& block) {
  Fragment fragment;
  const auto where = [this] { return std::to_string(end_->stopped_at); };
  for (uint32_t at = 0;; at = fragment.end) {
    const Look look = block.LookAt(at, is_recyclable_, &fragment);
    end_->stopped_at = block_begin + at;
    switch (look) {
      case Look::kWhole:
        is_recyclable_ = is_recyclable_ || IsRecyclable(fragment.type);
        if (!Add(fragment, block_begin + fragment.end)) {
          return Stop(WalEndKind::kDamaged,
                      "the fragment at " + where() +
                          " does not belong to the one before it");
        }
        break;
      case Look::kPadding:
        return true;
      case Look::kEnd:
        return is_within_ ? Stop(WalEndKind::kTorn,
                                 "the file ends within a record, at " + where())
                          : false;
      case Look::kAlien:
        return Stop(WalEndKind::kDamaged,
                    "what is at " + where() + " is no record of a log");
      case Look::kCut:
        return Stop(WalEndKind::kTorn,
                    "the file ends within the fragment at " + where());
      case Look::kUnset:
        return Stop(WalEndKind::kTorn, "nothing was written at " + where());
      case Look::kBad:
        return block.HasLostSector(fragment.begin, fragment.end)
                   ? Stop(WalEndKind::kTorn, "a part of the fragment at " +
                                                 where() + " was never written")
                   : Stop(WalEndKind::kDamaged,
                          "the fragment at " + where() + " is damaged");
    }
  }
}

}  // namespace

Status FindWalEnd(const PosixFile& log, const std::string& path, WalEnd* end) {
  *end = WalEnd();
  std::vector<char> block(kWalBlockBytes);
  Walk walk(end);
  bool goes_on = true;
  for (uint64_t at = 0;; at += kWalBlockBytes) {
    size_t got = 0;
    const int error = log.ReadAt(at, block.size(), block.data(), &got);
    if (error != 0) {
      return Status::FromErrno(error, "read", path);
    }
    goes_on = goes_on &&
              walk.Through(at, Block(block.data(), static_cast<uint32_t>(got)));
    size_t used = got;
    while (used > 0 && block[used - 1] == '\0') {
      --used;
    }
    if (used > 0) {
      end->data_end = at + used;
    }
    if (got < block.size()) {
      return Status::Ok();
    }
  }
}

Status FindTornEnd(const PosixFile& log, const std::string& path,
                   uint64_t max_torn_bytes, WalEnd* end) {
  Status status = FindWalEnd(log, path, end);
  if (!status.ok() || end->kind != WalEndKind::kTorn) {
    return status;
  }
  if (end->data_end > end->stopped_at &&
      end->data_end - end->stopped_at > max_torn_bytes) {
    end->kind = WalEndKind::kDamaged;
    end->reason += ", and more follows than can have been on its way";
  } else if (IsContinued(path)) {
    end->kind = WalEndKind::kDamaged;
    end->reason += ", and the database was opened without uringfs since";
  }
  return status;
}

}  // namespace uringfs
