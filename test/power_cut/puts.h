// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The puts of the workload: each key tells whose and which put it was, each
// value follows from the seed and the key. So whoever looks at a database can
// say how many puts of each thread are in it, and whether one is missing that
// came before another.

#ifndef URINGFS_TEST_POWER_CUT_PUTS_H_
#define URINGFS_TEST_POWER_CUT_PUTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "rocksdb/db.h"

namespace uringfs::power_cut {

// One number per thread: how many of its puts.
using Counts = std::vector<uint64_t>;

std::string CountsText(const Counts& counts);

struct Put {
  std::string key;
  std::string value;
};

// The put number `index` of `thread`, counted from zero. `seen`: how many puts
// of each thread had returned before it began; kept in the value if there are
// several threads.
Put MakePut(uint64_t seed, size_t thread, uint64_t index, const Counts& seen);

struct Scan {
  Counts counts;        // of each thread, in front of the first that is missing
  std::string problem;  // begins with "gap", "wrong" or "unreadable"
};

Scan ScanPuts(rocksdb::DB* db, uint64_t seed, size_t threads);

// What writer and checker share; the rest is RocksDB's defaults.
rocksdb::Options MakeOptions(size_t write_buffer_bytes,
                             const std::string& recovery_mode);

}  // namespace uringfs::power_cut

#endif  // URINGFS_TEST_POWER_CUT_PUTS_H_
