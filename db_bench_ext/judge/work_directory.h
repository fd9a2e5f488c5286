// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Where the databases go: a directory of our own on a disk, gone at the end.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_WORK_DIRECTORY_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_WORK_DIRECTORY_H_

#include <cstdint>
#include <string>

namespace uringfs::bench {

class WorkDirectory {
 public:
  WorkDirectory() = default;
  // Removes it, and its parent if that was made, too.
  ~WorkDirectory();
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;

  // Below `parent`, which is made if it is not there. False, with what to do,
  // if nothing can be written there.
  bool Make(const std::string& parent, std::string* error);
  // False if there is less free space than that, or it cannot be told.
  bool HasSpace(uint64_t bytes, std::string* error) const;

  const std::string& path() const { return path_; }

 private:
  std::string made_parent_;
  std::string path_;
};

// The first of some usual places that is on a disk and may be written.
std::string DefaultParent();

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_WORK_DIRECTORY_H_
