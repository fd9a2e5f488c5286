// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What /proc tells of a process: its objects, its variables, its open files.

#ifndef URINGFS_TOOL_PROCESS_LOOK_H_
#define URINGFS_TOOL_PROCESS_LOOK_H_

#include <sys/types.h>

#include <set>
#include <string>
#include <vector>

namespace uringfs::tool {

struct OpenFile {
  std::string path;
  bool is_written = false;
  bool is_direct = false;  // O_DIRECT
};

struct ProcessLook {
  std::string name;
  std::string root;                  // its paths, as we see them, begin here
  std::string program;               // path
  std::vector<std::string> objects;  // paths, of what it has loaded
  std::set<std::string> mapped;      // paths of all files in its memory
  std::string default_variable;      // its URINGFS_DEFAULT
  std::vector<OpenFile> files;
  bool has_uring = false;  // an io_uring is open
};

// Returns 0 or the errno of what cannot be read.
int LookAtProcess(pid_t pid, ProcessLook* look);

}  // namespace uringfs::tool

#endif  // URINGFS_TOOL_PROCESS_LOOK_H_
