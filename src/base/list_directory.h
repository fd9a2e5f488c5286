// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_BASE_LIST_DIRECTORY_H_
#define URINGFS_BASE_LIST_DIRECTORY_H_

#include <string>
#include <vector>

namespace uringfs {

// Names of all that is in a directory, sorted. Returns 0 or the errno; the
// names that were found before an error are there.
int ListDirectory(const std::string& directory,
                  std::vector<std::string>* names);

}  // namespace uringfs

#endif  // URINGFS_BASE_LIST_DIRECTORY_H_
