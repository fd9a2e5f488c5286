// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What the ring has, and whether the log can be its log.

#include <algorithm>
#include <cstring>
#include <vector>

#include "src/log/posix_file.h"
#include "src/log/side_reader.h"

namespace uringfs {

namespace {

constexpr size_t kPieceBytes = size_t{256} * 1024;

// Whether `of_log` can be what writes of `of_ring` have left: the same bytes,
// or zeros, which are padding or not written yet.
bool MayBeOf(const char* of_ring, const char* of_log, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) {
    if (of_log[i] != 0 && of_log[i] != of_ring[i]) {
      return false;
    }
  }
  return true;
}

Status ChangedLog(Side* side) {
  side->verdict = SideVerdict::kRefused;
  side->reason = kLogChanged;
  return Status::Ok();
}

}  // namespace

int ReadSideRing(const Side& side, uint64_t offset, size_t bytes, char* out) {
  const SideHeader& header = side.header;
  int error = 0;
  while (bytes > 0 && error == 0) {
    const uint64_t seq = side.SeqOf(offset);
    const uint64_t in_buffer = offset - side.BeginOf(seq);
    const auto piece = static_cast<size_t>(
        std::min<uint64_t>(bytes, header.buffer_bytes - in_buffer));
    const uint64_t slot = seq % header.buffers_count;
    error = side.file.ReadExactly(
        kSideRingOffset + slot * header.buffer_bytes + in_buffer, piece, out);
    offset += piece;
    out += piece;
    bytes -= piece;
  }
  return error;
}

Status CompareLog(const PosixFile& log, Side* side) {
  const uint64_t begin = side->BeginOf(side->SeqOf(side->words.written));
  // A recovery that was killed behind the cut has left nothing behind filled.
  const uint64_t written = std::min(side->words.written, side->words.filled);
  const uint64_t ring_end = begin + SideRingBytes(side->header);
  const auto log_end = static_cast<uint64_t>(side->log.st_size);
  std::vector<char> of_log(kPieceBytes);
  std::vector<char> of_ring(kPieceBytes);
  bool fits = true;
  for (uint64_t at = begin; fits && at < std::max(written, log_end);) {
    const uint64_t end = at < written    ? written
                         : at < ring_end ? std::min(log_end, ring_end)
                                         : log_end;
    const auto piece =
        static_cast<size_t>(std::min<uint64_t>(kPieceBytes, end - at));
    size_t got = 0;
    int error = log.ReadAt(at, piece, of_log.data(), &got);
    if (error == 0 && at < ring_end) {
      error = ReadSideRing(*side, at, piece, of_ring.data());
    }
    if (error != 0) {
      return Status::FromErrno(error, "compare the log with its side file",
                               side->path);
    }
    if (at >= ring_end) {
      std::memset(of_ring.data(), 0, piece);
    }
    fits = at < written ? got == piece && std::memcmp(of_log.data(),
                                                      of_ring.data(), got) == 0
                        : MayBeOf(of_ring.data(), of_log.data(), got);
    at += piece;
  }
  return fits ? Status::Ok() : ChangedLog(side);
}

}  // namespace uringfs
