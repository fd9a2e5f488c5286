// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/side_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "src/base/align.h"
#include "src/base/file_identity.h"
#include "src/base/mount_epoch.h"
#include "src/side/side_file.h"
#include "src/side/side_trust.h"

namespace uringfs {
namespace {

constexpr uint64_t kBlockBytes = 4096;
constexpr uint64_t kMaxRingBytes = uint64_t{1} << 30;

// What a reader takes from the first page, words as they are.
struct SidePage {
  uint64_t state = 0;
  uint64_t tag = 0;
  SideHeader header = {};
  uint64_t written = 0;
  uint64_t filled = 0;
  SideSum sums[kSideSums] = {};
};

bool IsSame(const SideHeader& a, const SideHeader& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

bool IsAllZero(const SideHeader& header) {
  return IsSame(header, SideHeader());
}

int ReadPageOnce(const PosixFile& file, SidePage* page) {
  int error = file.ReadExactly(kSideStateAt, sizeof(page->state), &page->state);
  if (error == 0) {
    error = file.ReadExactly(kSideTagAt, sizeof(page->tag), &page->tag);
  }
  if (error == 0) {
    error = file.ReadExactly(0, sizeof(page->header), &page->header);
  }
  if (error == 0) {
    error =
        file.ReadExactly(kSideFilledAt, sizeof(page->filled), &page->filled);
  }
  if (error == 0) {
    error =
        file.ReadExactly(kSideWrittenAt, sizeof(page->written), &page->written);
  }
  if (error == 0) {
    error = file.ReadExactly(kSideSumsAt, sizeof(page->sums), &page->sums);
  }
  return error;
}

// Whether what the first look has seen, state and header first, is of one life
// of the file.
bool AreOfOneLife(const SidePage& first, const SidePage& second) {
  uint64_t offset = 0;
  const bool has_words =
      UnsealWord(first.written, &offset) && UnsealWord(first.filled, &offset);
  return first.state == second.state && IsSame(first.header, second.header) &&
         (has_words || first.state == kSideIdle);
}

// Reads until two looks agree that it is one life of the file. What never
// agrees is left to the checks.
int ReadPage(const PosixFile& file, SidePage* page) {
  int error = ReadPageOnce(file, page);
  for (int tries = 0; tries < 16 && error == 0; ++tries) {
    if (page->state != kSideLive && page->state != kSideIdle) {
      return 0;
    }
    SidePage again;
    error = ReadPageOnce(file, &again);
    if (AreOfOneLife(*page, again)) {
      return error;
    }
    *page = again;
  }
  return error;
}

// The functions below return what is wrong, or an empty string.

std::string KindComplaint(const std::string& what, const struct stat& stat) {
  if (S_ISLNK(stat.st_mode)) {
    return what + " is a symbolic link";
  }
  return S_ISREG(stat.st_mode) ? "" : what + " is not a regular file";
}

std::string GeometryComplaint(const SideHeader& header) {
  const bool fits =
      IsPowerOfTwo(header.buffer_bytes) && header.buffer_bytes >= kBlockBytes &&
      header.buffer_bytes <= 4u << 20 && header.buffers_count >= 2 &&
      header.buffers_count <= 1024 && SideRingBytes(header) <= kMaxRingBytes &&
      IsAligned(header.origin, kBlockBytes) &&
      header.origin <= kMaxSealedOffset;
  return fits ? "" : "its header makes no sense";
}

// Of a file of so many bytes.
bool HasWholeRing(const SideHeader& header, uint64_t bytes) {
  const uint64_t wanted = kSideRingOffset + SideRingBytes(header);
  return bytes >= wanted && bytes < wanted + kSideTailLimit;
}

std::string HeaderComplaint(const SideHeader& header, uint64_t file_bytes) {
  if (std::memcmp(header.magic, kSideMagic, sizeof(kSideMagic)) != 0) {
    return "it is not a side file (magic)";
  }
  if (header.version != kSideVersion) {
    return "it is of version " + std::to_string(header.version) +
           " and this build knows version " + std::to_string(kSideVersion) +
           " only; recover it with the build that wrote it";
  }
  if (header.checksum != SideChecksum(header)) {
    return "its header is damaged (checksum)";
  }
  std::string complaint = GeometryComplaint(header);
  if (complaint.empty() && !HasWholeRing(header, file_bytes)) {
    complaint = "it has " + std::to_string(file_bytes) +
                " bytes and should have " +
                std::to_string(kSideRingOffset + SideRingBytes(header)) +
                ", or a few more";
  }
  return complaint;
}

// Unseals the words; `side` has its header.
std::string WordsComplaint(const Side& side, const SidePage& page,
                           SideWords* words) {
  const uint64_t origin = side.header.origin;
  const uint64_t sum_begin = side.header.sum_begin;
  if (!UnsealWord(page.written, &words->written) ||
      !UnsealWord(page.filled, &words->filled)) {
    return "its state is damaged (seal)";
  }
  const bool fits = sum_begin >= origin && words->written >= sum_begin &&
                    words->filled >= sum_begin &&
                    words->filled <= side.BeginOf(side.SeqOf(words->written)) +
                                         SideRingBytes(side.header);
  return fits ? ""
              : "its state contradicts itself: written " +
                    std::to_string(words->written) + ", filled " +
                    std::to_string(words->filled) + ", origin " +
                    std::to_string(origin);
}

Status BeGarbled(Side* side, std::string complaint) {
  side->content = SideContent::kGarbled;
  side->complaint = std::move(complaint);
  return Status::Ok();
}

Status Be(Side* side, SideContent content) {
  side->content = content;
  return Status::Ok();
}

Status FindLog(const std::string& log_path, Side* side) {
  side->has_log = ::lstat(log_path.c_str(), &side->log) == 0;
  side->log_birth = BirthOf(AT_FDCWD, log_path, AT_SYMLINK_NOFOLLOW);
  return side->has_log || errno == ENOENT
             ? Status::Ok()
             : Status::FromErrno(errno, "look at the log", log_path);
}

Status OpenSide(Side* side) {
  int error = side->file.Open(side->path, O_RDONLY | O_NOFOLLOW);
  if (error == 0) {
    error = side->file.Stat(&side->stat);
  }
  if (error == ENOENT || (error == 0 && side->stat.st_nlink == 0)) {
    return Status::Ok();  // removed meanwhile
  }
  if (error == EACCES || error == EPERM) {
    return Status::FromErrno(error,
                             "open the side file of a log that is open or was "
                             "left by a killed process (whoever may read the "
                             "log may, unless somebody has changed its mode)",
                             side->path);
  }
  if (error != 0) {
    return Status::FromErrno(error, "open the side file", side->path);
  }
  return Be(side, SideContent::kLive);  // or not: it is looked into next
}

// Leaves kMissing, kBlank, kGarbled, or kLive for "to be looked into".
Status FindSide(const std::string& log_path, Side* side) {
  Status status = FindLog(log_path, side);
  if (!status.ok()) {
    return status;
  }
  if (::lstat(side->path.c_str(), &side->stat) != 0) {
    return errno == ENOENT
               ? Status::Ok()
               : Status::FromErrno(errno, "look at the side file", side->path);
  }
  // Before it is opened: a device can do things then.
  std::string complaint = KindComplaint("the side file", side->stat);
  if (complaint.empty() && side->has_log) {
    complaint = KindComplaint("the log beside it", side->log);
  }
  if (!complaint.empty()) {
    return BeGarbled(side, std::move(complaint));
  }
  if (side->stat.st_size == 0) {
    // Its maker was killed before it had a size, or could not remove it.
    return Be(side, SideContent::kBlank);
  }
  return OpenSide(side);
}

// Finds the file, and what the log says of it. *is_lost if there is none, or an
// empty one, though the log says otherwise: a side file has its size before the
// log has its mark.
Status FindBoth(const std::string& log_path, Side* side, bool* is_lost) {
  *side = Side();
  side->path = SidePathOf(log_path);
  Status status = FindSide(log_path, side);
  *is_lost = false;
  if (!status.ok() || !side->has_log) {
    return status;
  }
  const int error = FindMark(log_path, &side->is_marked, &side->mark);
  const bool is_empty =
      side->content == SideContent::kBlank && side->stat.st_size == 0;
  *is_lost =
      side->is_marked && (is_empty || side->content == SideContent::kMissing);
  if (error == 0) {
    return status;
  }
  // A file system that has no side files may answer whatever it likes.
  const bool has_none = side->content == SideContent::kMissing &&
                        !SideFile::RefusalBeside(log_path).empty();
  return has_none ? status
                  : Status::FromErrno(
                        error,
                        "read the attribute user.uringfs (if the file system "
                        "cannot be repaired, put a copy of the log in its "
                        "place, made by `cp -p`) of",
                        log_path);
}

// Of the log it served last. Earlier versions have the state at the same place.
Status ReadIdle(const std::string& log_path, const SidePage& page, Side* side) {
  side->header = page.header;
  side->has_header = page.header.version == kSideVersion &&
                     page.header.checksum == SideChecksum(page.header);
  // They may be those of no log, or damaged: then nobody goes by them.
  side->has_words = side->has_header &&
                    GeometryComplaint(page.header).empty() &&
                    WordsComplaint(*side, page, &side->words).empty();
  std::memcpy(side->sums, page.sums, sizeof(side->sums));
  // Once more: the owner may have made the log longer before he closed it.
  Status status = FindLog(log_path, side);
  return status.ok() ? Be(side, SideContent::kIdle) : status;
}

// Power loss may leave that, of a page that was half written. Where the machine
// has run on since, and the mount is the same, somebody has damaged it.
Status ReadHeadless(const SidePage& page, Side* side) {
  if (page.state != kSideLive) {
    return Be(side, SideContent::kBlank);
  }
  return page.tag == SideTagOf(MountEpochOf(side->stat.st_dev))
             ? BeGarbled(side, "its header is gone")
             : Be(side, SideContent::kTornHeader);
}

Status ReadContent(const std::string& log_path, Side* side) {
  const auto file_bytes = static_cast<uint64_t>(side->stat.st_size);
  if (file_bytes < kSideRingOffset) {
    return BeGarbled(side, "it is cut off");
  }
  SidePage page;
  const int error = ReadPage(side->file, &page);
  if (error != 0) {
    return Status::FromErrno(error, "read the side file", side->path);
  }
  if (IsAllZero(page.header)) {
    return ReadHeadless(page, side);
  }
  const bool is_ours =
      std::memcmp(page.header.magic, kSideMagic, sizeof(kSideMagic)) == 0 &&
      page.header.version > 0 && page.header.version <= kSideVersion;
  const bool is_idle =
      page.state == (page.header.version < kSideVersion ? 0 : kSideIdle);
  if (is_ours && is_idle) {
    return ReadIdle(log_path, page, side);
  }
  if (BootId().empty()) {
    return Status::IoError(
        side->path +
        ": the kernel's boot id cannot be read; mount /proc and try again");
  }
  std::string complaint = HeaderComplaint(page.header, file_bytes);
  if (complaint.empty()) {
    side->header = page.header;
    side->has_header = true;
    complaint = page.state == kSideLive
                    ? WordsComplaint(*side, page, &side->words)
                    : "its state is neither live nor idle";
  }
  if (!complaint.empty()) {
    return BeGarbled(side, std::move(complaint));
  }
  side->has_words = true;
  std::memcpy(side->sums, page.sums, sizeof(side->sums));
  side->distrust = WhyLessTrusted(log_path, *side);
  // Once more: the owner may have made the log longer since.
  return FindLog(log_path, side);
}

}  // namespace

Status LookAtSide(const std::string& log_path, Side* side) {
  bool is_lost = false;
  Status status = FindBoth(log_path, side, &is_lost);
  if (status.ok() && is_lost) {
    // Unless its owner has just made it, in front of the mark, or just closes
    // the log.
    status = FindBoth(log_path, side, &is_lost);
    side->content = is_lost ? SideContent::kLost : side->content;
  }
  return status.ok() && side->content == SideContent::kLive
             ? ReadContent(log_path, side)
             : status;
}

Status LookAtSideCalmly(const std::string& log_path, Side* side) {
  Status status = LookAtSide(log_path, side);
  for (int tries = 0;
       tries < 2 && status.ok() && side->content == SideContent::kGarbled;
       ++tries) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    status = LookAtSide(log_path, side);
  }
  return status;
}

bool ReadSideWords(const Side& side, SideWords* words) {
  struct stat stat = {};
  SidePage page;
  // One that was removed has nothing to say: who removed it saw to it that the
  // file is whole.
  return side.file.Stat(&stat) == 0 && stat.st_nlink > 0 &&
         HasWholeRing(side.header, static_cast<uint64_t>(stat.st_size)) &&
         ReadPage(side.file, &page) == 0 && page.state == kSideLive &&
         IsSame(page.header, side.header) &&
         WordsComplaint(side, page, words).empty();
}

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

bool IsOfOtherBoot(const SideHeader& header) {
  char boot_id[sizeof(header.boot_id)] = {};
  BootId().copy(boot_id, sizeof(boot_id) - 1);
  return std::memcmp(boot_id, header.boot_id, sizeof(boot_id)) != 0;
}

bool IsOwnerAlive(const SideHeader& header) {
  const bool is_before_exec =
      header.owner_pid == static_cast<uint32_t>(::getpid()) &&
      header.owner_image != ImageId();
  return header.owner_start != 0 && !is_before_exec &&
         ProcessStart(header.owner_pid) == header.owner_start;
}

}  // namespace uringfs
