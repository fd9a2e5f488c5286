// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// SideBuilder: a log and its side file as a killed owner would have left them,
// made by hand, so that any field can be wrong.

#ifndef URINGFS_TEST_SIDE_SIDE_BUILDER_H_
#define URINGFS_TEST_SIDE_SIDE_BUILDER_H_

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>

#include "src/base/mount_epoch.h"
#include "src/side/side_format.h"
#include "test/support/seed.h"

#include "uringfs/internal/crc32c.h"

namespace uringfs::test {

// Byte of the stream at an offset; no two buffers look alike.
inline char StreamByte(uint64_t offset) {
  return static_cast<char>(((offset + 1) * 0x9e3779b97f4a7c15ull) >> 56);
}

inline std::string Stream(uint64_t begin, uint64_t end) {
  std::string bytes;
  bytes.reserve(end - begin);
  for (; begin < end; ++begin) {
    bytes.push_back(StreamByte(begin));
  }
  return bytes;
}

inline void WriteWholeFile(const std::string& path, const std::string& bytes,
                           mode_t mode = 0600) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  if (::chmod(path.c_str(), mode) != 0) {
    std::abort();
  }
}

struct SideBuilder {
  explicit SideBuilder(std::string path) : log_path(std::move(path)) {}

  std::string log_path;
  uint32_t buffer_bytes = 4096;
  uint32_t buffers_count = 4;
  uint64_t origin = 4096;
  uint64_t written = 9000;
  uint64_t filled = 14000;
  uint64_t padding = 0;  // zeros behind what is written

  // After Prepare(): what will be in the side file.
  SideHeader header = {};
  uint64_t state = kSideLive;
  uint64_t written_word = 0;
  uint64_t filled_word = 0;
  std::string ring;
  std::optional<SideSum> sum;  // instead of the right one

  std::string side_path() const { return SidePathOf(log_path); }
  uint64_t SeqOf(uint64_t offset) const {
    return (offset - origin) / buffer_bytes;
  }
  uint64_t BeginOf(uint64_t seq) const { return origin + seq * buffer_bytes; }
  uint64_t ring_bytes() const { return uint64_t{buffer_bytes} * buffers_count; }
  // The furthest `filled` that goes with `written`.
  uint64_t limit() const { return BeginOf(SeqOf(written)) + ring_bytes(); }
  std::string stream;  // empty: StreamByte's
  std::string Bytes(uint64_t begin, uint64_t end) const {
    return stream.empty() ? Stream(begin, end)
                          : stream.substr(begin, end - begin);
  }
  // What the log is worth, and what it must be after recovery.
  std::string whole() const { return Bytes(0, filled); }

  // Any geometry and any words that can be.
  void Randomise(Random* random) {
    buffer_bytes = 4096u << random->Below(4);
    buffers_count = static_cast<uint32_t>(2 + random->Below(6));
    origin = 4096 * random->Below(8);
    written = origin + random->Below(3 * ring_bytes());
    if (random->OneIn(4)) {
      written = BeginOf(SeqOf(written));
    }
    filled = random->OneIn(4) && written > origin
                 ? origin + random->Below(written - origin)
                 : written + random->Below(limit() - written + 1);
    if (random->OneIn(8)) {
      filled = limit();
    }
    padding = random->OneIn(2) ? 0 : random->Below(4096);
  }

  // The log, and a side file in memory that fits it.
  void Prepare() {
    WriteWholeFile(log_path, Bytes(0, written) + std::string(padding, '\0'),
                   0644);
    PrepareSide();
  }

  // The latter alone. REQUIRES: the log has the stream below `written`.
  void PrepareSide() {
    ring.assign(ring_bytes(), '\xee');
    const uint64_t end = std::max(written, filled);
    const uint64_t seqs = SeqOf(end) + 1;
    for (uint64_t seq = seqs > buffers_count ? seqs - buffers_count : 0;
         seq < seqs; ++seq) {
      Fill(seq, end);
    }
    if (written < end) {
      Fill(SeqOf(written), end);  // `end` may begin a buffer that has no bytes
    }
    MakeHeader();
    written_word = SealWord(written);
    filled_word = SealWord(filled);
  }

  std::string side_bytes() const {
    std::string bytes(kSideRingOffset, '\0');
    std::memcpy(&bytes[0], &header, sizeof(header));
    std::memcpy(&bytes[kSideStateAt], &state, sizeof(state));
    const uint64_t tag = SideTagOf(header.mount_epoch);
    std::memcpy(&bytes[kSideTagAt], &tag, sizeof(tag));
    std::memcpy(&bytes[kSideWrittenAt], &written_word, sizeof(written_word));
    std::memcpy(&bytes[kSideFilledAt], &filled_word, sizeof(filled_word));
    const SideSum written_sum = sum.has_value() ? *sum : SumOf(whole());
    std::memcpy(&bytes[kSideSumsAt] + sizeof(SideSum), &written_sum,
                sizeof(SideSum));
    return bytes + ring;
  }

  // What goes with the end of this stream.
  SideSum SumOf(const std::string& promised) const {
    const uint64_t begin =
        std::min<uint64_t>(header.sum_begin, promised.size());
    return {promised.size(), Crc32c(promised.data() + begin,
                                    promised.size() - begin, header.checksum)};
  }

  void WriteSide() const { WriteWholeFile(side_path(), side_bytes()); }

  void Build() {
    Prepare();
    WriteSide();
  }

  // After fields of the header were changed by hand.
  void Sign() { header.checksum = SideChecksum(header); }

  // The owner lived in another boot, or on another mount.
  void BeOfAnotherBoot() {
    char& digit = header.boot_id[0];
    digit = digit == 'a' ? 'b' : 'a';
    Sign();
  }
  void BeOfAnotherMount() {
    ++header.mount_epoch;
    Sign();
  }
  // Of the ring, where it has the stream's byte at `offset`.
  void FlipBit(uint64_t offset) {
    char& byte = ring[offset % ring_bytes()];
    byte = static_cast<char>(byte ^ 1);
  }

 private:
  void Fill(uint64_t seq, uint64_t end) {
    const uint64_t begin = BeginOf(seq);
    const uint64_t stop = std::min(end, BeginOf(seq + 1));
    if (begin < stop) {
      ring.replace((seq % buffers_count) * buffer_bytes, stop - begin,
                   Bytes(begin, stop));
    }
  }

  void MakeHeader() {
    struct stat log = {};
    if (::stat(log_path.c_str(), &log) != 0) {
      std::abort();
    }
    header = SideHeader();
    std::memcpy(header.magic, kSideMagic, sizeof(header.magic));
    header.version = kSideVersion;
    BootId().copy(header.boot_id, sizeof(header.boot_id) - 1);
    header.log_device = log.st_dev;
    header.log_inode = log.st_ino;
    header.log_name = NameHashOf(log_path);
    header.mount_epoch = MountEpochOf(log.st_dev);
    header.generation = 77;
    header.origin = origin;
    header.sum_begin = origin;
    // Alive, and not this process: nobody waits for himself.
    header.owner_pid = static_cast<uint32_t>(::getppid());
    header.owner_start = ProcessStart(header.owner_pid);
    header.buffer_bytes = buffer_bytes;
    header.buffers_count = buffers_count;
    Sign();
  }
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_SIDE_SIDE_BUILDER_H_
