// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_SIDE_JOINED_LOG_H_
#define URINGFS_SIDE_JOINED_LOG_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "src/side/side_reader.h"

namespace uringfs {

// The stream that a dead owner has left: file[0, written) and ring[written,
// filled). Both outlive it. REQUIRES: kLive.
class JoinedLog final : public ByteSource {
 public:
  JoinedLog(const PosixFile& log, const Side& side) : log_(log), side_(side) {}

  int ReadAt(uint64_t offset, size_t bytes, char* out,
             size_t* got) const override {
    const uint64_t end = side_.words.filled;
    const uint64_t in_file = std::min(side_.words.written, end);
    bytes = offset < end
                ? static_cast<size_t>(std::min<uint64_t>(bytes, end - offset))
                : 0;
    *got = 0;
    if (offset < in_file) {
      const auto of_file =
          static_cast<size_t>(std::min<uint64_t>(bytes, in_file - offset));
      const int error = log_.ReadAt(offset, of_file, out, got);
      if (error != 0 || *got < of_file) {
        return error;
      }
    }
    const size_t of_ring = bytes - *got;
    const int error =
        of_ring > 0 ? ReadSideRing(side_, offset + *got, of_ring, out + *got)
                    : 0;
    *got = error == 0 ? bytes : *got;
    return error;
  }

 private:
  const PosixFile& log_;
  const Side& side_;
};

}  // namespace uringfs

#endif  // URINGFS_SIDE_JOINED_LOG_H_
