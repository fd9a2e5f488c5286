// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// RocksDB's log format, as far as it takes to tell where the last whole record
// ends: blocks of 32 KiB, in them fragments of
//
//   crc32c (4, masked)   over type, log number and payload
//   length (2)           of the payload
//   type (1)             full, first, middle, last, and others that stand alone
//   log number (4)       of recyclable types only
//   payload
//
// A block's end that is too short for a header is padding.
//
// THREADS: functions: any.

#ifndef URINGFS_LOG_WAL_RECORDS_H_
#define URINGFS_LOG_WAL_RECORDS_H_

#include <cstdint>
#include <string>

#include "src/log/posix_file.h"

#include "uringfs/status.h"

namespace uringfs {

enum class WalEndKind : uint8_t {
  // The file ends with a whole record.
  kClean,
  // Behind the last whole record there is one that was never or only partly
  // written: what power loss leaves of a log that was being written.
  kTorn,
  // A damage that no lost write explains. Not ours to judge.
  kDamaged,
};

struct WalEnd {
  WalEndKind kind = WalEndKind::kClean;
  // End of the last whole record in front of anything odd: a record that
  // spans several fragments counts only if it has all of them.
  uint64_t offset = 0;
  // Where the walk ended: at a fragment that is odd, unless kClean.
  uint64_t stopped_at = 0;
  // End of the last byte of the file that is not zero.
  uint64_t data_end = 0;
  std::string reason;  // unless kClean
};

// Reads a log from its begin. Errors: those of reading.
Status FindWalEnd(const PosixFile& log, const std::string& path, WalEnd* end);

// The same for a log that the machine may have gone down over; see
// RecoveryOptions::max_torn_bytes. kTorn: it is to end at `offset`. A tear that
// cannot be one, or behind which the database has gone on, is kDamaged.
Status FindTornEnd(const PosixFile& log, const std::string& path,
                   uint64_t max_torn_bytes, WalEnd* end);

}  // namespace uringfs

#endif  // URINGFS_LOG_WAL_RECORDS_H_
