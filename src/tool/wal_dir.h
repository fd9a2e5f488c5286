// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_TOOL_WAL_DIR_H_
#define URINGFS_TOOL_WAL_DIR_H_

#include <string>
#include <vector>

namespace uringfs::tool {

// A directory for logs that the newest OPTIONS file of the database in
// `directory` names, in which side files stand, and which is none of
// `directories`; "" if there is none. It may be that of another database of
// which this is a copy, so nothing may be done there unasked.
std::string ForgottenWalDir(const std::string& directory,
                            const std::vector<std::string>& directories);

// A sentence about it.
std::string DescribeForgotten(const std::string& directory,
                              const std::string& wal_dir);

}  // namespace uringfs::tool

#endif  // URINGFS_TOOL_WAL_DIR_H_
