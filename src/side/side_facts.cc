// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The facts that the judge goes by: what the ring has, what its log has, and
// what both are together.

#include <algorithm>
#include <cstring>
#include <vector>

#include "src/base/crc32c.h"
#include "src/base/file_identity.h"
#include "src/base/mount_epoch.h"
#include "src/side/joined_log.h"
#include "src/side/judge.h"

namespace uringfs {
namespace {

constexpr size_t kPieceBytes = size_t{256} * 1024;

bool IsOfOtherBoot(const SideHeader& header) {
  char boot_id[sizeof(header.boot_id)] = {};
  BootId().copy(boot_id, sizeof(boot_id) - 1);
  return std::memcmp(boot_id, header.boot_id, sizeof(boot_id)) != 0;
}

// By inode and birth: the device's number is another one when the same file
// system is mounted again. Without births a number may have been taken over: in
// one boot the device has to be the same, in another one the name.
bool IsItsLog(const Side& side, const SideFacts& facts) {
  const SideHeader& header = side.header;
  if (!side.has_log || header.log_inode != side.log.st_ino) {
    return false;
  }
  if (header.log_birth != 0) {
    return header.log_birth == side.log_birth;
  }
  return facts.is_other_boot ? facts.is_its_name
                             : header.log_device == side.log.st_dev;
}

Witness WitnessOfMount(const Side& side) {
  const uint64_t now = MountEpochOf(side.stat.st_dev);
  if (now == 0 || side.header.mount_epoch == 0) {
    return Witness::kUnknown;
  }
  return now == side.header.mount_epoch ? Witness::kSame : Witness::kOther;
}

// Compares the log with the ring wherever both have bytes.
class Comparison {
 public:
  Comparison(const Side& side, const PosixFile& log)
      : side_(side),
        log_(log),
        written_(std::min(side.words.written, side.words.filled)),
        // A recovery that was killed behind the cut has left nothing behind
        // `filled`.
        begin_(side.BeginOf(side.SeqOf(side.words.written))),
        ring_end_(side.RingEnd()),
        log_end_(static_cast<uint64_t>(side.log.st_size)),
        of_log_(kPieceBytes),
        of_ring_(kPieceBytes) {}

  // Below `written` the log has the same bytes, behind it the same or zeros,
  // which are padding or not written yet.
  Status Run(bool* agree);
  // Whether there are bytes that both have, or the proof of some. *agree turns
  // false if the proof is of others.
  Status FindOverlap(bool* has_overlap, bool* agree);

 private:
  Status Read(uint64_t at, size_t bytes, size_t* got);
  bool MayBeOfRing(size_t bytes) const;

  const Side& side_;
  const PosixFile& log_;
  const uint64_t written_;
  const uint64_t begin_;
  const uint64_t ring_end_;
  const uint64_t log_end_;
  std::vector<char> of_log_;
  std::vector<char> of_ring_;
};

// What the ring has no room for is zeros.
Status Comparison::Read(uint64_t at, size_t bytes, size_t* got) {
  int error = log_.ReadAt(at, bytes, of_log_.data(), got);
  if (error == 0 && at < ring_end_) {
    error = ReadSideRing(side_, at, bytes, of_ring_.data());
  } else {
    std::memset(of_ring_.data(), 0, bytes);
  }
  return error == 0
             ? Status::Ok()
             : Status::FromErrno(error, "compare the log with its side file",
                                 side_.path);
}

bool Comparison::MayBeOfRing(size_t bytes) const {
  for (size_t i = 0; i < bytes; ++i) {
    if (of_log_[i] != 0 && of_log_[i] != of_ring_[i]) {
      return false;
    }
  }
  return true;
}

Status Comparison::Run(bool* agree) {
  *agree = true;
  for (uint64_t at = begin_; *agree && at < std::max(written_, log_end_);) {
    const uint64_t end = at < written_    ? written_
                         : at < ring_end_ ? std::min(log_end_, ring_end_)
                                          : log_end_;
    const auto piece =
        static_cast<size_t>(std::min<uint64_t>(kPieceBytes, end - at));
    size_t got = 0;
    Status status = Read(at, piece, &got);
    if (!status.ok()) {
      return status;
    }
    *agree = at < written_
                 ? got == piece &&
                       std::memcmp(of_log_.data(), of_ring_.data(), got) == 0
                 : MayBeOfRing(got);
    at += piece;
  }
  return Status::Ok();
}

Status Comparison::FindOverlap(bool* has_overlap, bool* agree) {
  const uint64_t written = side_.words.written;
  *has_overlap = begin_ < std::min(written_, log_end_);
  if (written <= side_.header.origin || log_end_ < written) {
    return Status::Ok();
  }
  const auto bytes = static_cast<size_t>(SideProofBytes(side_.header, written));
  size_t got = 0;
  const int error = log_.ReadAt(written - bytes, bytes, of_log_.data(), &got);
  if (error != 0) {
    return Status::FromErrno(error, "read in front of what was written",
                             side_.path);
  }
  for (const SideProof& proof : side_.proofs) {
    if (proof.offset == written) {
      const bool is_proved =
          got == bytes && Crc32c(of_log_.data(), got) == proof.crc32c;
      *has_overlap = *has_overlap || is_proved;
      *agree = *agree && is_proved;
    }
  }
  return Status::Ok();
}

Status Compare(const Side& side, const PosixFile& log, SideFacts* facts) {
  Comparison comparison(side, log);
  Status status = comparison.Run(&facts->agree);
  return status.ok()
             ? comparison.FindOverlap(&facts->has_overlap, &facts->agree)
             : status;
}

Status ReadRecords(const std::string& log_path, const Side& side,
                   const PosixFile& log, const LogFormat& format,
                   SideFacts* facts) {
  Status status = format.FindEnd(log, log_path, &facts->of_log);
  if (!status.ok()) {
    return status;
  }
  facts->has_format = facts->of_log.kind != EndKind::kAlien;
  if (!facts->has_format || facts->of_log.offset >= facts->filled ||
      !facts->can_be_joined) {
    return status;
  }
  status = format.FindEnd(JoinedLog(log, side), log_path, &facts->of_both);
  facts->has_format = facts->of_both.kind != EndKind::kAlien;
  const bool is_sound = facts->of_both.kind == EndKind::kClean ||
                        facts->of_both.kind == EndKind::kUnfinished;
  if (status.ok() && is_sound) {
    status =
        format.WentOnWithout(log_path, facts->of_both, &facts->went_on_without);
  }
  return status;
}

}  // namespace

Status GatherFacts(const std::string& log_path, const Side& side,
                   const PosixFile& log, const LogFormat* format,
                   SideFacts* facts) {
  *facts = SideFacts();
  facts->content = side.content;
  facts->complaint = side.complaint;
  facts->distrust = side.distrust;
  facts->has_log = side.has_log;
  facts->is_log_name =
      side.has_log || (format != nullptr && format->Knows(log_path));
  facts->has_other_names =
      side.content == SideContent::kLive && side.stat.st_nlink > 1;
  facts->has_size = side.stat.st_size > 0;
  facts->has_header = side.has_header;
  if (side.has_header) {
    facts->is_its_name = side.header.log_name == NameHashOf(log_path);
    facts->is_other_boot = IsOfOtherBoot(side.header);
    facts->is_its_log = IsItsLog(side, *facts);
    facts->mount = WitnessOfMount(side);
  }
  if (side.content != SideContent::kLive) {
    return Status::Ok();
  }
  facts->written = side.words.written;
  facts->filled = side.words.filled;
  if (!side.has_log) {
    return Status::Ok();
  }
  facts->log_bytes = static_cast<uint64_t>(side.log.st_size);
  facts->can_be_joined =
      facts->log_bytes >= std::min(facts->written, facts->filled);
  Status status = Compare(side, log, facts);
  if (status.ok() && format != nullptr && format->Knows(log_path)) {
    status = ReadRecords(log_path, side, log, *format, facts);
  }
  return status;
}

}  // namespace uringfs
