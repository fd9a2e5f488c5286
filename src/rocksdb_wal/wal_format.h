// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_ROCKSDB_WAL_WAL_FORMAT_H_
#define URINGFS_ROCKSDB_WAL_WAL_FORMAT_H_

#include <cstdint>
#include <string>
#include <utility>

#include "src/rocksdb_wal/manifest.h"

#include "uringfs/rocksdb_wal.h"

namespace uringfs {

class WalFormat final : public LogFormat {
 public:
  // `max_torn_bytes`: see kUsualMaxTornBytes; `database`: see RocksDbWalOf.
  explicit WalFormat(uint64_t max_torn_bytes, std::string database = "")
      : max_torn_bytes_(max_torn_bytes), database_(std::move(database)) {}

  bool Knows(const std::string& log_path) const override;
  Status FindEnd(const ByteSource& stream, const std::string& path,
                 uint64_t joint, RecordsEnd* end) const override;
  bool IsTear(const std::string& log_path, const RecordsEnd& end,
              std::string* why) const override;
  bool IsWanted(const std::string& log_path) const override;
  Status WentOnWithout(const std::string& log_path, const RecordsEnd& end,
                       bool* answer) const override;

 private:
  // Of the database of this log; false: not known.
  bool FindWanted(const std::string& log_path, WantedWals* wanted) const;

  const uint64_t max_torn_bytes_;
  const std::string database_;
};

}  // namespace uringfs

#endif  // URINGFS_ROCKSDB_WAL_WAL_FORMAT_H_
