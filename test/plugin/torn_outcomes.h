// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What opening torn WALs came to, counted and printed as a table.

#ifndef URINGFS_TEST_PLUGIN_TORN_OUTCOMES_H_
#define URINGFS_TEST_PLUGIN_TORN_OUTCOMES_H_

#include <rocksdb/options.h>

#include <array>
#include <cctype>
#include <cstdint>
#include <iostream>
#include <map>
#include <string>

#include "test/plugin/torn_db.h"
#include "test/plugin/torn_wal.h"

namespace uringfs::test {

struct Mode {
  rocksdb::WALRecoveryMode mode;
  const char* name;
};
inline constexpr std::array<Mode, 4> kModes = {{
    {rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords, "tolerate tail"},
    {rocksdb::WALRecoveryMode::kAbsoluteConsistency, "absolute"},
    {rocksdb::WALRecoveryMode::kPointInTimeRecovery, "point in time"},
    {rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords, "skip any"},
}};

// Without what differs from image to image.
inline std::string ClassOf(const std::string& error) {
  std::string text;
  for (const char c : error) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) {
      text.push_back(c);
    } else if (text.empty() || text.back() != 'N') {
      text.push_back('N');
    }
  }
  return "fails: " + text.substr(0, text.find(" dropped"));
}

inline std::string ClassOf(const Outcome& outcome, uint64_t whole) {
  if (!outcome.is_open) {
    return ClassOf(outcome.error);
  }
  if (outcome.has_gap) {
    return "opens with a gap";
  }
  return outcome.keys == whole  ? "opens, whole records in front"
         : outcome.keys < whole ? "opens without some whole records"
                                : "opens with records behind the damage";
}

// Outcomes counted: by kind of damage, by mode and file system, by class.
class Table {
 public:
  void Add(DamageKind kind, size_t mode, bool is_uring,
           const std::string& what) {
    ++cells_[kind][mode * 2 + (is_uring ? 1 : 0)][what];
  }
  void Add(const Table& other) {
    for (const auto& [kind, row] : other.cells_) {
      for (size_t column = 0; column < row.size(); ++column) {
        for (const auto& [what, count] : row[column]) {
          cells_[kind][column][what] += count;
        }
      }
    }
  }
  uint64_t Count(DamageKind kind, size_t mode, bool is_uring,
                 const std::string& what) const {
    const auto row = cells_.find(kind);
    if (row == cells_.end()) {
      return 0;
    }
    const Cell& cell = row->second[mode * 2 + (is_uring ? 1 : 0)];
    const auto count = cell.find(what);
    return count == cell.end() ? 0 : count->second;
  }
  void Print() const {
    std::cout
        << "| WAL | mode | posix | uringfs |\n| --- | --- | --- | --- |\n";
    for (const auto& [kind, row] : cells_) {
      for (size_t mode = 0; mode < kModes.size(); ++mode) {
        std::cout << "| " << (mode == 0 ? NameOf(kind) : "") << " | "
                  << kModes[mode].name << " | " << Text(row[mode * 2]) << " | "
                  << Text(row[mode * 2 + 1]) << " |\n";
      }
    }
  }

 private:
  using Cell = std::map<std::string, uint64_t>;

  static std::string Text(const Cell& cell) {
    std::string text;
    for (const auto& [what, count] : cell) {
      text += (text.empty() ? "" : "; ") + what;
      if (cell.size() > 1) {
        text += " (" + std::to_string(count) + ")";
      }
    }
    return text;
  }

  std::map<DamageKind, std::array<Cell, kModes.size() * 2>> cells_;
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_PLUGIN_TORN_OUTCOMES_H_
