// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_TOOL_WAL_DIR_H_
#define URINGFS_TOOL_WAL_DIR_H_

#include <string>
#include <vector>

namespace uringfs::tool {

// A sentence about the directory for logs that the newest OPTIONS file of the
// database in `directory` names, if side files stand there and it is none of
// `directories`; else "". It may be that of another database of which this is a
// copy, so nothing may be done there unasked.
std::string RemindOfWalDir(const std::string& directory,
                           const std::vector<std::string>& directories);

}  // namespace uringfs::tool

#endif  // URINGFS_TOOL_WAL_DIR_H_
