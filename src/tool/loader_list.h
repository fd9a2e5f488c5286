// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_TOOL_LOADER_LIST_H_
#define URINGFS_TOOL_LOADER_LIST_H_

#include <string>
#include <vector>

namespace uringfs::tool {

// Paths of the shared objects that a program would begin with, as its dynamic
// loader finds them here. The loader is run, the program is not. Names of those
// that are not found are in *missing. False if it could not be asked.
bool ListObjects(const std::string& interpreter, const std::string& program,
                 std::vector<std::string>* paths,
                 std::vector<std::string>* missing);

}  // namespace uringfs::tool

#endif  // URINGFS_TOOL_LOADER_LIST_H_
