// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The side file `<log>.uringfs`: the ring of a log in a shared mapping beside
// it, so that what was flushed into the ring survives the process. README.md
// has the drawing and the rules of recovery.
//
//   0     SideHeader        constant while the state word says live
//   1024  state             kSideLive or kSideIdle
//   1032  tag               SideTagOf() when the header was written
//   1088  written           sealed word: the file has the stream below it
//   1152  filled            sealed word: Flush has promised the stream below it
//   1216  two sums        of the stream below `filled`, written in turn in
//                         front of it
//   4096  the ring          slot i at kSideRingOffset + i * buffer_bytes;
//                           stream offset x lies in slot
//                           ((x - origin) / buffer_bytes) % buffers_count
//
// Invariant while live: the stream below `filled` is
//   file[0, min(written, filled)) + ring[written, filled).
// `written` may run ahead of `filled`: full buffers are drained before anybody
// asks for a flush. Recovery cuts the file to `filled`.
//
// All numbers are in the byte order of the machine: the bytes are worthless on
// any other one, and the boot id tells.

#ifndef URINGFS_SIDE_SIDE_FORMAT_H_
#define URINGFS_SIDE_SIDE_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace uringfs {

inline constexpr char kSideSuffix[] = ".uringfs";
inline constexpr char kSideMagic[8] = {'u', 'r', 'i', 'n', 'g', 'f', 's', '\n'};
inline constexpr uint32_t kSideVersion = 4;
inline constexpr size_t kSideStateAt = 1024;
inline constexpr size_t kSideTagAt = 1032;
inline constexpr size_t kSideWrittenAt = 1088;
inline constexpr size_t kSideFilledAt = 1152;
inline constexpr size_t kSideSumsAt = 1216;
inline constexpr size_t kSideRingOffset = 4096;
// There may be less than this behind the ring, a hole: only how much tells one
// state of the file from another.
inline constexpr size_t kSideTailLimit = 4096;

// What log and ring have to add up to: the proof that both are as their owner
// left them, and belong together.
struct SideSum {
  uint64_t offset;  // a `filled`
  uint64_t crc32c;  // of the stream [sum_begin, offset), begun with `checksum`
};
inline constexpr size_t kSideSums = 2;

// Far from each other in bits: no small damage makes one of the other, and no
// sector of zeros makes either. (Version 3 and earlier had 0 for idle.)
inline constexpr uint64_t kSideIdle = 0x69646c65c4b70e52;
inline constexpr uint64_t kSideLive = 0x6c69766521d3a5f1;

struct SideHeader {
  char magic[8];
  uint32_t version;
  uint32_t checksum;     // SideChecksum(); no two lives have the same
  char boot_id[40];      // text of the kernel's boot id, zero-padded
  uint64_t file_system;  // FileSystemIdOf() it; its device may change
  uint64_t log_device;   // st_dev and st_ino of the log
  uint64_t log_inode;
  // When the log was made, in nanoseconds; 0 where the file system does not
  // know. Inode numbers are used again.
  uint64_t log_birth;
  uint64_t log_name;     // NameHashOf() the log
  uint64_t mount_epoch;  // MountEpochOf() the log's device; 0: not known
  uint64_t generation;   // another one each time the file goes live
  uint64_t origin;       // stream offset where buffer 0 begins; aligned
  uint64_t sum_begin;    // where the sums begin; not below origin
  uint64_t owner_start;  // start time of the owner, /proc/<pid>/stat field 22
  uint64_t owner_image;  // ImageId() of the owner, which exec changes
  uint32_t owner_pid;
  uint32_t buffer_bytes;  // as in LogOptions
  uint32_t buffers_count;
  uint32_t file_id;  // what its log's mark names; see log_mark.h
};
static_assert(sizeof(SideHeader) == 160 && sizeof(SideHeader) < kSideStateAt);

inline uint64_t SideRingBytes(const SideHeader& header) {
  return uint64_t{header.buffer_bytes} * header.buffers_count;
}

inline std::string SidePathOf(const std::string& log_path) {
  return log_path + kSideSuffix;
}
// The way back.
inline std::string LogPathOf(const std::string& side_path) {
  return side_path.substr(0, side_path.size() - (sizeof(kSideSuffix) - 1));
}

// CRC32C of the header as if its checksum were zero.
uint32_t SideChecksum(const SideHeader& header);

// Of the last component of a path; never 0.
uint64_t NameHashOf(const std::string& path);

// The kernel's boot id as text; empty where it cannot be read.
const std::string& BootId();

// Of this boot and of the mount with that epoch: what the words lie in tells it
// once more, for whoever finds them without a header. Never 0.
uint64_t SideTagOf(uint64_t mount_epoch);

// Of this process until it calls exec; a child of fork has it too.
uint64_t ImageId();

// Start time of a process in clock ticks since boot; 0 if it is not there.
uint64_t ProcessStart(uint32_t pid);

// A sealed word carries its own check, so that one store publishes both: the
// offset in 48 bits, 16 bits of hash above. Every change of one bit shows.
inline constexpr uint64_t kMaxSealedOffset = (uint64_t{1} << 48) - 1;
constexpr uint64_t SealWord(uint64_t offset) {
  // The summand lands in the hash: a word of zeros is no word.
  return offset | ((offset * 0x9e3779b97f4a7c15u + (uint64_t{0x5eed} << 48)) &
                   ~kMaxSealedOffset);
}
constexpr bool UnsealWord(uint64_t word, uint64_t* offset) {
  *offset = word & kMaxSealedOffset;
  return SealWord(*offset) == word;
}

}  // namespace uringfs

#endif  // URINGFS_SIDE_SIDE_FORMAT_H_
