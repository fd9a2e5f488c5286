// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#ifndef URINGFS_TEST_PLUGIN_SMALL_DISK_H_
#define URINGFS_TEST_PLUGIN_SMALL_DISK_H_

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "test/support/temp_dir.h"

namespace uringfs::test {

// A small ext4 in a file, mounted; unmounted whatever happens.
class SmallDisk {
 public:
  explicit SmallDisk(const TempDir& dir)
      : image_(dir.File("image")), mount_(dir.File("mnt")) {
    const std::string make = "truncate -s 24M '" + image_ + "' && mkfs.ext4 " +
                             "-q -F '" + image_ + "' && mkdir '" + mount_ +
                             "' && mount -o loop '" + image_ + "' '" + mount_ +
                             "'";
    mounted_ = std::system((make + " >/dev/null 2>&1").c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_ && ::umount2(mount_.c_str(), 0) != 0) {
      // Somebody still has a file open there: let go when he is done.
      ::umount2(mount_.c_str(), MNT_DETACH);
    }
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  std::string File(const std::string& name) const {
    return mount_ + "/" + name;
  }

 private:
  const std::string image_;
  const std::string mount_;
  bool mounted_ = false;
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_PLUGIN_SMALL_DISK_H_
