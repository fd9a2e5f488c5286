// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/side_trust.h"

#include <sys/stat.h>
#include <unistd.h>

namespace uringfs {
namespace {

// Whether the group `gid` may write to the file, or make others in a directory
// and put them in the place of what is there.
bool GroupMayWrite(const struct stat& file, gid_t gid) {
  return (file.st_mode & S_IWGRP) != 0 && file.st_gid == gid;
}

bool OthersMayWrite(const struct stat& file) {
  const bool keeps_names = S_ISDIR(file.st_mode) && (file.st_mode & S_ISVTX);
  return (file.st_mode & S_IWOTH) != 0 && !keeps_names;
}

}  // namespace

std::string WhyLessTrusted(const std::string& log_path, const Side& side) {
  struct stat directory = {};
  if (::stat(DirectoryPrefixOf(log_path).c_str(), &directory) != 0) {
    directory.st_uid = side.log.st_uid;
  }
  const uid_t owner = side.stat.st_uid;
  const bool is_owner_trusted = owner == 0 || owner == directory.st_uid ||
                                (side.has_log && owner == side.log.st_uid);
  if (!is_owner_trusted) {
    return "it belongs to user " + std::to_string(owner) +
           ", who owns neither the log nor the directory; chown it if you "
           "trust it";
  }
  const gid_t group = side.stat.st_gid;
  const bool is_group_trusted =
      (side.stat.st_mode & S_IWGRP) == 0 || GroupMayWrite(directory, group) ||
      (side.has_log && GroupMayWrite(side.log, group));
  const bool are_others_trusted = (side.stat.st_mode & S_IWOTH) == 0 ||
                                  OthersMayWrite(directory) ||
                                  (side.has_log && OthersMayWrite(side.log));
  if (!is_group_trusted || !are_others_trusted) {
    return "users may write to it who may write neither to the log nor to the "
           "directory; chmod it to 600 if you trust it";
  }
  return "";
}

std::string WhyDistrusted(const std::string& log_path,
                          const FileIdentity& log) {
  struct stat there = {};
  if (::lstat(log_path.c_str(), &there) != 0 || !IsAt(log, log_path, there)) {
    return " is a symbolic link, or was moved or replaced";
  }
  return there.st_uid == ::geteuid() ? "" : " belongs to another user";
}

std::string WhyPrivate(const Status& status) {
  return status.code() == Status::Code::kNotSupported
             ? status.ToString()
             : "private ring: " + status.ToString();
}

}  // namespace uringfs
