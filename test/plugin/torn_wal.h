// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What power loss makes of a WAL: the intact one's bytes, and images of it that
// lack, or have lost, some of them.

#ifndef URINGFS_TEST_PLUGIN_TORN_WAL_H_
#define URINGFS_TEST_PLUGIN_TORN_WAL_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "test/support/seed.h"

namespace uringfs::test {

inline constexpr uint64_t kWalBlock = 32768;
inline constexpr uint64_t kWalHeader = 7;
inline constexpr uint64_t kTypeAt = 6;
inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kSector = 512;

inline uint64_t RoundUp(uint64_t n, uint64_t unit) {
  return (n + unit - 1) / unit * unit;
}

// Where a fragment begins that comes at `at` or behind a block's padding.
inline uint64_t FragmentBegin(uint64_t at) {
  const uint64_t left = kWalBlock - at % kWalBlock;
  return left < kWalHeader ? at + left : at;
}

// Where a record with so many bytes ends that is appended at `at`.
inline uint64_t RecordEnd(uint64_t at, uint64_t payload) {
  do {
    at = FragmentBegin(at);
    const uint64_t take =
        std::min(payload, kWalBlock - at % kWalBlock - kWalHeader);
    at += kWalHeader + take;
    payload -= take;
  } while (payload > 0);
  return at;
}

// Where the records of an intact WAL end: the fragments that are full or last.
inline std::vector<uint64_t> RecordEnds(const std::string& wal) {
  std::vector<uint64_t> ends;
  uint64_t at = FragmentBegin(0);
  while (at + kWalHeader <= wal.size()) {
    uint16_t length = 0;
    std::memcpy(&length, &wal[at + 4], sizeof(length));
    const char type = wal[at + kTypeAt];
    at += kWalHeader + length;
    if (type == 1 || type == 4) {
      ends.push_back(at);
    }
    at = FragmentBegin(at);
  }
  return ends;
}

enum class DamageKind : uint8_t {
  kCut,         // ends at byte n
  kZeros,       // zeros from n to the end of the 4 KiB block
  kManyZeros,   // the same, and one more MiB of them
  kTorn,        // sectors of the last KiBs lost at random; n is a seed
  kLostSector,  // the sector at n lost from n on, later ones not
  kLostPage,    // the same for the 4 KiB block at n
  kLostPages,   // for that and the next one
  kLostBlock,   // for the 32 KiB block at n
  kFlipped,     // one bit of the byte at n
};

inline const char* NameOf(DamageKind kind) {
  switch (kind) {
    case DamageKind::kCut:
      return "ends at byte n";
    case DamageKind::kZeros:
      return "zeros from byte n to the end of its 4 KiB";
    case DamageKind::kManyZeros:
      return "zeros from byte n on, 1 MiB and more";
    case DamageKind::kTorn:
      return "sectors of the last 1 to 8 KiB lost at random";
    case DamageKind::kLostSector:
      return "hole: a sector, or its end";
    case DamageKind::kLostPage:
      return "hole: 4 KiB, or their end";
    case DamageKind::kLostPages:
      return "hole: from a record's end on, 4 to 8 KiB";
    case DamageKind::kLostBlock:
      return "hole: 32 KiB, or their end";
    case DamageKind::kFlipped:
      return "one bit flipped, nothing lost";
  }
  return "";
}

struct Damage {
  DamageKind kind;
  uint64_t n;
};

inline std::string ToString(const Damage& damage) {
  return std::string(NameOf(damage.kind)) + ", n=" + std::to_string(damage.n);
}

// An intact WAL and its images.
class WalImages {
 public:
  explicit WalImages(std::string wal)
      : wal_(std::move(wal)), ends_(RecordEnds(wal_)) {}

  const std::string& wal() const { return wal_; }
  const std::vector<uint64_t>& ends() const { return ends_; }

  std::string Make(const Damage& damage) const {
    const uint64_t n = damage.n;
    std::string image = wal_;
    switch (damage.kind) {
      case DamageKind::kCut:
        image.resize(n);
        break;
      case DamageKind::kZeros:
        image.resize(n);
        image.resize(RoundUp(n, kPage));
        break;
      case DamageKind::kManyZeros:
        image.resize(n);
        image.resize(RoundUp(n, kPage) + (1 << 20));
        break;
      case DamageKind::kTorn:
        Tear(n, &image);
        break;
      case DamageKind::kLostSector:
        Lose(n, RoundUp(n + 1, kSector), &image);
        break;
      case DamageKind::kLostPage:
        Lose(n, RoundUp(n + 1, kPage), &image);
        break;
      case DamageKind::kLostPages:
        Lose(n, RoundUp(n + 1, kPage) + kPage, &image);
        break;
      case DamageKind::kLostBlock:
        Lose(n, RoundUp(n + 1, kWalBlock), &image);
        break;
      case DamageKind::kFlipped:
        Flip(n, &image);
        break;
    }
    return image;
  }

  // How many records lie wholly in front of the first byte that is not as it
  // was.
  uint64_t WholeRecords(const std::string& image) const {
    const uint64_t both = std::min(image.size(), wal_.size());
    const auto differs =
        std::mismatch(wal_.begin(), wal_.begin() + both, image.begin());
    const auto damage = static_cast<uint64_t>(differs.first - wal_.begin());
    return std::upper_bound(ends_.begin(), ends_.end(), damage) - ends_.begin();
  }

  // Whether zeros begin within a sector, and no other sector is known to lack a
  // part of the fragment there: it ends in that one, or its header is lost in
  // part. No disk writes half a sector.
  bool IsWithinSector(const Damage& damage) const {
    const uint64_t n = damage.n;
    if ((damage.kind != DamageKind::kZeros &&
         damage.kind != DamageKind::kManyZeros) ||
        n % kSector == 0 || n >= wal_.size()) {
      return false;
    }
    const auto [begin, end] = FragmentWith(n);
    return begin < n && (end <= RoundUp(n, kSector) || n < begin + kWalHeader);
  }

  // Whether the fragment with the byte at n says that it is longer than the
  // image: no reader can tell that from an image that lacks its end.
  bool LooksCut(const std::string& image, uint64_t n) const {
    const uint64_t at = FragmentWith(n).first;
    // Types of recyclable records, whose header has four bytes more.
    const auto type = static_cast<uint8_t>(image[at + kTypeAt]);
    const bool is_long = (type >= 5 && type <= 8) || type == 11 || type == 131;
    const uint64_t claimed =
        at + kWalHeader + (is_long ? 4 : 0) + Length(image, at);
    return claimed > image.size() && claimed <= RoundUp(at + 1, kWalBlock);
  }

 private:
  // The fragment with the byte at n, or behind it if that one is padding.
  std::pair<uint64_t, uint64_t> FragmentWith(uint64_t n) const {
    uint64_t at = FragmentBegin(0);
    uint64_t end = at;
    while (end <= n) {
      at = FragmentBegin(end);
      end = at + kWalHeader + Length(wal_, at);
    }
    return {at, end};
  }

  static uint64_t Length(const std::string& bytes, uint64_t at) {
    uint16_t length = 0;
    std::memcpy(&length, &bytes[at + 4], sizeof(length));
    return length;
  }

  static void Lose(uint64_t begin, uint64_t end, std::string* image) {
    end = std::min<uint64_t>(end, image->size());
    if (begin < end) {
      image->replace(begin, end - begin, end - begin, '\0');
    }
  }

  // A type does not become a recyclable one: RocksDB 7.8 reads on forever then
  // if it is to skip what is corrupted.
  void Flip(uint64_t n, std::string* image) const {
    Random random(n);
    const bool is_type = n == FragmentWith(n).first + kTypeAt;
    const uint64_t bit = is_type ? 3 + random.Below(5) : random.Below(8);
    (*image)[n] = static_cast<char>((*image)[n] ^ (1 << bit));
  }

  // A log that ends with any of its records, the last of which were synced one
  // by one: each of their sectors is as it was after any of these syncs.
  void Tear(uint64_t seed, std::string* image) const {
    Random random(seed);
    const uint64_t size = ends_[1 + random.Below(ends_.size() - 1)];
    image->resize(size);
    const uint64_t tail = 1024 * (1 + random.Below(8));
    const uint64_t safe = *std::lower_bound(ends_.begin(), ends_.end(),
                                            size - std::min(size, tail));
    const uint64_t one_in = 1 + random.Below(6);
    if (random.OneIn(2)) {
      image->resize(RoundUp(size, kPage));
    }
    for (uint64_t sector = safe / kSector * kSector; sector < size;
         sector += kSector) {
      if (!random.OneIn(one_in)) {
        continue;
      }
      const uint64_t next = sector + kSector;
      std::vector<uint64_t> stops = {std::max(sector, safe)};
      for (auto end = std::upper_bound(ends_.begin(), ends_.end(), stops[0]);
           end != ends_.end() && *end < next; ++end) {
        stops.push_back(*end);
      }
      Lose(stops[random.Below(stops.size())], next, image);
    }
  }

  const std::string wal_;
  const std::vector<uint64_t> ends_;
};

// Every byte in [begin, end), in each of these ways.
inline void AddEach(const std::vector<DamageKind>& kinds, uint64_t begin,
                    uint64_t end, uint64_t step, std::vector<Damage>* out) {
  for (const DamageKind kind : kinds) {
    for (uint64_t n = begin; n < end; n += step) {
      out->push_back({kind, n});
    }
  }
}

// Holes at every record's end and at every block's begin, behind `begin`, with
// whatever follows.
inline void AddHoles(const WalImages& images, uint64_t begin,
                     std::vector<Damage>* out) {
  const uint64_t size = images.wal().size();
  for (const uint64_t end : images.ends()) {
    if (end >= begin && end < size) {
      for (const DamageKind kind :
           {DamageKind::kLostSector, DamageKind::kLostPage,
            DamageKind::kLostPages, DamageKind::kLostBlock}) {
        out->push_back({kind, end});
      }
    }
  }
  AddEach({DamageKind::kLostSector}, RoundUp(begin, kSector), size, kSector,
          out);
  AddEach({DamageKind::kLostPage}, RoundUp(begin, kPage), size, kPage, out);
  AddEach({DamageKind::kLostBlock}, RoundUp(begin, kWalBlock), size, kWalBlock,
          out);
}

}  // namespace uringfs::test

#endif  // URINGFS_TEST_PLUGIN_TORN_WAL_H_
