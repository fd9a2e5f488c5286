// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/disk_limits.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "db_bench_ext/judge/raw_append.h"
#include "db_bench_ext/judge/seconds.h"
#include "db_bench_ext/judge/text.h"
#include "db_bench_ext/judge/transfers.h"

namespace uringfs::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kMib = uint64_t{1} << 20;
constexpr uint64_t kMostFileBytes = 256 * kMib;

constexpr uint32_t kWriteBytes[] = {4 << 10, 64 << 10, 256 << 10, 1 << 20};
constexpr uint32_t kWriteDepths[] = {1, 4, 16};
constexpr uint32_t kReadDepths[] = {1, 16};
constexpr uint32_t kMostDepth = TransferRing::kMostDepth;
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
  TransferRing ring_;        // goes first: it knows the file and the memory
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
  return Latency{got.PercentileUs(1), got.PercentileUs(50),
                 got.PercentileUs(99), got.PerSecond()};
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
