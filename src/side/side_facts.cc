// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The facts that the judge goes by: what the ring has, what its log has, and
// what both are together.

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "src/base/file_identity.h"
#include "src/base/mount_epoch.h"
#include "src/side/joined_log.h"
#include "src/side/judge.h"

#include "uringfs/internal/crc32c.h"

namespace uringfs {
namespace {

constexpr size_t kPieceBytes = size_t{256} * 1024;

// By inode and birth: the device's number is another one when the same file
// system is mounted again. Without births a number may have been taken over by
// the next log: then the name has to be the same, and in one boot the file
// system.
bool IsItsLog(const Side& side, const SideFacts& facts) {
  const SideHeader& header = side.header;
  if (!side.has_log || header.log_inode != side.log.st_ino) {
    return false;
  }
  if (header.log_birth != 0) {
    return header.log_birth == side.log_birth;
  }
  if (!facts.is_its_name) {
    return false;
  }
  const uint64_t file_system = FileSystemIdOf(side.path);
  return header.file_system != 0 && file_system != 0
             ? header.file_system == file_system
             : facts.is_other_boot || header.log_device == side.log.st_dev;
}

// Of what was written in the mount with that epoch.
Witness WitnessOfMount(uint64_t epoch, dev_t device) {
  const uint64_t now = MountEpochOf(device);
  if (now == 0 || epoch == 0) {
    return Witness::kUnknown;
  }
  return now == epoch ? Witness::kSame : Witness::kOther;
}

// Takes the bytes [at, end) of `source` into *crc. *is_there turns false if
// they are not all there.
Status AddTo(uint32_t* crc, const ByteSource& source, const std::string& path,
             uint64_t at, uint64_t end, bool* is_there) {
  std::vector<char> piece(kPieceBytes);
  while (at < end && *is_there) {
    const auto bytes =
        static_cast<size_t>(std::min<uint64_t>(kPieceBytes, end - at));
    size_t got = 0;
    const int error = source.ReadAt(at, bytes, piece.data(), &got);
    if (error != 0) {
      return Status::FromErrno(error, "sum up", path);
    }
    *is_there = got == bytes;
    *crc = Crc32c(piece.data(), got, *crc);
    at += got;
  }
  return Status::Ok();
}

// Whether a sum that goes with `filled` is this one.
Witness WitnessOfSum(const Side& side, uint32_t crc) {
  Witness witness = Witness::kUnknown;
  for (const SideSum& sum : side.sums) {
    if (sum.offset == side.words.filled) {
      if (sum.crc32c == crc) {
        return Witness::kSame;
      }
      witness = Witness::kOther;
    }
  }
  return witness;
}

// Sums up what both have in common, and then what the log has by itself or what
// the ring has.
Status CheckSum(const std::string& log_path, const Side& side,
                const PosixFile& log, SideFacts* facts) {
  const uint64_t filled = facts->filled;
  const uint64_t in_file = std::min(facts->written, filled);
  uint32_t common = side.header.checksum;
  bool is_there = true;
  Status status =
      AddTo(&common, log, log_path, side.header.sum_begin, in_file, &is_there);
  if (!status.ok() || !is_there) {
    return status;
  }
  uint32_t by_log = common;
  status = AddTo(&by_log, log, log_path, in_file, filled, &is_there);
  if (!status.ok()) {
    return status;
  }
  facts->sum = WitnessOfSum(side, by_log);
  facts->log_has_all = is_there && facts->sum == Witness::kSame;
  facts->sum_covers_log =
      (facts->log_has_all ? filled : in_file) > side.header.sum_begin;
  if (facts->log_has_all) {
    return status;
  }
  uint32_t by_ring = common;
  is_there = true;
  status = AddTo(&by_ring, JoinedLog(log, side), side.path, in_file, filled,
                 &is_there);
  facts->sum = WitnessOfSum(side, by_ring);
  return status;
}

// What the log has behind what it is known to have. A late write of the owner
// brings bytes of the ring. Padding, and what is not written yet, are zeros.
Status LookBehind(const std::string& log_path, const Side& side,
                  const PosixFile& log, SideFacts* facts) {
  const uint64_t ring_end = side.RingEnd();
  std::vector<char> of_log(kPieceBytes);
  std::vector<char> of_ring(kPieceBytes);
  // What lies in front of this buffer the ring may have lost since.
  const uint64_t ring_begin =
      facts->filled < facts->written
          ? std::max(facts->filled, side.BeginOf(side.SeqOf(facts->written)))
          : facts->written;
  uint64_t at = std::min(facts->filled, ring_begin);
  while (at < facts->log_bytes && !(facts->goes_on && facts->has_other_bytes)) {
    const bool is_of_ring = at >= ring_begin && at < ring_end;
    const uint64_t limit = at < ring_begin ? ring_begin
                           : at < ring_end ? ring_end
                                           : UINT64_MAX;
    const uint64_t end = std::min(limit, at + kPieceBytes);
    size_t got = 0;
    int error =
        log.ReadAt(at, static_cast<size_t>(end - at), of_log.data(), &got);
    std::memset(of_ring.data(), 0, got);
    if (error == 0 && is_of_ring) {
      error = ReadSideRing(side, at, got, of_ring.data());
    }
    if (error != 0) {
      return Status::FromErrno(error, "compare with its side file", log_path);
    }
    for (size_t i = 0; i < got; ++i) {
      facts->goes_on =
          facts->goes_on || (of_log[i] != 0 && at + i >= facts->filled);
      facts->has_other_bytes =
          facts->has_other_bytes ||
          (at >= ring_begin && of_log[i] != 0 && of_log[i] != of_ring[i]);
    }
    at = end;
  }
  return Status::Ok();
}

Status ReadRecords(const std::string& log_path, const Side& side,
                   const PosixFile& log, const LogFormat& format,
                   SideFacts* facts) {
  Status status = format.FindEnd(log, log_path, UINT64_MAX, &facts->of_log);
  if (!status.ok()) {
    return status;
  }
  facts->has_format = facts->of_log.kind != EndKind::kAlien;
  if (facts->AtStake() == 0 || !facts->can_be_joined) {
    return status;
  }
  if (facts->has_format) {
    status = format.FindEnd(JoinedLog(log, side), log_path,
                            std::min(facts->written, facts->filled),
                            &facts->of_both);
    // A ring that was lost is no record either.
    facts->has_format =
        facts->of_log.has_records || facts->of_both.kind != EndKind::kAlien;
  }
  return status.ok() ? format.WentOnWithout(log_path, facts->of_both,
                                            &facts->went_on_without)
                     : status;
}

// A closed log was whole by itself, up to `filled`.
Status GatherOfClosed(const std::string& log_path, const Side& side,
                      const PosixFile& log, const LogFormat* format,
                      SideFacts* facts) {
  if (facts->log_bytes < facts->filled) {
    return Status::Ok();
  }
  Status status = CheckSum(log_path, side, log, facts);
  return status.ok() && facts->sum == Witness::kUnknown && format != nullptr &&
                 format->Knows(log_path)
             ? ReadRecords(log_path, side, log, *format, facts)
             : status;
}

const char* ToString(SideContent content) {
  switch (content) {
    case SideContent::kMissing:
      return "missing";
    case SideContent::kLost:
      return "lost";
    case SideContent::kBlank:
      return "blank";
    case SideContent::kIdle:
      return "idle";
    case SideContent::kLive:
      return "live";
    case SideContent::kTornHeader:
      return "torn header";
    case SideContent::kGarbled:
      return "garbled";
  }
  return "?";
}

const char* ToString(Witness witness) {
  switch (witness) {
    case Witness::kSame:
      return "same";
    case Witness::kOther:
      return "other";
    case Witness::kUnknown:
      return "unknown";
  }
  return "?";
}

const char* ToString(EndKind kind) {
  switch (kind) {
    case EndKind::kClean:
      return "clean";
    case EndKind::kUnfinished:
      return "unfinished";
    case EndKind::kTorn:
      return "torn";
    case EndKind::kDamaged:
      return "damaged";
    case EndKind::kAlien:
      return "no records";
  }
  return "?";
}

std::string TextOf(const RecordsEnd& end) {
  return std::string(ToString(end.kind)) + " " + std::to_string(end.offset);
}

}  // namespace

std::string ToText(const SideFacts& facts) {
  std::string text = std::string("content=") + ToString(facts.content);
  const auto add = [&text](const char* name, const std::string& value) {
    text += std::string(", ") + name + "=" + value;
  };
  add("written", std::to_string(facts.written));
  add("filled", std::to_string(facts.filled));
  add("log_bytes", std::to_string(facts.log_bytes));
  add("sum", ToString(facts.sum));
  add("sum_begin", std::to_string(facts.sum_begin));
  add("mount", ToString(facts.mount));
  add("of_log", TextOf(facts.of_log));
  add("of_both", TextOf(facts.of_both));
  const auto add_if = [&text](const char* name, bool is_true) {
    text += is_true ? std::string(", ") + name : "";
  };
  add_if("has_log", facts.has_log);
  add_if("is_log_name", facts.is_log_name);
  add_if("has_other_names", facts.has_other_names);
  add_if("is_wanted", facts.is_wanted);
  add_if("has_size", facts.has_size);
  add_if("is_marked", facts.is_marked);
  add_if("is_copy", facts.is_copy);
  add_if("has_header", facts.has_header);
  add_if("has_words", facts.has_words);
  add_if("is_named", facts.is_named);
  add_if("is_its_log", facts.is_its_log);
  add_if("is_its_name", facts.is_its_name);
  add_if("is_other_boot", facts.is_other_boot);
  add_if("log_has_all", facts.log_has_all);
  add_if("sum_covers_log", facts.sum_covers_log);
  add_if("goes_on", facts.goes_on);
  add_if("has_other_bytes", facts.has_other_bytes);
  add_if("has_format", facts.has_format);
  add_if("can_be_joined", facts.can_be_joined);
  add_if("went_on_without", facts.went_on_without);
  return text;
}

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
  facts->is_marked = side.is_marked;
  if (side.is_marked) {
    facts->is_copy =
        IsCopy(side.mark, log_path, side.log.st_ino, side.log_birth);
    facts->marked_mount =
        WitnessOfMount(side.mark.mount_epoch, side.log.st_dev);
  }
  facts->log_bytes = side.has_log ? static_cast<uint64_t>(side.log.st_size) : 0;
  facts->has_header = side.has_header;
  if (side.has_header) {
    facts->has_words = side.has_words;
    facts->is_named =
        side.is_marked && side.header.file_id == side.mark.file_id;
    facts->is_its_name = side.header.log_name == NameHashOf(log_path);
    facts->is_other_boot = IsOfOtherBoot(side.header);
    facts->is_its_log = IsItsLog(side, *facts);
    facts->mount = WitnessOfMount(side.header.mount_epoch, side.stat.st_dev);
  }
  const bool is_live = side.content == SideContent::kLive;
  const bool is_of_closed = side.content == SideContent::kIdle &&
                            side.has_words && facts->is_its_name;
  if (!is_live && !is_of_closed) {
    return Status::Ok();
  }
  facts->filled = side.words.filled;
  facts->written = is_live ? side.words.written : facts->filled;
  if (!side.has_log) {
    facts->is_wanted = format != nullptr && format->Knows(log_path) &&
                       format->IsWanted(log_path);
    return Status::Ok();
  }
  if (is_of_closed) {
    return GatherOfClosed(log_path, side, log, format, facts);
  }
  facts->can_be_joined =
      facts->log_bytes >= std::min(facts->written, facts->filled);
  facts->sum_begin = side.header.sum_begin;
  Status status = CheckSum(log_path, side, log, facts);
  if (status.ok()) {
    status = LookBehind(log_path, side, log, facts);
  }
  if (status.ok() && format != nullptr && format->Knows(log_path)) {
    status = ReadRecords(log_path, side, log, *format, facts);
  }
  return status;
}

}  // namespace uringfs
