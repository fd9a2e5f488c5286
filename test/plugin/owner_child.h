// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Another process that has a WAL or a database open, and does what it is told,
// step by step.
//
//   "wal": append N    N bytes of Pattern(), behind those that are there; flush
//          add N       the same without the flush
//          close
//   "db":  put N       keys up to N, unsynced
//          flush       the memtables
//          settle      waits until nothing is going to be deleted
//          close
//
// Tests that use it take child_process.cc's main.

#ifndef URINGFS_TEST_PLUGIN_OWNER_CHILD_H_
#define URINGFS_TEST_PLUGIN_OWNER_CHILD_H_

#include <memory>
#include <string>

#include "test/support/child_process.h"

namespace uringfs::test {

// All that a "wal" owner can append is a prefix of Pattern(kOwnerBytes).
inline constexpr size_t kOwnerBytes = size_t{8} << 20;

class OwnerChild {
 public:
  // `path` is the WAL's or the database's; a database keeps its WALs in
  // `wal_dir` unless that is empty. Makes a fifo beside `path`.
  OwnerChild(const std::string& kind, const std::string& path,
             const std::string& wal_dir = "",
             const std::string& fs = "uringfs");
  ~OwnerChild();
  OwnerChild(const OwnerChild&) = delete;
  OwnerChild& operator=(const OwnerChild&) = delete;

  // False if the command has failed there.
  bool Do(const std::string& command) { return Begin(command) && End(); }
  // The same in two steps.
  bool Begin(const std::string& command);
  bool End();

  void Kill() { child_->Kill(); }

 private:
  const std::string fifo_;
  std::unique_ptr<ChildProcess> child_;
  int commands_ = -1;
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_PLUGIN_OWNER_CHILD_H_
