// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_TOOL_WAL_DIR_H_
#define URINGFS_TOOL_WAL_DIR_H_

#include <memory>
#include <string>
#include <vector>

#include "uringfs/log_format.h"

namespace uringfs::tool {

// The formats of logs in the directories that somebody has named.
class Formats {
 public:
  explicit Formats(const std::vector<std::string>& directories);
  // Null: RocksDB's logs in this directory are of a database that is not known.
  // It was not named, or several were, and the options of none name it.
  const LogFormat* Of(const std::string& directory);

 private:
  std::vector<std::string> databases_;
  std::vector<std::unique_ptr<const LogFormat>> made_;
};

// A sentence about the directory for logs that the newest OPTIONS file of the
// database in `directory` names, if side files stand there and it is none of
// `directories`, or if it is gone and they are all databases; else "". It may
// be that of another database of which this is a copy, so nothing may be done
// there unasked. `words`: the options of `recover` to be given, with a blank
// behind.
std::string RemindOfWalDir(const std::string& directory,
                           const std::vector<std::string>& directories,
                           const std::string& words);

}  // namespace uringfs::tool

#endif  // URINGFS_TOOL_WAL_DIR_H_
