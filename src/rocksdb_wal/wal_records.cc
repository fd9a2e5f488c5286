// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/rocksdb_wal/wal_records.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "src/base/align.h"
#include "src/rocksdb_wal/record_format.h"

#include "uringfs/internal/crc32c.h"
#include "uringfs/rocksdb_wal.h"

namespace uringfs {
namespace {

constexpr uint32_t kSectorBytes = 512;
constexpr uint32_t kPageBytes = 4096;
constexpr uint32_t kBatchHeaderBytes = 12;
constexpr uint32_t kBatchCountAt = 8;
// Of what a log begins with to say how it is written.
constexpr uint32_t kCompressionBytes = 4;
constexpr uint32_t kTimestampSizeBytes = 6;  // of one column family
constexpr uint32_t kPredecessorBytes = 24;

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

uint32_t HeaderBytesOf(uint8_t type) {
  return IsRecyclable(type) ? kRecyclableHeaderBytes : kHeaderBytes;
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

  // Whether a log may begin with this fragment, at 0, which is not whole. Bytes
  // of another format (an encrypted log's) look like a fragment by chance, as
  // far as the header goes. A write batch begins with a sequence number of 56
  // bits and a count of what is in it.
  bool MayBeginALog(const Fragment& fragment) const;

  // What is there of the payload.
  const char* PayloadOf(const Fragment& fragment, size_t* bytes) const {
    const uint32_t begin = fragment.begin + HeaderBytesOf(fragment.type);
    const uint32_t end = std::min(fragment.end, bytes_);
    *bytes = begin < end ? end - begin : 0;
    return data_ + std::min(begin, bytes_);
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

bool Block::MayBeginALog(const Fragment& fragment) const {
  const uint32_t length =
      fragment.end - fragment.begin - HeaderBytesOf(fragment.type);
  switch (fragment.type) {
    case kSetCompression:
      return length == kCompressionBytes;
    case kTimestampSize:
    case kRecyclableTimestampSize:
      return length > 0 && length % kTimestampSizeBytes == 0;
    case kPredecessor:
    case kRecyclablePredecessor:
      return length == kPredecessorBytes;
    default:
      break;
  }
  const bool is_full =
      fragment.type == kFull || fragment.type == kRecyclableFull;
  const bool is_first =
      fragment.type == kFirst || fragment.type == kRecyclableFirst;
  if (!is_full && !(is_first && fragment.end == kWalBlockBytes)) {
    return false;
  }
  size_t bytes = 0;
  const char* const batch = PayloadOf(fragment, &bytes);
  if (bytes < kBatchHeaderBytes) {
    return fragment.end > bytes_;  // it may have had more
  }
  const uint32_t count = Load32(batch + kBatchCountAt);
  return batch[kBatchCountAt - 1] == 0 &&
         (is_first || count <= fragment.end - fragment.begin);
}

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
  fragment->end =
      at + HeaderBytesOf(fragment->type) + Load16(header + kLengthAt);
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
  return MaskedCrc(crc) == Load32(header) ? Look::kWhole : bad;
}

// What a record begins with: RocksDB's write batches have a sequence number and
// a count there.
class BatchHead {
 public:
  void Begin() { bytes_ = 0; }
  void Add(const char* data, size_t bytes) {
    const size_t wanted = std::min(bytes, sizeof(data_) - bytes_);
    std::memcpy(data_ + bytes_, data, wanted);
    bytes_ += wanted;
  }
  bool has_number() const { return bytes_ >= kBatchCountAt; }
  bool has_count() const { return bytes_ == sizeof(data_); }
  uint64_t number() const {
    return Load32(data_) | uint64_t{Load32(data_ + 4)} << 32;
  }
  uint64_t count() const { return Load32(data_ + kBatchCountAt); }

 private:
  char data_[kBatchHeaderBytes] = {};
  size_t bytes_ = 0;
};

// Puts fragments together to records.
class Walk {
 public:
  Walk(uint64_t joint, RecordsEnd* end) : joint_(joint), end_(end) {}

  // Returns whether the walk goes on behind this block.
  bool Through(uint64_t block_begin, const Block& block);

  // All `bytes` of the log were seen; end_->data_end is known.
  void Finish(uint64_t bytes);

 private:
  // Returns whether the fragment follows the one before it.
  bool Add(const Fragment& fragment, uint64_t end);
  void Note(const Fragment& fragment, const Block& block);
  void NoteNumber();
  bool Stop(EndKind kind, std::string reason) {
    end_->kind = kind;
    end_->reason = std::move(reason);
    return false;
  }
  bool StopAtBad(uint64_t block_begin, const Block& block,
                 const Fragment& fragment, const std::string& where);

  const uint64_t joint_;
  RecordsEnd* const end_;
  bool is_recyclable_ = false;
  bool is_within_ = false;  // a record whose last fragment is still to come
  bool is_compressed_ = false;
  BatchHead head_;
  bool is_in_order_ = true;
  uint64_t last_count_ = UINT64_MAX;  // there is no record in front
  bool is_alien_ = false;             // it begins as no log does
  uint64_t bad_end_ = 0;              // of the fragment at which the walk ended
};

bool IsFirst(uint8_t type) {
  return type == kFull || type == kFirst || type == kRecyclableFull ||
         type == kRecyclableFirst;
}

bool IsOfRecord(uint8_t type) {
  return type >= kFull && type <= kRecyclableLast;
}

// A header is there, and what it is of is not whole.
bool IsOdd(Look look) { return look == Look::kBad || look == Look::kCut; }

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

void Walk::Note(const Fragment& fragment, const Block& block) {
  is_compressed_ = is_compressed_ || fragment.type == kSetCompression;
  end_->has_records = end_->has_records || IsOfRecord(fragment.type);
  if (IsOfRecord(fragment.type)) {
    if (IsFirst(fragment.type)) {
      head_.Begin();
    }
    size_t bytes = 0;
    const char* const payload = block.PayloadOf(fragment, &bytes);
    head_.Add(payload, bytes);
    NoteNumber();
  }
  if (!is_within_ && is_in_order_) {
    end_->in_order = end_->offset;
  }
}

void Walk::NoteNumber() {
  const bool has_number = head_.has_number() && !is_compressed_;
  const uint64_t number = head_.number();
  if (has_number && !end_->has_numbers) {
    end_->has_numbers = true;
    end_->first_number = number;
  }
  if (is_within_) {
    return;
  }
  // What is only prepared has a number that the next one may have too.
  const bool follows = has_number && head_.has_count() &&
                       (last_count_ == UINT64_MAX ||
                        (number >= end_->last_number &&
                         number - end_->last_number <= last_count_));
  is_in_order_ = is_in_order_ && (follows || end_->offset <= joint_);
  last_count_ = head_.count();
  if (has_number) {
    end_->last_number = number;
  }
}

bool Walk::StopAtBad(uint64_t block_begin, const Block& block,
                     const Fragment& fragment, const std::string& where) {
  // No lost write makes a fragment longer than its block.
  bad_end_ = fragment.end <= kWalBlockBytes ? block_begin + fragment.end : 0;
  return block.HasLostSector(fragment.begin, fragment.end)
             ? Stop(EndKind::kTorn,
                    "a part of the fragment at " + where + " was never written")
             : Stop(EndKind::kDamaged,
                    "the fragment at " + where + " is damaged");
}

bool Walk::Through(uint64_t block_begin, const Block& block) {
  Fragment fragment;
  const auto where = [this] { return std::to_string(end_->stopped_at); };
  for (uint32_t at = 0;; at = fragment.end) {
    const Look look = block.LookAt(at, is_recyclable_, &fragment);
    end_->stopped_at = block_begin + at;
    is_alien_ = is_alien_ || (block_begin + at == 0 && IsOdd(look) &&
                              !block.MayBeginALog(fragment));
    switch (look) {
      case Look::kWhole:
        is_recyclable_ = is_recyclable_ || IsRecyclable(fragment.type);
        if (!Add(fragment, block_begin + fragment.end)) {
          return Stop(EndKind::kDamaged,
                      "the fragment at " + where() +
                          " does not belong to the one before it");
        }
        Note(fragment, block);
        break;
      case Look::kPadding:
        return true;
      case Look::kEnd:
        return is_within_ ? Stop(EndKind::kUnfinished,
                                 "the log ends within a record, at " + where())
                          : false;
      case Look::kAlien:
        return Stop(EndKind::kDamaged,
                    "what is at " + where() + " is no record of a log");
      case Look::kCut:
        return Stop(EndKind::kUnfinished,
                    "the log ends within the fragment at " + where());
      case Look::kUnset:
        return Stop(EndKind::kTorn, "nothing was written at " + where());
      case Look::kBad:
        return StopAtBad(block_begin, block, fragment, where());
    }
  }
}

void Walk::Finish(uint64_t bytes) {
  // Unless no more was written than a part of what it begins with.
  if (is_alien_ &&
      end_->data_end > kRecyclableHeaderBytes + kBatchHeaderBytes) {
    end_->kind = EndKind::kAlien;
    return;
  }
  if (end_->kind != EndKind::kDamaged) {
    return;
  }
  if (std::min(bad_end_, bytes) > end_->data_end) {
    // From somewhere within it to the end of all there are zeros: as far as
    // that it was written.
    end_->kind = EndKind::kTorn;
    end_->reason += "; its rest was never written";
  } else if (end_->stopped_at == 0) {
    end_->kind = EndKind::kAlien;
  }
}

}  // namespace

Status FindWalEnd(const ByteSource& log, const std::string& path,
                  uint64_t joint, RecordsEnd* end) {
  *end = RecordsEnd();
  std::vector<char> block(kWalBlockBytes);
  Walk walk(joint, end);
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
      walk.Finish(at + got);
      return Status::Ok();
    }
  }
}

bool MayBeginWal(std::string_view first) {
  if (first.size() <= kRecyclableHeaderBytes) {
    return true;  // of a writer without a buffer: its payload follows
  }
  // Any other writer hands over whole fragments, but where a rate limiter lets
  // less pass.
  const Block block(first.data(), static_cast<uint32_t>(std::min<size_t>(
                                      first.size(), kWalBlockBytes)));
  Fragment fragment;
  const Look look = block.LookAt(0, /*is_recyclable=*/false, &fragment);
  return look == Look::kWhole ||
         (look == Look::kCut && block.MayBeginALog(fragment));
}

}  // namespace uringfs
