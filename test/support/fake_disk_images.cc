// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What is found on a FakeDisk after the power went or the process died.

#include <algorithm>
#include <utility>

#include "test/support/fake_disk.h"

namespace uringfs::test {
namespace {

// Which sectors of a write that was cut off by a power loss are on the media.
class Tear {
 public:
  explicit Tear(Random& random, size_t sectors)
      : shape_(random.Below(5)), at_(random.Below(sectors + 1)) {}

  bool Keeps(size_t sector, Random& random) const {
    switch (shape_) {
      case 0:
        return false;
      case 1:
        return true;
      case 2:
        return sector < at_;
      case 3:
        return sector >= at_;
      default:
        return random.OneIn(2);
    }
  }

 private:
  const uint64_t shape_;
  const size_t at_;
};

}  // namespace

void FakeDisk::OverwriteTorn(std::string* image, uint64_t offset,
                             const std::string& bytes, Random& random) {
  constexpr size_t kSector = kSectorBytes;
  const Tear tear(random, bytes.size() / kSector);
  for (size_t at = 0; at < bytes.size(); at += kSector) {
    if (tear.Keeps(at / kSector, random)) {
      Overwrite(image, offset + at, bytes.data() + at, kSector);
    }
  }
}

std::string FakeDisk::CrashImage(Random& random) const {
  std::lock_guard<std::mutex> lock(mutex_);
  // Sizes are metadata, and a journal keeps their order: those of the first
  // `cut` events are found, the others are not.
  size_t least = 0;
  for (size_t i = 0; i < events_.size(); ++i) {
    least =
        events_[i]->changes_size && events_[i]->meta_durable ? i + 1 : least;
  }
  const size_t cut = least + random.Below(events_.size() - least + 1);
  std::string image = base_;
  uint64_t size = base_.size();
  for (size_t i = 0; i < events_.size(); ++i) {
    const Event& event = *events_[i];
    const bool size_found = i < cut && event.changes_size &&
                            (event.state == State::kReaped || random.OneIn(2));
    if (!event.IsWrite()) {
      if (size_found) {
        size = event.offset;
        image.resize(std::min<uint64_t>(image.size(), size));
      }
      continue;
    }
    if (event.data_durable) {
      Overwrite(&image, event.offset, event.bytes.data(), event.bytes.size());
    } else {
      OverwriteTorn(&image, event.offset, event.bytes, random);
    }
    if (size_found) {
      size = std::max(size, event.end());
    }
  }
  image.resize(size, '\0');
  return image;
}

std::string FakeDisk::KillImage(Random& random) const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::string image = image_;
  for (const InFlight& in_flight : in_flight_) {
    if (random.OneIn(2)) {
      const Event& event = *in_flight.event;
      Overwrite(&image, event.offset, event.bytes.data(), event.bytes.size());
    }
  }
  return image;
}

}  // namespace uringfs::test
