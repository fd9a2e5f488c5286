// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The mark of a log whose newest bytes may be in its side file only: an
// extended attribute of the log's file, so that it goes where that goes. A log
// with a mark and without a side file was parted from it: `mv *.log` does that.
//
// It names the side file, so that no other one stands in for that; the mount,
// in which no power loss has taken anything of it; and the log, since `cp -a`
// copies the mark.
//
// Order: the side file is made, then the mark; the mark goes, then the side
// file. A file system with a journal keeps that order through power loss. Since
// others do not, a mark counts in the boot in which it was made only. The other
// way round only if somebody has chosen to do without the side file.
//
// Best effort: where there are no such attributes there are no marks.
//
// THREADS: any.

#ifndef URINGFS_SIDE_LOG_MARK_H_
#define URINGFS_SIDE_LOG_MARK_H_

#include <cstdint>
#include <string>

#include "src/side/side_format.h"

namespace uringfs {

// The attribute's bytes.
struct LogMark {
  uint64_t boot = 0;         // NameHashOf() the boot id
  uint64_t mount_epoch = 0;  // this and file_id as in the side file's header
  uint64_t file_id = 0;
  uint64_t log_inode = 0;  // as there; a copy has others
  uint64_t log_birth = 0;
  uint64_t file_system = 0;
};

// Whether the log at `log_path` is another file than was marked. Where a birth
// is not known the file system tells.
bool IsCopy(const LogMark& mark, const std::string& log_path, uint64_t inode,
            uint64_t birth);

// Its owner knows it by a descriptor, wherever it has been moved to. Others by
// path, also of a symbolic link to it.
bool MarkLog(int fd, const SideHeader& header);
// 0 if the log has no mark of this boot any more; else the errno, of a log that
// may have one.
int UnmarkLog(int fd);
int UnmarkLog(const std::string& log_path);
// Or it cannot be asked.
bool MayHaveMark(const std::string& log_path);
// Whether there is a mark that counts. None does if the log has another name:
// the mark is that one's as well, and so may be the side file. Nor for those
// who may not read the log. Returns 0, or the errno of a disk that does not
// tell.
int FindMark(const std::string& log_path, bool* is_marked, LogMark* mark);

}  // namespace uringfs

#endif  // URINGFS_SIDE_LOG_MARK_H_
