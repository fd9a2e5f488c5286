// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/side_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "src/base/align.h"
#include "src/base/file_identity.h"

namespace uringfs {
namespace {

constexpr uint64_t kBlockBytes = 4096;
constexpr uint64_t kMaxRingBytes = uint64_t{1} << 30;

const char* const kRemoveIt = "; remove it if the log is good without it";

// What a reader takes from the first page, words as they are.
struct SidePage {
  uint64_t state = 0;
  SideHeader header = {};
  uint64_t written = 0;
  uint64_t filled = 0;
};

bool IsSame(const SideHeader& a, const SideHeader& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

int ReadPageOnce(const PosixFile& file, SidePage* page) {
  int error = file.ReadExactly(kSideStateAt, sizeof(page->state), &page->state);
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
  return error;
}

// Reads until two looks agree that it is one life of the file. What never
// agrees is left to the checks.
int ReadPage(const PosixFile& file, SidePage* page) {
  int error = ReadPageOnce(file, page);
  for (int tries = 0; tries < 16 && error == 0; ++tries) {
    if (page->state != kSideLive) {
      return 0;
    }
    SidePage again;
    error = ReadPageOnce(file, &again);
    uint64_t offset = 0;
    const bool agree =
        again.state == kSideLive && IsSame(page->header, again.header) &&
        UnsealWord(page->written, &offset) && UnsealWord(page->filled, &offset);
    if (agree) {
      return error;
    }
    *page = again;
  }
  return error;
}

// The functions below return why not, or an empty string.

std::string KindRefusal(const std::string& what, const struct stat& stat) {
  if (S_ISLNK(stat.st_mode)) {
    return what + " is a symbolic link";
  }
  return S_ISREG(stat.st_mode) ? "" : what + " is not a regular file";
}

std::string TrustRefusal(const Side& side, const struct stat& stat) {
  std::string reason = KindRefusal("the side file", stat);
  if (reason.empty() && side.has_log) {
    reason = KindRefusal("the log beside it", side.log);
  }
  if (!reason.empty()) {
    return reason + kRemoveIt;
  }
  if (stat.st_nlink > 1) {
    return "the side file has more than one name (hard links); remove the "
           "other ones";
  }
  if (side.has_log && stat.st_uid != side.log.st_uid) {
    return "the side file belongs to user " + std::to_string(stat.st_uid) +
           " and the log to user " + std::to_string(side.log.st_uid) +
           "; chown it if you trust it, or remove it";
  }
  if ((stat.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return "others than its owner may write to the side file; chmod it to 600 "
           "if you trust it, or remove it";
  }
  return "";
}

std::string GeometryRefusal(const SideHeader& header) {
  const bool fits =
      IsPowerOfTwo(header.buffer_bytes) && header.buffer_bytes >= kBlockBytes &&
      header.buffer_bytes <= 4u << 20 && header.buffers_count >= 2 &&
      header.buffers_count <= 1024 && SideRingBytes(header) <= kMaxRingBytes &&
      IsAligned(header.origin, kBlockBytes) &&
      header.origin <= kMaxSealedOffset && header.zero == 0;
  return fits ? "" : std::string("its header makes no sense") + kRemoveIt;
}

std::string KindOfHeader(const SideHeader& header) {
  if (std::memcmp(header.magic, kSideMagic, sizeof(kSideMagic)) != 0) {
    return std::string("it is not a side file (magic)") + kRemoveIt;
  }
  if (header.version != kSideVersion) {
    return "it is of version " + std::to_string(header.version) +
           " and this build knows version " + std::to_string(kSideVersion) +
           " only; recover it with the build that wrote it, or remove it if "
           "the log is good without it";
  }
  return "";
}

std::string HeaderRefusal(const SideHeader& header, uint64_t file_bytes) {
  std::string strange = KindOfHeader(header);
  if (!strange.empty()) {
    return strange;
  }
  if (header.checksum != SideChecksum(header)) {
    return std::string("its header is damaged (checksum)") + kRemoveIt;
  }
  std::string reason = GeometryRefusal(header);
  if (!reason.empty()) {
    return reason;
  }
  const uint64_t wanted = kSideRingOffset + SideRingBytes(header);
  if (file_bytes != wanted) {
    return "it has " + std::to_string(file_bytes) + " bytes and should have " +
           std::to_string(wanted) + kRemoveIt;
  }
  return BootId().empty()
             ? "the kernel's boot id cannot be read; mount /proc and try again"
             : "";
}

// By inode and birth: the device's number is another one when the same file
// system is mounted again.
bool IsItsLog(const Side& side) {
  const SideHeader& header = side.header;
  return header.log_inode == side.log.st_ino &&
         (header.log_birth != 0 ? header.log_birth == side.log_birth
                                : header.log_device == side.log.st_dev);
}

bool IsOfOtherBoot(const SideHeader& header) {
  char boot_id[sizeof(header.boot_id)] = {};
  BootId().copy(boot_id, sizeof(boot_id) - 1);
  return std::memcmp(boot_id, header.boot_id, sizeof(boot_id)) != 0;
}

std::string StaleReason(const Side& side) {
  if (IsOfOtherBoot(side.header)) {
    return "it is of another boot: what it held is gone";
  }
  if (!side.has_log) {
    return "its log is gone";
  }
  // With bytes that only the ring has it may be a copy of a database whose
  // process was killed: not ours to throw away.
  return IsItsLog(side) || side.words.filled > side.words.written
             ? ""
             : "its log was replaced by another file";
}

// Unseals the words; `side` has its header.
std::string WordsRefusal(const Side& side, const SidePage& page,
                         SideWords* words) {
  const uint64_t origin = side.header.origin;
  if (!UnsealWord(page.written, &words->written) ||
      !UnsealWord(page.filled, &words->filled)) {
    return std::string("its state is damaged (seal)") + kRemoveIt;
  }
  const bool fits = words->written >= origin && words->filled >= origin &&
                    words->filled <= side.BeginOf(side.SeqOf(words->written)) +
                                         SideRingBytes(side.header);
  return fits ? ""
              : std::string("its state contradicts itself: written ") +
                    std::to_string(words->written) + ", filled " +
                    std::to_string(words->filled) + ", origin " +
                    std::to_string(origin) + kRemoveIt;
}

const char* const kLogReplaced =
    "the log beside it is not the file it was written for: if both are copies "
    "of a database whose process was killed, recover the original and copy it "
    "again; else remove the side file";

Status Refuse(Side* side, std::string reason) {
  side->verdict = SideVerdict::kRefused;
  side->reason = std::move(reason);
  return Status::Ok();
}

Status BeIdle(Side* side) {
  side->verdict = SideVerdict::kIdle;
  side->reason = "it belongs to no log";
  return Status::Ok();
}

// Nothing was ever written to it. Only its name tells whose it is.
Status BeBlank(const std::string& log_path, Side* side) {
  return side->has_log || LogNumberOf(log_path) > 0
             ? BeIdle(side)
             : Refuse(side,
                      "it is empty, and no log is beside it: perhaps no "
                      "side file at all");
}

Status FindLog(const std::string& log_path, Side* side) {
  side->has_log = ::lstat(log_path.c_str(), &side->log) == 0;
  side->log_birth = BirthOf(AT_FDCWD, log_path, AT_SYMLINK_NOFOLLOW);
  return side->has_log || errno == ENOENT
             ? Status::Ok()
             : Status::FromErrno(errno, "look at the log", log_path);
}

// Leaves kNone, kRefused, or kLive for "not judged yet".
Status OpenSide(const std::string& log_path, Side* side) {
  Status status = FindLog(log_path, side);
  if (!status.ok()) {
    return status;
  }
  if (::lstat(side->path.c_str(), &side->stat) != 0) {
    return errno == ENOENT
               ? Status::Ok()
               : Status::FromErrno(errno, "look at the side file", side->path);
  }
  // Before it is opened: a device can do things then, and what is somebody
  // else's may not let us.
  std::string reason = TrustRefusal(*side, side->stat);
  if (!reason.empty()) {
    return Refuse(side, std::move(reason));
  }
  int error = side->file.Open(side->path, O_RDONLY | O_NOFOLLOW);
  if (error == ENOENT) {
    return Status::Ok();  // removed meanwhile
  }
  if (error == 0) {
    error = side->file.Stat(&side->stat);
  }
  if (error == EACCES || error == EPERM) {
    return Status::FromErrno(error,
                             "open the side file of a log that is open or was "
                             "killed over (only the log's own user may)",
                             side->path);
  }
  if (error != 0) {
    return Status::FromErrno(error, "open the side file", side->path);
  }
  if (side->stat.st_nlink == 0) {
    return Status::Ok();
  }
  reason = TrustRefusal(*side, side->stat);
  if (!reason.empty()) {
    return Refuse(side, std::move(reason));
  }
  side->verdict = SideVerdict::kLive;
  return Status::Ok();
}

// The header is trusted, the state is live.
Status JudgeAgainstLog(const std::string& log_path, const SidePage& page,
                       Side* side) {
  Status status = FindLog(log_path, side);
  if (!status.ok()) {
    return status;
  }
  std::string reason = WordsRefusal(*side, page, &side->words);
  side->reason = StaleReason(*side);
  if (!side->reason.empty()) {
    side->verdict = SideVerdict::kStale;
    side->may_be_torn =
        side->has_log && IsOfOtherBoot(side->header) && IsItsLog(*side);
    return Status::Ok();
  }
  const uint64_t in_file = std::min(side->words.written, side->words.filled);
  if (reason.empty() && !IsItsLog(*side)) {
    reason = kLogReplaced;
  }
  if (reason.empty() && static_cast<uint64_t>(side->log.st_size) < in_file) {
    reason = kLogChanged;
  }
  return reason.empty() ? Status::Ok() : Refuse(side, std::move(reason));
}

}  // namespace

Status LookAtSide(const std::string& log_path, Side* side) {
  *side = Side();
  side->path = SidePathOf(log_path);
  Status status = OpenSide(log_path, side);
  if (!status.ok() || side->verdict != SideVerdict::kLive) {
    return status;
  }
  const auto file_bytes = static_cast<uint64_t>(side->stat.st_size);
  if (file_bytes == 0) {
    // Its maker was killed before it had a size.
    return BeBlank(log_path, side);
  }
  if (file_bytes < kSideRingOffset) {
    return Refuse(side, std::string("it is cut off") + kRemoveIt);
  }
  SidePage page;
  const int error = ReadPage(side->file, &page);
  if (error != 0) {
    return Status::FromErrno(error, "read the side file", side->path);
  }
  if (page.state == kSideIdle) {
    const bool is_blank =
        page.header.version == 0 && page.header.magic[0] == '\0';
    if (is_blank) {
      return BeBlank(log_path, side);
    }
    const std::string strange = KindOfHeader(page.header);
    if (!strange.empty()) {
      return Refuse(side, strange);
    }
    // Again: log and side file may both have been made since.
    status = FindLog(log_path, side);
    return status.ok() ? BeIdle(side) : status;
  }
  if (page.state != kSideLive) {
    return Refuse(side, std::string("its state is damaged") + kRemoveIt);
  }
  std::string reason = HeaderRefusal(page.header, file_bytes);
  if (!reason.empty()) {
    return Refuse(side, std::move(reason));
  }
  side->header = page.header;
  return JudgeAgainstLog(log_path, page, side);
}

Status LookAtSideCalmly(const std::string& log_path, Side* side) {
  Status status = LookAtSide(log_path, side);
  for (int tries = 0;
       tries < 2 && status.ok() && side->verdict == SideVerdict::kRefused;
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
         stat.st_size == side.stat.st_size && ReadPage(side.file, &page) == 0 &&
         page.state == kSideLive && IsSame(page.header, side.header) &&
         WordsRefusal(side, page, words).empty();
}

bool IsOwnerAlive(const SideHeader& header) {
  return header.owner_start != 0 &&
         ProcessStart(header.owner_pid) == header.owner_start;
}

Status RemoveSide(const Side& side) {
  struct stat there = {};
  if (::lstat(side.path.c_str(), &there) != 0 ||
      !IsSameFile(there, side.stat)) {
    return Status::Ok();
  }
  return ::unlink(side.path.c_str()) == 0 || errno == ENOENT
             ? Status::Ok()
             : Status::FromErrno(errno, "remove the side file", side.path);
}

}  // namespace uringfs
