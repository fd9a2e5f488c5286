// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What `uringfs doctor` finds out about a process, or about a program or shared
// object that does not run: facts, and what follows from them.

#ifndef URINGFS_TOOL_PATIENT_H_
#define URINGFS_TOOL_PATIENT_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace uringfs::tool {

// A RocksDB in an object.
struct RocksDbFound {
  std::string path;
  std::string version;      // such as 7.8.3; empty: not known
  bool is_library = false;  // librocksdb.so; else it is linked into something
  bool is_exported = false;
  // Its own io_uring: compiled in, and switched on by the application.
  bool has_own_uring = false;
};

// How many files of a kind are open, by the way that they are read or written.
struct DatabaseFound {
  std::string path;
  std::string version;  // of the RocksDB that opened it, by its LOG
  // What the plugin said of itself in LOG; empty: it does not go through it.
  std::string by_uringfs;
  std::map<std::string, int> files;
};

struct Patient {
  std::string name;     // as asked for, with what it is
  std::string program;  // path
  bool is_process = false;
  std::vector<RocksDbFound> rocksdbs;
  std::vector<DatabaseFound> databases;
  bool switches_own_uring_on = false;

  std::string preload;  // path of the liburingfs.so here; empty: none
  std::vector<std::string> releases;  // for which there are modules beside it
  bool has_preload = false;           // it is in the process
  std::string module;                 // path, if one is in the process
  std::string default_variable;
  bool has_uring = false;    // an io_uring is open in the process
  std::string why_no_uring;  // here; empty: the kernel grants it

  // Why uringfs cannot be loaded into it; empty: it can, or is.
  std::string why_not;
  std::vector<std::string> notes;  // what could not be found out
};

// `name`: the number of a process, a path, or a name in PATH. Returns 0 or an
// errno, and in *complaint what for.
int Examine(const std::string& name, Patient* patient, std::string* complaint);

}  // namespace uringfs::tool

#endif  // URINGFS_TOOL_PATIENT_H_
