// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What recovery asks of whoever knows what the bytes of a log mean. With it a
// side file is judged by what it holds: it fits its log if both together are
// whole records. The core knows no format of its own; RocksDB's is in
// uringfs/rocksdb_wal.h.
//
// THREADS: any, for every call.

#ifndef URINGFS_LOG_FORMAT_H_
#define URINGFS_LOG_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "uringfs/status.h"

namespace uringfs {

// A stream of bytes: a log, or a log and what only its ring has.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Reads up to `bytes` at `offset`; *got is less only at the stream's end.
  // Returns 0 or the errno.
  virtual int ReadAt(uint64_t offset, size_t bytes, char* out,
                     size_t* got) const = 0;
};

enum class EndKind : uint8_t {
  // The stream ends with a whole record.
  kClean,
  // The stream ends within a record, and nothing before its end is odd.
  kUnfinished,
  // Behind the last whole record there is one that was never or only partly
  // written: what power loss leaves of a log that was being written.
  kTorn,
  // A damage that no lost write explains.
  kDamaged,
  // Not one record: the stream is of another format (or encrypted).
  kAlien,
};

// Where the whole records of a stream end.
struct RecordsEnd {
  EndKind kind = EndKind::kClean;
  // End of the last whole record in front of anything odd.
  uint64_t offset = 0;
  // Where the walk ended: at what is odd, unless kClean.
  uint64_t stopped_at = 0;
  // End of the stream's last byte that is not zero.
  uint64_t data_end = 0;
  std::string reason;  // unless kClean

  // There is a record of the database's, or a part of one; what a log begins
  // with to say how it is written is none.
  bool has_records = false;
  // Records are numbered. False: the numbers cannot be read (compressed), or
  // there is no record.
  bool has_numbers = false;
  uint64_t first_number = 0;
  uint64_t last_number = 0;
  // End of the last record up to which each number follows from the one before
  // it, where that is asked. Behind it there may be one of another time.
  uint64_t in_order = 0;
};

class LogFormat {
 public:
  virtual ~LogFormat() = default;

  // Whether a log of this name is of this format.
  virtual bool Knows(const std::string& log_path) const = 0;

  // `joint`: what lies behind it may be of another time; UINT64_MAX: nothing.
  // Errors: those of reading, with `path` in them.
  virtual Status FindEnd(const ByteSource& stream, const std::string& path,
                         uint64_t joint, RecordsEnd* end) const = 0;

  // Whether a tear at `end` is one that power loss leaves, so that the log is
  // to be cut there: it is near enough to the log's end, and nobody has gone on
  // behind it. If not, *why says so.
  virtual bool IsTear(const std::string& log_path, const RecordsEnd& end,
                      std::string* why) const = 0;

  // Whether the database would read this log when it is opened. False: it would
  // not, or that cannot be told.
  virtual bool IsWanted(const std::string& log_path) const = 0;

  // Whether somebody has gone on from the log alone: a later log has records
  // with numbers that also this stream's last records have, or with numbers
  // that cannot be read; or the database does not read this log any more, or
  // not all of it though there is a later one. A later log that is empty says
  // nothing by itself.
  virtual Status WentOnWithout(const std::string& log_path,
                               const RecordsEnd& end, bool* answer) const = 0;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_FORMAT_H_
