// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// SideFile: the writing side of a log's side file (side_format.h): the ring's
// memory, and the words that tell others, and whoever comes after a kill -9,
// what is in it.
//
// Life: made -> Arm -> Publish... -> Disarm -> removed with its log's handle.
// Armed, it says "live" on disk and names its log. Disarmed, it says "idle",
// holds nothing anybody needs, and its words tell how long the log was: a copy
// of the log that was made before is found to be older than that of this file.
// Invariant: while the header changes there are no words.
//
// The space is allocated when the file is made: a store into a page for which
// a full disk has no block would kill the process. Pages are not touched
// before they are used.
//
// With each promise goes a sum of the stream (SideSum), so that after a reboot
// or a mount, or beside a copy, nobody has to guess whether the ring's bytes
// are the ones that were promised. Invariant: bytes leave the ring only when
// they are in the running sum.
//
// THREADS: PublishFilled, SumUpTo, PublishWritten, filled(), ring(): any. All
// else: one thread, with no other call beside it.

#ifndef URINGFS_SIDE_SIDE_FILE_H_
#define URINGFS_SIDE_SIDE_FILE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "src/base/file_identity.h"
#include "src/side/side_format.h"

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"
#include "uringfs/options.h"
#include "uringfs/status.h"

namespace uringfs {

class SideFile {
 public:
  // Makes the side file of a log, in place of one that stands there (see
  // ClearSideOf). Whoever may read or write the log may do so with it.
  // `distrust`: see WhyDistrusted. Errors: NotSupported with that, where the
  // file system would not do (see above), or if the boot id cannot be told;
  // NoSpace, the errno of the failing call.
  static Status Create(const std::string& log_path, const std::string& distrust,
                       const LogOptions& options,
                       std::unique_ptr<SideFile>* side);

  // Why files in `directory` get no side file; empty if they do. Guesses by
  // the kind of file system, writes nothing.
  static std::string Refusal(const std::string& directory);
  static std::string RefusalBeside(const std::string& log_path);

  // Unmaps. The file stays.
  ~SideFile();
  SideFile(const SideFile&) = delete;
  SideFile& operator=(const SideFile&) = delete;

  // Takes the file's name away, if it still leads to it. REQUIRES: not armed.
  Status Unlink();
  // The same; where that fails (it is not allowed any more, the disk is full)
  // the file goes without its ring, and says that it is idle. REQUIRES: not
  // armed, and destroyed next: whoever touches the ring after that is killed.
  Status Remove();

  // From here on the log's stream is file[0, end) and what is published.
  // REQUIRES: not armed; the ring starts at `origin` and has of the buffer in
  // which `end` lies what is below `end`.
  void Arm(const FileIdentity& log, uint64_t origin, uint64_t end);
  // Makes durable that there is this side file, under its name, and whose it
  // is: what the next boot goes by. REQUIRES: armed. Errors: those of msync
  // and fsync.
  Status MakeHeaderDurable() const;
  // REQUIRES: the file is the whole stream.
  void Disarm();
  // Its log is about to be less than it was. REQUIRES: not armed.
  void Forget();
  bool is_armed() const { return is_armed_; }

  // Flush has promised the stream below `end`; never goes back.
  // REQUIRES: the caller has acquired the bytes of all writers below it.
  void PublishFilled(uint64_t end);
  // The ring is about to lose what is below `end`. REQUIRES: as above.
  void SumUpTo(uint64_t end);
  // The file has the stream below `end`. REQUIRES: one caller at a time.
  void PublishWritten(uint64_t end);
  uint64_t filled() const;
  uint64_t written() const;
  // Stores change neither the times of the file nor its size. Whoever copies
  // what has changed since the last time goes by them: by size and time to the
  // second (rsync), or by time alone. Best effort. REQUIRES: one caller at a
  // time.
  void Touch();

  char* ring() const;

 private:
  SideFile(int fd, std::string path, const LogOptions& options);
  void ShareModeOf(const std::string& log_path) const;
  Status Allocate();
  size_t MappedBytes() const;
  SideHeader HeaderOfNoLog(dev_t device) const;
  void WriteHeader(SideHeader header);
  bool IsInPlace() const;
  void Sum(uint64_t end) URINGFS_REQUIRES(sum_mutex_);
  void NoteSum() URINGFS_REQUIRES(sum_mutex_);
  std::atomic<uint64_t>* Word(size_t at) const;

  const int fd_;
  const std::string path_;
  const int log_fd_;  // for its mark; -1: it has none
  const uint32_t id_;
  const uint32_t buffer_bytes_;
  const uint32_t buffers_count_;
  char* memory_ = nullptr;
  bool is_armed_ = false;
  bool is_marked_ = false;  // the log may have a mark of ours
  size_t tail_bytes_ = 0;   // see kSideTailLimit
  SideHeader header_ = {};  // as it was written

  Mutex sum_mutex_;
  // The running sum, of the stream below `summed_end_`.
  uint64_t summed_end_ URINGFS_GUARDED_BY(sum_mutex_) = 0;
  uint32_t sum_ URINGFS_GUARDED_BY(sum_mutex_) = 0;
  size_t next_sum_ URINGFS_GUARDED_BY(sum_mutex_) = 0;
};

}  // namespace uringfs

#endif  // URINGFS_SIDE_SIDE_FILE_H_
