// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/disk_limits.h"

#include <liburing.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <random>

#include "db_bench_ext/judge/raw_append.h"

namespace uringfs::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kMib = uint64_t{1} << 20;
constexpr uint64_t kMostFileBytes = 256 * kMib;

constexpr uint32_t kWriteBytes[] = {4 << 10, 64 << 10, 256 << 10, 1 << 20};
constexpr uint32_t kWriteDepths[] = {1, 4, 16};
constexpr uint32_t kReadDepths[] = {1, 16};
constexpr uint32_t kMostDepth = 16;
// The memory of all transfers in flight. The file is at least as large, so
// that no two of them meet.
constexpr uint64_t kMemoryBytes = kMostDepth * kMib;
constexpr uint64_t kLeastFileBytes = kMemoryBytes;

// How the time is divided. Latencies come before the flood of writes, whose
// end a disk's cache may still be busy with.
constexpr double kFillShare = 0.12;
constexpr double kDurableShare = 0.07;
constexpr double kFlushShare = 0.05;
constexpr double kReadShare = 0.04;  // each
constexpr double kWriteShare = 0.68 / 12;

// One kind of transfer to be measured.
struct Cell {
  bool is_write = false;
  uint32_t bytes = 0;
  uint32_t depth = 0;
  double seconds = 0;
};

std::string NameOf(const Cell& cell) {
  return (cell.is_write ? "writes of " : "reads of ") +
         std::to_string(cell.bytes >> 10) + " KiB, " +
         std::to_string(cell.depth) + " at a time";
}

struct Tally {
  uint64_t transfers = 0;
  double seconds = 0;
  int error = 0;  // the first one's errno

  void Add(ssize_t result, uint32_t bytes) {
    if (result == static_cast<ssize_t>(bytes)) {
      ++transfers;
    } else {
      Fail(result < 0 ? static_cast<int>(-result) : EIO);
    }
  }
  void Fail(int number) { error = error != 0 ? error : number; }
};

// Where the transfers of a cell go: one after another through the file, and
// again; or anywhere.
class Places {
 public:
  Places(const Cell& cell, uint64_t file_bytes)
      : bytes_(cell.bytes),
        count_(file_bytes / cell.bytes),
        is_random_(!cell.is_write) {}

  uint64_t Next() {
    return (is_random_ ? random_() % count_ : next_++ % count_) * bytes_;
  }

 private:
  const uint64_t bytes_;
  const uint64_t count_;
  const bool is_random_;
  uint64_t next_ = 0;
  // The same places in every run, so that runs can be compared.
  std::mt19937_64 random_;  // NOLINT: the fixed seed is the point
};

// A ring for the transfers of one file; each has a slot of the memory.
class Ring {
 public:
  Ring() = default;
  ~Ring() {
    if (is_open_) {
      ::io_uring_queue_exit(&ring_);
    }
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // 0 or the errno. A no-op goes round, since a filter of system calls may let
  // a ring be made and nothing be submitted.
  int Open() {
    int result = ::io_uring_queue_init(kMostDepth, &ring_, 0);
    is_open_ = result >= 0;
    if (is_open_) {
      ::io_uring_prep_nop(::io_uring_get_sqe(&ring_));
      result = ::io_uring_submit(&ring_);
    }
    io_uring_cqe* done = nullptr;
    if (result >= 0) {
      result = ::io_uring_wait_cqe(&ring_, &done);
    }
    is_broken_ = result < 0;
    if (!is_broken_) {
      ::io_uring_cqe_seen(&ring_, done);
    }
    return is_broken_ ? -result : 0;
  }

  // False also once the kernel refused to take transfers.
  bool is_usable() const { return is_open_ && !is_broken_; }

  // Keeps cell.depth transfers in flight for as long as `goes_on` says, then
  // waits for the last of them.
  template <typename GoesOn>
  void Run(const Cell& cell, int fd, char* memory, Places* places,
           const GoesOn& goes_on, Tally* tally) {
    for (uint64_t slot = 0; slot < cell.depth; ++slot) {
      Prepare(cell, fd, memory, slot, places, tally);
    }
    while (in_flight_ > NeverTaken()) {
      SubmitAndWait(tally);
      io_uring_cqe* done = nullptr;
      while (in_flight_ > 0 && ::io_uring_peek_cqe(&ring_, &done) == 0) {
        const uint64_t slot = done->user_data;
        tally->Add(done->res, cell.bytes);
        ::io_uring_cqe_seen(&ring_, done);
        --in_flight_;
        if (tally->error == 0 && goes_on()) {
          Prepare(cell, fd, memory, slot, places, tally);
        }
      }
    }
  }

 private:
  void Prepare(const Cell& cell, int fd, char* memory, uint64_t slot,
               Places* places, Tally* tally) {
    io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
    if (entry == nullptr) {
      tally->Fail(EBUSY);
      return;
    }
    char* data = memory + slot * cell.bytes;
    if (cell.is_write) {
      ::io_uring_prep_write(entry, fd, data, cell.bytes, places->Next());
    } else {
      ::io_uring_prep_read(entry, fd, data, cell.bytes, places->Next());
    }
    entry->user_data = slot;
    ++in_flight_;
  }

  // The kernel may write to the memory until the last completion has come, so
  // there is no way out before. Completions come without a call, too.
  void SubmitAndWait(Tally* tally) {
    if (is_broken_) {
      ::usleep(1000);
      return;
    }
    const int result = ::io_uring_submit_and_wait(&ring_, 1);
    if (result < 0 && result != -EINTR) {
      tally->Fail(-result);
      is_broken_ = true;
    }
  }

  uint32_t NeverTaken() const {
    return is_broken_ ? ::io_uring_sq_ready(&ring_) : 0;
  }

  io_uring ring_ = {};
  bool is_open_ = false;
  bool is_broken_ = false;
  uint32_t in_flight_ = 0;  // or about to be submitted
};

// All that one call measures with.
class Prober {
 public:
  Prober(double seconds, const std::atomic<bool>& stop)
      : seconds_(seconds), stop_(stop), memory_(kMemoryBytes) {}

  DiskLimits Run(const std::string& directory) {
    if (MakeFile(directory) && Fill()) {
      OpenRing();
      limits_.durable_overwrite =
          Appends(kOverwrite, 140, kDurableShare, "durable overwrites");
      limits_.flush =
          Appends(kOverwriteFdatasync, kBlockBytes, kFlushShare, "flushes");
      Reads();
      Writes();
    }
    if (IsStopped()) {
      Note("stopped before all was measured");
    }
    return std::move(limits_);
  }

 private:
  bool IsStopped() const { return stop_.load(std::memory_order_relaxed); }
  void Note(const std::string& text) { limits_.notes.push_back(text); }

  bool MakeFile(const std::string& directory);
  bool Fill();
  void NoteFill(int error);
  void OpenRing();
  Latency Appends(const Way& way, uint32_t bytes, double share,
                  const char* name);
  void Reads();
  void Writes();
  // Transfers per second; 0 if there were none.
  double RateOf(const Cell& cell);
  Tally RunCell(const Cell& cell);

  const double seconds_;
  const std::atomic<bool>& stop_;
  const AlignedMemory memory_;
  ScratchFile file_;
  uint64_t wanted_bytes_ = 0;
  uint64_t file_bytes_ = 0;  // written
  Ring ring_;                // goes first: it knows the file and the memory
  DiskLimits limits_;
};

bool Prober::MakeFile(const std::string& directory) {
  if (memory_.data() == nullptr) {
    Note(ErrnoText("memory", ENOMEM));
    return false;
  }
  struct statvfs space = {};
  if (::statvfs(directory.c_str(), &space) != 0) {
    Note(ErrnoText(directory, errno));
    return false;
  }
  // Some file systems do not tell.
  const uint64_t free_bytes = space.f_blocks == 0
                                  ? kMostFileBytes * 4
                                  : uint64_t{space.f_bavail} * space.f_frsize;
  wanted_bytes_ = std::min(kMostFileBytes, free_bytes / 4) / kMib * kMib;
  if (wanted_bytes_ < kLeastFileBytes) {
    Note("nothing was measured: " + std::to_string(free_bytes / kMib) +
         " MiB are free, wanted are " +
         std::to_string(kLeastFileBytes * 4 / kMib));
    return false;
  }
  std::string error;
  const int number = file_.Open(directory, /*is_direct=*/true, &error);
  if (number != 0) {
    Note((number == EINVAL ? "the file system has no direct I/O: " : "") +
         error);
  }
  return number == 0;
}

// Writes the file, with what neither a disk nor a file system can make smaller,
// as far as its share of the time lets it.
bool Prober::Fill() {
  std::mt19937_64 random;  // NOLINT: the fixed seed is the point
  for (uint64_t at = 0; at < kMemoryBytes; at += sizeof(uint64_t)) {
    const uint64_t word = random();
    std::memcpy(memory_.data() + at, &word, sizeof(word));
  }
  const auto begin = Clock::now();
  int error = 0;
  while (error == 0 && file_bytes_ < wanted_bytes_ && !IsStopped() &&
         (file_bytes_ < kLeastFileBytes ||
          SecondsSince(begin) < seconds_ * kFillShare)) {
    const ssize_t done =
        ::pwrite(file_.fd(), memory_.data() + file_bytes_ % kMemoryBytes, kMib,
                 static_cast<off_t>(file_bytes_));
    error = done == static_cast<ssize_t>(kMib) ? 0 : done < 0 ? errno : ENOSPC;
    file_bytes_ += error == 0 ? kMib : 0;
  }
  if (error == 0 && ::fdatasync(file_.fd()) != 0) {
    error = errno;
  }
  NoteFill(error);
  return error == 0 && file_bytes_ >= kLeastFileBytes;
}

void Prober::NoteFill(int error) {
  if (error == EINVAL) {
    Note(ErrnoText("the file system has no direct I/O of 4 KiB", error));
  } else if (error != 0) {
    Note(ErrnoText("the file could not be written", error));
  } else if (file_bytes_ < wanted_bytes_ && !IsStopped()) {
    Note("the file has only " + std::to_string(file_bytes_ / kMib) +
         " MiB: there was no time for more");
  }
}

void Prober::OpenRing() {
  const int error = ring_.Open();
  if (error != 0) {
    Note(ErrnoText("only one transfer at a time, without io_uring", error));
  }
}

Latency Prober::Appends(const Way& way, uint32_t bytes, double share,
                        const char* name) {
  AppendLoad load;
  load.record_bytes = bytes;
  load.count = file_bytes_ / bytes;
  load.max_seconds = seconds_ * share;
  load.stop = &stop_;
  Latencies got;
  std::string error;
  if (!MeasureAppendsIn(file_.fd(), way, load, &got, &error)) {
    Note(std::string(name) + ": " + error);
    return Latency();
  }
  return Latency{got.PercentileUs(50), got.PercentileUs(99), got.PerSecond()};
}

void Prober::Reads() {
  for (const uint32_t depth : kReadDepths) {
    const double rate = RateOf({/*is_write=*/false, uint32_t{kBlockBytes},
                                depth, seconds_ * kReadShare});
    if (rate > 0) {
      limits_.random_read.push_back({depth, rate});
    }
  }
}

void Prober::Writes() {
  for (const uint32_t bytes : kWriteBytes) {
    for (const uint32_t depth : kWriteDepths) {
      const double rate =
          RateOf({/*is_write=*/true, bytes, depth, seconds_ * kWriteShare});
      if (rate > 0) {
        limits_.direct_write.push_back({bytes, depth, rate * bytes});
      }
    }
  }
}

double Prober::RateOf(const Cell& cell) {
  if (IsStopped() || (cell.depth > 1 && !ring_.is_usable())) {
    return 0;  // a note says so
  }
  const Tally tally = RunCell(cell);
  if (tally.error != 0) {
    Note(ErrnoText(NameOf(cell), tally.error));
    return 0;
  }
  return tally.seconds > 0
             ? static_cast<double>(tally.transfers) / tally.seconds
             : 0;
}

Tally Prober::RunCell(const Cell& cell) {
  Places places(cell, file_bytes_);
  Tally tally;
  const auto begin = Clock::now();
  const auto goes_on = [&] {
    return !IsStopped() && SecondsSince(begin) < cell.seconds;
  };
  if (ring_.is_usable()) {
    ring_.Run(cell, file_.fd(), memory_.data(), &places, goes_on, &tally);
    if (!ring_.is_usable()) {
      Note("from here on only one transfer at a time, without io_uring");
    }
  } else {
    do {
      const auto at = static_cast<off_t>(places.Next());
      const ssize_t done =
          cell.is_write ? ::pwrite(file_.fd(), memory_.data(), cell.bytes, at)
                        : ::pread(file_.fd(), memory_.data(), cell.bytes, at);
      tally.Add(done < 0 ? -errno : done, cell.bytes);
    } while (tally.error == 0 && goes_on());
  }
  tally.seconds = SecondsSince(begin);
  return tally;
}

}  // namespace

DiskLimits MeasureLimits(const std::string& directory, double seconds,
                         const std::atomic<bool>& stop) {
  return Prober(seconds, stop).Run(directory);
}

}  // namespace uringfs::bench
