// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_LOG_SLICE_READER_H_
#define URINGFS_LOG_SLICE_READER_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace uringfs {

// Reads a row of slices as one sequence of bytes.
class SliceReader {
 public:
  explicit SliceReader(const std::string_view* slices) : slice_(slices) {}

  // REQUIRES: `bytes` are left.
  void CopyTo(char* to, size_t bytes) {
    while (bytes > 0) {
      const size_t piece = std::min(bytes, slice_->size() - at_);
      if (piece > 0) {
        std::memcpy(to, slice_->data() + at_, piece);
      }
      to += piece;
      bytes -= piece;
      at_ += piece;
      if (at_ == slice_->size()) {
        ++slice_;
        at_ = 0;
      }
    }
  }

 private:
  const std::string_view* slice_;
  size_t at_ = 0;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_SLICE_READER_H_
