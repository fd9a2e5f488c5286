// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "test/power_cut/puts.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "gflags/gflags.h"

// Of whoever puts and whoever checks.
DEFINE_uint64(value_bytes, 6000, "a value has at most so many");
DEFINE_bool(compressed_wals, false, "of RocksDB, with zstd");
DEFINE_bool(
    manual_wal_flush, false,
    "what RocksDB flushes to its WALs, it flushes when its buffer is full");

namespace uringfs::power_cut {
namespace {

// Mixes `state` into the next of a sequence of numbers.
uint64_t NextNumber(uint64_t* state) {
  *state += 0x9e3779b97f4a7c15;
  uint64_t mixed = *state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

// 10 bytes or more. Each eighth has zeros in its middle, as a sector that was
// never written has.
std::string Filler(uint64_t seed, size_t thread, uint64_t index) {
  uint64_t state = seed ^ (thread << 48) ^ (index * 2654435761);
  const size_t length = 10 + NextNumber(&state) % (FLAGS_value_bytes - 9);
  const bool zeros = NextNumber(&state) % 8 == 0;
  std::string filler(length, '\0');
  for (size_t at = 0; at < length; ++at) {
    if (zeros && at >= length / 8 && at < length - length / 8) {
      continue;
    }
    filler[at] = static_cast<char>(NextNumber(&state) >> 32);
  }
  return filler;
}

bool ParseKey(std::string_view key, size_t* thread, uint64_t* index) {
  return std::sscanf(std::string(key).c_str(), "put %zu %" SCNu64, thread,
                     index) == 2;
}

bool ParseCounts(const std::string& text, Counts* counts) {
  const char* at = text.c_str();
  for (uint64_t& count : *counts) {
    char* end = nullptr;
    count = std::strtoull(at, &end, 10);
    if (end == at || *end != ',') {
      return false;
    }
    at = end + 1;
  }
  return true;
}

// Keeps account of one database's puts in the order of their keys.
class Scanner {
 public:
  Scanner(uint64_t seed, size_t threads)
      : seed_(seed), needed_(threads), scan_{Counts(threads), ""} {}

  void Add(const std::string& key, const std::string& value) {
    size_t thread = 0;
    uint64_t index = 0;
    if (!ParseKey(key, &thread, &index) || thread >= needed_.size()) {
      return Complain("wrong key " + key);
    }
    Counts seen(needed_.size());
    if (seen.size() > 1 && !ParseCounts(value, &seen)) {
      return Complain("wrong value of " + key);
    }
    if (value != MakePut(seed_, thread, index, seen).value) {
      return Complain("wrong value of " + key);
    }
    if (index == scan_.counts[thread]) {
      ++scan_.counts[thread];
    } else {
      Complain("gap in front of " + key + ", put " +
               std::to_string(scan_.counts[thread]) + " is not there");
    }
    for (size_t i = 0; i < needed_.size(); ++i) {
      needed_[i] = std::max(needed_[i], seen[i]);
    }
  }

  Scan Finish() {
    for (size_t i = 0; i < needed_.size(); ++i) {
      if (scan_.counts[i] < needed_[i]) {
        Complain("gap: a put has seen " + std::to_string(needed_[i]) +
                 " of thread " + std::to_string(i) + ", there are " +
                 std::to_string(scan_.counts[i]));
      }
    }
    return scan_;
  }

  void Complain(const std::string& problem) {
    if (scan_.problem.empty()) {
      scan_.problem = problem;
    }
  }

 private:
  const uint64_t seed_;
  Counts needed_;
  Scan scan_;
};

}  // namespace

std::string CountsText(const Counts& counts) {
  std::string text;
  for (const uint64_t count : counts) {
    text += std::to_string(count) + ",";
  }
  return text;
}

Put MakePut(uint64_t seed, size_t thread, uint64_t index, const Counts& seen) {
  char key[64];
  std::snprintf(key, sizeof(key), "put %02zu %09" PRIu64, thread, index);
  Put put{key, Filler(seed, thread, index)};
  if (seen.size() > 1) {
    put.value.insert(0, CountsText(seen));
  }
  return put;
}

Scan ScanPuts(rocksdb::DB* db, uint64_t seed, size_t threads) {
  Scanner scanner(seed, threads);
  std::unique_ptr<rocksdb::Iterator> at(
      db->NewIterator(rocksdb::ReadOptions()));
  for (at->Seek("put "); at->Valid() && at->key().starts_with("put ");
       at->Next()) {
    scanner.Add(at->key().ToString(), at->value().ToString());
  }
  if (!at->status().ok()) {
    scanner.Complain("unreadable: " + at->status().ToString());
  }
  return scanner.Finish();
}

rocksdb::Options MakeOptions(size_t write_buffer_bytes,
                             const std::string& recovery_mode) {
  rocksdb::Options options;
  options.write_buffer_size = write_buffer_bytes;
  options.compression = rocksdb::kNoCompression;
  options.max_background_jobs = 2;
  options.max_write_buffer_number = 4;
  options.keep_log_file_num = 20;
  options.wal_compression =
      FLAGS_compressed_wals ? rocksdb::kZSTD : rocksdb::kNoCompression;
  options.manual_wal_flush = FLAGS_manual_wal_flush;
  using Mode = rocksdb::WALRecoveryMode;
  if (recovery_mode == "tolerate") {
    options.wal_recovery_mode = Mode::kTolerateCorruptedTailRecords;
  } else if (recovery_mode == "absolute") {
    options.wal_recovery_mode = Mode::kAbsoluteConsistency;
  } else if (recovery_mode == "point") {
    options.wal_recovery_mode = Mode::kPointInTimeRecovery;
  } else if (recovery_mode == "skip") {
    options.wal_recovery_mode = Mode::kSkipAnyCorruptedRecords;
  } else {
    std::fprintf(stderr, "no recovery mode: %s\n", recovery_mode.c_str());
    std::exit(2);
  }
  return options;
}

}  // namespace uringfs::power_cut
