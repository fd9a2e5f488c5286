// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What one durable append costs by plain system calls, and what such
// measurements stand on: aligned memory and a file without a name.
//
// THREADS: any number of calls at a time.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_RAW_APPEND_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_RAW_APPEND_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace uringfs::bench {

// What addresses, offsets and lengths of direct I/O are multiples of.
inline constexpr uint64_t kBlockBytes = 4096;

// Block-aligned memory; data() is null if there was none.
class AlignedMemory {
 public:
  explicit AlignedMemory(size_t bytes);

  char* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  std::unique_ptr<char, Free> data_;
};

// A new file whose name is removed as soon as it is open, so that nothing is
// left behind however the process ends.
class ScratchFile {
 public:
  ScratchFile() = default;
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  // 0 or the errno, then also `error` in words. EINVAL: the file system has no
  // direct I/O. REQUIRES: not open.
  int Open(const std::string& directory, bool is_direct, std::string* error);

  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

// How an append is made durable.
struct Way {
  const char* name;
  bool is_direct;          // O_DIRECT
  bool is_written_before;  // else it grows the file
  bool has_dsync;          // RWF_DSYNC, else fdatasync
};
inline constexpr Way kOverwrite = {"overwrite", true, true, true};
inline constexpr Way kOverwriteFdatasync = {"overwrite_fdatasync", true, true,
                                            false};
inline constexpr Way kExtend = {"extend", true, false, true};
inline constexpr Way kPosix = {"posix", false, false, false};
inline constexpr Way kWays[] = {kOverwrite, kOverwriteFdatasync, kExtend,
                                kPosix};

inline constexpr uint32_t kMaxRecordBytes = (1 << 20) - kBlockBytes;

struct AppendLoad {
  uint32_t record_bytes = 140;  // of each append, at most kMaxRecordBytes
  uint64_t count = 2000;        // appends, fewer when the time is over
  double max_seconds = std::numeric_limits<double>::infinity();
  const std::atomic<bool>* stop = nullptr;  // ends early when it becomes true
};

struct Latencies {
  std::vector<double> sorted_us;
  double total_us = 0;

  // All 0 if nothing was measured.
  double MeanUs() const;
  double PercentileUs(uint32_t percent) const;  // below 100
  double PerSecond() const;
};

// Appends to a new file in `directory`, which it writes before if `way` says
// so; that counts against the time, too. False with the reason in `error`.
bool MeasureAppends(const std::string& directory, const Way& way,
                    const AppendLoad& load, Latencies* out, std::string* error);

// Appends from the beginning of an open file. REQUIRES: opened as `way` says,
// and written before as far as the appends go if it says so.
bool MeasureAppendsIn(int fd, const Way& way, const AppendLoad& load,
                      Latencies* out, std::string* error);

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_RAW_APPEND_H_
