// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/raw_append.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "db_bench_ext/judge/seconds.h"
#include "db_bench_ext/judge/text.h"

namespace uringfs::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kStep = uint64_t{1} << 20;

bool IsStopped(const AppendLoad& load) {
  return load.stop != nullptr && load.stop->load(std::memory_order_relaxed);
}

bool CheckLoad(const AppendLoad& load, std::string* error) {
  if (load.count == 0 || load.record_bytes == 0 ||
      load.record_bytes > kMaxRecordBytes) {
    *error = "appends of 1 to " + std::to_string(kMaxRecordBytes) +
             " bytes, at least one of them";
    return false;
  }
  return true;
}

bool WriteAll(int fd, const char* data, uint64_t bytes, uint64_t offset,
              int flags, std::string* error) {
  const iovec piece = {const_cast<char*>(data), bytes};
  const ssize_t done =
      ::pwritev2(fd, &piece, 1, static_cast<off_t>(offset), flags);
  if (done == static_cast<ssize_t>(bytes)) {
    return true;
  }
  *error = done < 0 ? ErrnoText("write", errno)
                    : "write: " + std::to_string(done) + " of " +
                          std::to_string(bytes) + " bytes";
  return false;
}

bool Flush(int fd, std::string* error) {
  if (::fdatasync(fd) == 0) {
    return true;
  }
  *error = ErrnoText("fdatasync", errno);
  return false;
}

// Zeros of the whole length, durable.
bool WriteBefore(int fd, const AppendLoad& load, Clock::time_point begin,
                 std::string* error) {
  const AlignedMemory zeros(kStep);
  if (zeros.data() == nullptr) {
    *error = ErrnoText("memory", ENOMEM);
    return false;
  }
  std::memset(zeros.data(), 0, kStep);
  const uint64_t total = uint64_t{load.record_bytes} * load.count;
  const uint64_t end = (total / kStep + 2) * kStep;
  for (uint64_t at = 0; at < end; at += kStep) {
    if (IsStopped(load) || SecondsSince(begin) >= load.max_seconds) {
      *error = "the time was over before the file was written";
      return false;
    }
    if (!WriteAll(fd, zeros.data(), kStep, at, 0, error)) {
      return false;
    }
  }
  return Flush(fd, error);
}

bool AppendOnce(int fd, const Way& way, const char* block, uint64_t begin,
                uint64_t end, std::string* error) {
  uint64_t first = begin;
  uint64_t last = end;
  if (way.is_direct) {
    first = begin / kBlockBytes * kBlockBytes;
    last = (end + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  }
  const int flags = way.has_dsync ? RWF_DSYNC : 0;
  return WriteAll(fd, block, last - first, first, flags, error) &&
         (way.has_dsync || Flush(fd, error));
}

}  // namespace

AlignedMemory::AlignedMemory(size_t bytes)
    : data_(static_cast<char*>(std::aligned_alloc(
          kBlockBytes,
          (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes))) {}

ScratchFile::~ScratchFile() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

int ScratchFile::Open(const std::string& directory, bool is_direct,
                      std::string* error) {
  static std::atomic<uint64_t> count = 0;
  const std::string path = directory + "/uringfs_raw." +
                           std::to_string(::getpid()) + "." +
                           std::to_string(count.fetch_add(1));
  fd_ = ::open(
      path.c_str(),
      O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | (is_direct ? O_DIRECT : 0), 0600);
  const int refused = fd_ < 0 ? errno : 0;
  // The kernel refuses O_DIRECT only after it has made the file.
  if (refused != 0 && refused != EINVAL) {
    *error = ErrnoText(path, refused);
    return refused;
  }
  const int kept = ::unlink(path.c_str()) == 0 ? 0 : errno;
  if (refused != 0) {
    *error = ErrnoText(path, refused);
    return refused;
  }
  if (kept != 0) {
    *error = ErrnoText("unlink " + path, kept);
  }
  return kept;
}

double Latencies::MeanUs() const {
  return sorted_us.empty() ? 0
                           : total_us / static_cast<double>(sorted_us.size());
}

double Latencies::PercentileUs(uint32_t percent) const {
  return sorted_us.empty() ? 0 : sorted_us[sorted_us.size() * percent / 100];
}

double Latencies::PerSecond() const {
  return total_us > 0 ? static_cast<double>(sorted_us.size()) * 1e6 / total_us
                      : 0;
}

bool MeasureAppendsIn(int fd, const Way& way, const AppendLoad& load,
                      Latencies* out, std::string* error) {
  using Micros = std::chrono::duration<double, std::micro>;
  *out = Latencies();
  if (!CheckLoad(load, error)) {
    return false;
  }
  // An append touches a block more than it has bytes for.
  constexpr size_t bytes = kStep + kBlockBytes;
  const AlignedMemory memory(bytes);
  if (memory.data() == nullptr) {
    *error = ErrnoText("memory", ENOMEM);
    return false;
  }
  std::memset(memory.data(), 'x', bytes);
  out->sorted_us.reserve(std::min<uint64_t>(load.count, kStep));
  const auto begin = Clock::now();
  auto before = begin;
  for (uint64_t i = 0; i < load.count && !IsStopped(load); ++i) {
    const uint64_t at = i * load.record_bytes;
    if (!AppendOnce(fd, way, memory.data(), at, at + load.record_bytes,
                    error)) {
      return false;
    }
    const auto now = Clock::now();
    out->sorted_us.push_back(Micros(now - before).count());
    before = now;
    if (Micros(now - begin).count() >= load.max_seconds * 1e6) {
      break;
    }
  }
  out->total_us = Micros(before - begin).count();
  std::sort(out->sorted_us.begin(), out->sorted_us.end());
  return true;
}

bool MeasureAppends(const std::string& directory, const Way& way,
                    const AppendLoad& load, Latencies* out,
                    std::string* error) {
  *out = Latencies();
  ScratchFile file;
  if (!CheckLoad(load, error) ||
      file.Open(directory, way.is_direct, error) != 0) {
    return false;
  }
  const auto begin = Clock::now();
  if (way.is_written_before && !WriteBefore(file.fd(), load, begin, error)) {
    return false;
  }
  AppendLoad rest = load;
  rest.max_seconds -= SecondsSince(begin);
  return MeasureAppendsIn(file.fd(), way, rest, out, error);
}

}  // namespace uringfs::bench
