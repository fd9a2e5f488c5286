// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// RocksDB's write-ahead logs, `NNNNNN.log`, as recovery has to know them.

#ifndef URINGFS_ROCKSDB_WAL_H_
#define URINGFS_ROCKSDB_WAL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "uringfs/log_format.h"

namespace uringfs {

// How far from the last byte that was written a tear can be: several times
// LogOptions::flush_window_bytes, and max_extend_bytes, at their largest.
// Anything further away is damage.
inline constexpr uint64_t kUsualMaxTornBytes = uint64_t{96} << 20;

// Whether a log may begin with what is appended to it first. False: somebody
// encrypts it, so that nobody else can tell where its records end.
bool MayBeginWal(std::string_view first);

// Of the database in the log's own directory; or of the one above, if its
// options name that directory (wal_dir). Never destroyed.
const LogFormat& RocksDbWal();

// Of the database in the directory `database`, wherever they are.
std::unique_ptr<const LogFormat> RocksDbWalOf(const std::string& database);

// The directory that the newest options of the database in `database` name as
// that of its logs; "" if they name none or cannot be read.
std::string NamedWalDir(const std::string& database);
// Whether that is `directory`.
bool NamesAsWalDir(const std::string& database, const std::string& directory);

// Whether the database in `directory` tells which logs it still reads. False:
// there is none, or its MANIFEST is missing, damaged or encrypted.
bool TellsItsWals(const std::string& directory);

// The same, but OK if there is no CURRENT, or one that looks encrypted. Errors:
// those of reading, and kCorruption.
Status CheckManifest(const std::string& directory);

// Whether a database is in `directory`: it has a CURRENT.
bool HasDatabase(const std::string& directory);

}  // namespace uringfs

#endif  // URINGFS_ROCKSDB_WAL_H_
