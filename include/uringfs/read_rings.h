// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Reads of files, many of them at the device at once. What the page cache has
// is copied from there; only what is missing goes to an io_uring. Where there
// is none, or it is full, a read is a system call like any other: nothing fails
// for want of a ring.

#ifndef URINGFS_READ_RINGS_H_
#define URINGFS_READ_RINGS_H_

#include <cstddef>
#include <cstdint>

namespace uringfs {

// One stretch of a file, and what became of it.
struct ReadRequest {
  int fd = -1;
  // The descriptor has O_DIRECT: the page cache is not asked, and offset, bytes
  // and memory are aligned as the device wants it.
  bool is_direct = false;
  uint64_t offset = 0;
  size_t bytes = 0;
  char* out = nullptr;

  // Answers. `got` is less than `bytes` only at the end of the file, or with an
  // error.
  size_t got = 0;
  int error = 0;  // an errno

  // Of ReadRings: while the kernel has it the request stays where it is.
  void* ring = nullptr;
  bool is_under_way = false;
  int result = 0;
};

// How many requests were read in which way.
struct ReadCounts {
  uint64_t cached = 0;  // copied from the page cache
  uint64_t ring = 0;    // by an io_uring
  uint64_t alone = 0;   // by a system call of its own
};

// Rings that all readers of a process share: as many as there are CPUs, at
// most eight, made when they are first wanted. THREADS: any.
class ReadRings {
 public:
  // Never destroyed. In a child of fork another one than its parent's.
  static ReadRings* OfProcess();

  virtual ~ReadRings() = default;

  // Reads one by system calls, from what it has got on. Needs no ring.
  static void ReadAlone(ReadRequest* request);

  // Reads all of them, and returns when all are done. Errors: in each.
  virtual ReadCounts ReadAll(ReadRequest* requests, size_t count) = 0;

  // Starts one, or does it at once if the page cache has all of it or no ring
  // has room. Returns how. Finish it in any case, whoever did the rest.
  virtual ReadCounts Start(ReadRequest* request) = 0;

  // Waits for one that was started. In a child of fork, for which nobody reads,
  // it is read anew.
  virtual void Finish(ReadRequest* request) = 0;
};

}  // namespace uringfs

#endif  // URINGFS_READ_RINGS_H_
