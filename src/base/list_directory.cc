// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/base/list_directory.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace uringfs {

int ListDirectory(const std::string& directory,
                  std::vector<std::string>* names) {
  names->clear();
  std::error_code error;
  std::filesystem::directory_iterator it(directory, error);
  for (const std::filesystem::directory_iterator end; !error && it != end;
       it.increment(error)) {
    names->push_back(it->path().filename().string());
  }
  std::sort(names->begin(), names->end());
  return error.value();
}

}  // namespace uringfs
