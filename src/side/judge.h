// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The one judge of side files: recovery, readers, sizes, `inspect` and whoever
// deletes ask Judge and nobody else. It is a pure function, so every verdict
// can be tested by its facts alone.
//
// What decides is content: the owner has left a sum of the stream up to where
// he had promised it. If log and ring add up to it they are what he left, in
// whatever place, boot and mount they are found; inode, boot and mount only
// tell what it means that they do not.
//
// The rule behind all: no verdict but kUnusable leaves the log with less than
// its owner had acknowledged, unless the file system itself has lost it.

#ifndef URINGFS_SIDE_JUDGE_H_
#define URINGFS_SIDE_JUDGE_H_

#include <cstdint>
#include <string>

#include "src/side/side_reader.h"

#include "uringfs/log_format.h"

namespace uringfs {

enum class Witness : uint8_t { kSame, kOther, kUnknown };

// What is known of a side file that nobody owns, and of its log.
struct SideFacts {
  SideContent content = SideContent::kMissing;
  std::string complaint;
  std::string distrust;
  bool has_log = false;
  bool is_log_name = false;      // it has a log, or the name that logs have
  bool has_other_names = false;  // of the side file: hard links
  bool is_wanted = false;        // there is no log, and see LogFormat
  bool has_size = false;         // it is not empty
  bool is_marked = false;        // the log says it has one: see log_mark.h
  // is_marked: it was copied, mark and all, and where it was marked.
  bool is_copy = false;
  Witness marked_mount = Witness::kUnknown;
  // All that follows needs a header.
  bool has_header = false;
  bool has_words = false;
  bool is_named = false;     // it is the one that the log's mark names
  bool is_its_log = false;   // inode and birth are the log's
  bool is_its_name = false;  // the log was named like this one
  bool is_other_boot = false;
  Witness mount = Witness::kUnknown;
  // All that follows is of kLive, and of kIdle if it names a log that was
  // closed and has the name of this one: then both words are its length.
  uint64_t written = 0;
  uint64_t filled = 0;
  uint64_t log_bytes = 0;
  // With a log. How the sum that goes with `filled` compares with that
  // of log and ring; kUnknown: there is none.
  Witness sum = Witness::kUnknown;
  bool log_has_all = false;     // the log adds up to it by itself
  bool sum_covers_log = false;  // some of it is of bytes of the log
  uint64_t sum_begin = 0;       // nothing in front of this is in it
  bool goes_on = false;         // the log has more than zeros behind `filled`
  // Behind `written` it has more than zeros and the ring's bytes.
  bool has_other_bytes = false;
  bool has_format = false;  // the log is known to be records
  RecordsEnd of_log;
  // Of the log up to `written` and the ring behind it. Only if the log's own
  // records do not reach `filled`.
  bool can_be_joined = false;  // the log has all bytes below `written`
  RecordsEnd of_both;
  bool went_on_without = false;  // see LogFormat

  // How much of the stream the log has by itself, as far as that can be told.
  uint64_t LogEnd() const;
  // Bytes below `filled` that it lacks.
  uint64_t AtStake() const;
};

// The facts by name, for whoever wants to know why the judge says so.
std::string ToText(const SideFacts& facts);

enum class SideVerdict : uint8_t {
  kNone,
  // Holds nothing that its log lacks, of no log or of one that was closed.
  kIdle,
  // The log and the ring are the stream: apply what the log lacks, and cut
  // behind `end`.
  kWhole,
  // The file system has lost what was newest: the log counts, as after power
  // loss.
  kOlder,
  // Of another log, or of one that is gone, and nothing of it is needed.
  kForeign,
  // Holds bytes that its log lacks, and cannot be applied.
  kUnusable,
};
const char* ToString(SideVerdict verdict);

struct Judgement {
  SideVerdict verdict = SideVerdict::kNone;
  // One clause for a person. Empty for kNone and kWhole.
  std::string reason;
  // kWhole: where the log is to end. kUnusable: how far it would get if the
  // side file were believed.
  uint64_t end = 0;
  // kWhole: bytes that only the side file has. kOlder, kUnusable: bytes that it
  // speaks of and the log lacks.
  uint64_t at_stake = 0;
  // kUnusable: bytes that the log would gain if the side file were believed.
  uint64_t acceptable = 0;
  bool knows_stake = true;  // false: nothing of the side file can be read
  // kUnusable: whether no more than at_stake - acceptable would be missing
  // then.
  bool knows_rest = false;
  // kUnusable: it is not this log's, whose own one is not there.
  bool is_parted = false;
  // kOlder: it was this log's, so that the log's own end may be torn.
  bool may_be_torn = false;
};

Judgement Judge(const SideFacts& facts);

// Collects the facts. `format`: null if there is none for this log. Beside an
// owner who goes on nothing may add up. REQUIRES: `log` is open for reading if
// there is one.
// Errors: those of reading.
Status GatherFacts(const std::string& log_path, const Side& side,
                   const PosixFile& log, const LogFormat* format,
                   SideFacts* facts);

// What a person is told of a kUnusable side file: which file, how much, why,
// and the ways out.
std::string UnusableMessage(const std::string& log_path,
                            const Judgement& judgement);

}  // namespace uringfs

#endif  // URINGFS_SIDE_JUDGE_H_
