// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What one durable append costs on this disk, whatever a file system plugin
// does: loops of system calls that make `--record_bytes` more bytes of a file
// durable, `--count` times each, in the ways there are.
//
//   raw_sync --dir=DIR [--record_bytes=140] [--count=2000] [--way=NAME]
//
// | way       | each append is                                             |
// |-----------|------------------------------------------------------------|
// | overwrite | one O_DIRECT write with RWF_DSYNC in a file written before |
// | overwrite_fdatasync | the same without RWF_DSYNC, then fdatasync       |
// | extend    | one O_DIRECT write with RWF_DSYNC that grows the file      |
// | posix     | a write through the page cache, then fdatasync             |
//
// "overwrite" is the limit uringfs is measured against. The last lines of the
// output are `way=NAME micros_per_op=M p50=... p99=...`.

#include <fcntl.h>
#include <gflags/gflags.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

DEFINE_string(dir, "", "a directory on the disk; one file is made and removed");
DEFINE_uint32(record_bytes, 140, "bytes of each append, at most 1 MiB");
DEFINE_uint32(count, 2000, "appends of each way");
DEFINE_string(way, "", "only this one; default: all");

namespace {

constexpr uint64_t kBlock = 4096;
constexpr uint64_t kStep = uint64_t{1} << 20;

struct Way {
  const char* name;
  bool is_direct;
  bool is_written_before;
  bool has_dsync;
};
constexpr Way kWays[] = {{"overwrite", true, true, true},
                         {"overwrite_fdatasync", true, true, false},
                         {"extend", true, false, true},
                         {"posix", false, false, false}};

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "raw_sync: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

void WriteAll(int fd, const char* data, uint64_t bytes, uint64_t offset,
              int flags) {
  const iovec piece = {const_cast<char*>(data), bytes};
  if (::pwritev2(fd, &piece, 1, static_cast<off_t>(offset), flags) !=
      static_cast<ssize_t>(bytes)) {
    Die("write");
  }
}

// Zeros of the whole length, durable.
void WriteBefore(int fd, const char* zeros, uint64_t bytes) {
  for (uint64_t at = 0; at < bytes; at += kStep) {
    WriteAll(fd, zeros, kStep, at, 0);
  }
  if (::fdatasync(fd) != 0) {
    Die("fdatasync");
  }
}

void AppendOnce(int fd, const Way& way, const char* block, uint64_t begin) {
  const uint64_t end = begin + FLAGS_record_bytes;
  if (way.is_direct) {
    const uint64_t first = begin / kBlock * kBlock;
    const uint64_t last = (end + kBlock - 1) / kBlock * kBlock;
    WriteAll(fd, block, last - first, first, way.has_dsync ? RWF_DSYNC : 0);
  } else {
    WriteAll(fd, block, end - begin, begin, 0);
  }
  if (!way.has_dsync && ::fdatasync(fd) != 0) {
    Die("fdatasync");
  }
}

void Run(const Way& way, char* memory) {
  const std::string path = FLAGS_dir + "/raw_sync." + std::to_string(getpid());
  const int fd = ::open(
      path.c_str(),
      O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | (way.is_direct ? O_DIRECT : 0),
      0600);
  if (fd < 0) {
    Die(path.c_str());
  }
  ::unlink(path.c_str());
  const uint64_t total = uint64_t{FLAGS_record_bytes} * FLAGS_count;
  if (way.is_written_before) {
    std::memset(memory, 0, kStep);
    WriteBefore(fd, memory, (total / kStep + 2) * kStep);
  }
  std::memset(memory, 'x', kStep + kBlock);
  std::vector<double> micros;
  micros.reserve(FLAGS_count);
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  auto before = begin;
  for (uint64_t i = 0; i < FLAGS_count; ++i) {
    AppendOnce(fd, way, memory, i * FLAGS_record_bytes);
    const auto now = Clock::now();
    micros.push_back(
        std::chrono::duration<double, std::micro>(now - before).count());
    before = now;
  }
  const double mean =
      std::chrono::duration<double, std::micro>(before - begin).count() /
      FLAGS_count;
  ::close(fd);
  std::sort(micros.begin(), micros.end());
  std::printf("way=%s micros_per_op=%.1f p50=%.1f p99=%.1f\n", way.name, mean,
              micros[micros.size() / 2], micros[micros.size() * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
  gflags::SetUsageMessage("what one durable append costs on this disk");
  gflags::ParseCommandLineFlags(&argc, &argv, /*remove_flags=*/true);
  if (FLAGS_dir.empty() || FLAGS_count == 0 || FLAGS_record_bytes == 0 ||
      FLAGS_record_bytes > kStep - kBlock) {
    std::fprintf(stderr,
                 "raw_sync: wants --dir, a --count, and --record_bytes "
                 "from 1 to 1044480; see --help\n");
    return 2;
  }
  void* memory = nullptr;
  if (::posix_memalign(&memory, kBlock, kStep + kBlock) != 0) {
    Die("memory");
  }
  bool found = false;
  for (const Way& way : kWays) {
    if (FLAGS_way.empty() || FLAGS_way == way.name) {
      found = true;
      Run(way, static_cast<char*>(memory));
    }
  }
  std::free(memory);
  if (!found) {
    std::fprintf(stderr, "raw_sync: there is no way '%s'\n", FLAGS_way.c_str());
    return 2;
  }
  return 0;
}
