// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What a program or a shared object tells of itself without being run: what it
// needs, and which RocksDB is in it. Files may be damaged: nothing is mapped,
// and no number in them is believed.

#ifndef URINGFS_TOOL_ELF_LOOK_H_
#define URINGFS_TOOL_ELF_LOOK_H_

#include <string>
#include <vector>

namespace uringfs::tool {

struct ElfLook {
  bool is_elf = false;      // of this machine's kind
  std::string script;       // what runs it, if it is a script
  std::string interpreter;  // its dynamic loader; empty: it has none
  bool is_program = false;  // and no object that others load
  std::vector<std::string> needed;

  bool has_rocksdb = false;      // its code is in it
  bool exports_rocksdb = false;  // and other objects see it
  std::string rocksdb_tag;       // such as v9.7.4, if it was built from git
  // RocksDB's own io_uring: whether it was compiled in, and whether this object
  // has the function that switches it on.
  bool has_own_uring = false;
  bool enables_own_uring = false;
};

// Returns 0, or the errno if it cannot be read or is no file. What is no
// program is no error: see is_elf.
int LookAtElf(const std::string& path, ElfLook* look);

}  // namespace uringfs::tool

#endif  // URINGFS_TOOL_ELF_LOOK_H_
