// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/base/mount_epoch.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace uringfs {

uint64_t MountEpochOf(uint64_t device) {
  const std::string numbers =
      std::to_string(major(device)) + ":" + std::to_string(minor(device));
  std::error_code missing;
  const std::filesystem::path link =
      std::filesystem::read_symlink("/sys/dev/block/" + numbers, missing);
  if (missing) {
    return 0;
  }
  const std::string name = link.filename().string();
  for (const char* const type : {"ext4", "xfs"}) {
    struct stat found = {};
    const std::string path = std::string("/sys/fs/") + type + "/" + name;
    if (::stat(path.c_str(), &found) == 0) {
      return found.st_ino;
    }
  }
  return 0;
}

}  // namespace uringfs
