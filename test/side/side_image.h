// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A side file as a process that is killed at this instant leaves it, read
// without any code of the library's reading side.

#ifndef URINGFS_TEST_SIDE_SIDE_IMAGE_H_
#define URINGFS_TEST_SIDE_SIDE_IMAGE_H_

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>

#include "src/side/side_format.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"
#include "uringfs/internal/crc32c.h"
#include "uringfs/options.h"

namespace uringfs::test {

inline LogOptions SharedRing(uint32_t buffer_bytes = 4096, uint32_t count = 4) {
  LogOptions options;
  options.ring_home = RingHome::kShared;
  options.buffer_bytes = buffer_bytes;
  options.buffers_count = count;
  return options;
}

inline bool Exists(const std::string& path) {
  struct stat found = {};
  return ::lstat(path.c_str(), &found) == 0;
}

// Where every user may make files.
inline std::string DirectoryForAll(const TempDir& parent) {
  const std::string shared = parent.File("shared");
  std::filesystem::create_directory(shared);
  EXPECT_EQ(::chmod(parent.path().c_str(), 0755), 0);
  EXPECT_EQ(::chmod(shared.c_str(), 0777), 0);
  return shared;
}

inline ino_t InodeOf(const std::string& path) {
  struct stat found = {};
  EXPECT_EQ(::stat(path.c_str(), &found), 0) << path;
  return found.st_ino;
}

// What a process that is killed now leaves in its side file.
struct SideImage {
  explicit SideImage(const std::string& log_path)
      : bytes(ReadWholeFile(SidePathOf(log_path))) {
    std::memcpy(&header, bytes.data(), sizeof(header));
  }
  uint64_t Word(size_t at) const {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof(word));
    return word;
  }
  uint64_t Offset(size_t at) const {
    uint64_t offset = 0;
    EXPECT_TRUE(UnsealWord(Word(at), &offset));
    return offset;
  }
  bool is_live() const { return Word(kSideStateAt) == kSideLive; }
  uint64_t written() const { return Offset(kSideWrittenAt); }
  uint64_t filled() const { return Offset(kSideFilledAt); }

  // The log as recovery would make it of this and of `file`.
  std::string Recover(const std::string& file) const {
    std::string log = file.substr(0, std::min(written(), filled()));
    for (uint64_t at = written(); at < filled(); ++at) {
      const uint64_t in_ring =
          (at - header.origin) %
          (uint64_t{header.buffer_bytes} * header.buffers_count);
      log += bytes[kSideRingOffset + in_ring];
    }
    return log;
  }

  // Whether one of the sums is of `stream`, which is what was promised.
  bool HasSumOf(const std::string& stream) const {
    const uint32_t crc =
        Crc32c(stream.data() + header.sum_begin,
               stream.size() - header.sum_begin, header.checksum);
    bool found = false;
    for (size_t at = kSideSumsAt;
         at < kSideSumsAt + kSideSums * sizeof(SideSum);
         at += sizeof(SideSum)) {
      found = found ||
              (Word(at) == stream.size() && Word(at + sizeof(uint64_t)) == crc);
    }
    return found;
  }

  std::string bytes;
  SideHeader header;
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_SIDE_SIDE_IMAGE_H_
