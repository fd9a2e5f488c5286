// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What a benchmark's figures belong to: the disk below a directory and the
// machine around it, as the kernel describes them, and what the disk was made
// to do. Nothing here is measured; see disk_limits.h.
//
// `root` stands before every path below /proc, /sys, /dev and /etc, so that
// tests can feed a make-believe tree. What cannot be found out is left empty:
// a figure without a fact beside it is better than no figure.
//
// THREADS: thread-safe.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_DISK_FACTS_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_DISK_FACTS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace uringfs::bench {

struct DiskFacts {
  std::string file_system;    // "ext4"
  std::string mount_options;  // of the mount, then of the file system
  std::string device;         // the whole disk, "vda"; "" if there is none
  std::string model;
  std::string write_cache;  // "write back", "write through", "" unknown
  std::string scheduler;    // the chosen one only
  bool has_fua = false;
  bool is_rotational = false;
  uint64_t size_bytes = 0;
};

// Of the file system that holds `directory`; all empty if there is no such
// directory.
DiskFacts FactsOf(const std::string& directory, const std::string& root = "");

// The same for a directory that need not be there: `path` has no symbolic
// links, and `device` is what stat would tell as st_dev.
DiskFacts FactsAt(const std::string& path, dev_t device,
                  const std::string& root);

// True where what is written goes to memory, over a network, or through a
// layer that hides the disk: limits measured there are no disk's.
bool IsNoDisk(const DiskFacts& facts);

// The kernel's counters of a whole disk since boot; see
// https://www.kernel.org/doc/html/latest/admin-guide/iostats.html.
// Everything that uses the disk is in them.
struct DiskCounters {
  bool known = false;
  uint64_t writes = 0;
  uint64_t written_bytes = 0;
  bool counts_flushes = false;  // kernels before 5.5 do not: flushes is 0
  uint64_t flushes = 0;
};

DiskCounters CountersOf(const DiskFacts& facts, const std::string& root = "");

// What happened between two readings; known only if both are.
DiskCounters operator-(const DiskCounters& later, const DiskCounters& earlier);

struct MachineFacts {
  std::string cpu;  // its model's name, or else the architecture
  uint32_t cpus = 0;
  uint64_t memory_bytes = 0;
  std::string kernel;  // release and architecture
  std::string system;  // "Debian GNU/Linux 12 (bookworm)"
};

MachineFacts FactsOfMachine(const std::string& root = "");

// Writes all that is dirty in the file system that holds `directory`. False if
// that fails, with the reason for those who want it.
bool SyncFileSystem(const std::string& directory,
                    std::string* why_not = nullptr);

// Makes the kernel forget clean pages, of every file system; sync before. False
// with the reason where that is not permitted, as it is in most containers.
bool DropPageCache(std::string* why_not, const std::string& root = "");

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_DISK_FACTS_H_
