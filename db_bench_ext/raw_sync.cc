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

#include <gflags/gflags.h>

#include <cstdio>
#include <string>

#include "db_bench_ext/judge/raw_append.h"

DEFINE_string(dir, "", "a directory on the disk; one file is made and removed");
DEFINE_uint32(record_bytes, 140, "bytes of each append, at most 1 MiB");
DEFINE_uint32(count, 2000, "appends of each way");
DEFINE_string(way, "", "only this one; default: all");

namespace {

using uringfs::bench::AppendLoad;
using uringfs::bench::kMaxRecordBytes;
using uringfs::bench::kWays;
using uringfs::bench::Latencies;
using uringfs::bench::Way;

// False, and says why, if the disk or the file system did not let it.
bool Run(const Way& way) {
  AppendLoad load;
  load.record_bytes = FLAGS_record_bytes;
  load.count = FLAGS_count;
  Latencies latencies;
  std::string error;
  if (!uringfs::bench::MeasureAppends(FLAGS_dir, way, load, &latencies,
                                      &error)) {
    std::fprintf(stderr, "raw_sync: %s\n", error.c_str());
    return false;
  }
  std::printf("way=%s micros_per_op=%.1f p50=%.1f p99=%.1f\n", way.name,
              latencies.MeanUs(), latencies.PercentileUs(50),
              latencies.PercentileUs(99));
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  gflags::SetUsageMessage("what one durable append costs on this disk");
  gflags::ParseCommandLineFlags(&argc, &argv, /*remove_flags=*/true);
  if (FLAGS_dir.empty() || FLAGS_count == 0 || FLAGS_record_bytes == 0 ||
      FLAGS_record_bytes > kMaxRecordBytes) {
    std::fprintf(stderr,
                 "raw_sync: wants --dir, a --count, and --record_bytes "
                 "from 1 to %u; see --help\n",
                 kMaxRecordBytes);
    return 2;
  }
  bool found = false;
  for (const Way& way : kWays) {
    if (FLAGS_way.empty() || FLAGS_way == way.name) {
      found = true;
      if (!Run(way)) {
        return 1;
      }
    }
  }
  if (!found) {
    std::fprintf(stderr, "raw_sync: there is no way '%s'\n", FLAGS_way.c_str());
    return 2;
  }
  return 0;
}
