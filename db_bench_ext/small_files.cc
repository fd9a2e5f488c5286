// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What a small table costs: makes many files of one append each, through the
// FileSystem interface.
//
//   small_files --fs=posix|uringfs://... --dir=DIR [--count=10000]
//               [--bytes=4096] [--nosync]
//
// The last line of the output is `files=N seconds=S micros_per_file=M`.

#include <gflags/gflags.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "db_bench_ext/make_file_system.h"

DEFINE_string(fs, "posix", "posix, or a URI such as uringfs://?data_buffers=4");
DEFINE_string(dir, "", "an empty or new directory for the files");
DEFINE_uint32(count, 10000, "how many files");
DEFINE_uint32(bytes, 4096, "bytes of each");
DEFINE_bool(sync, true, "sync each before it is closed");

namespace {

using uringfs::bench::MakeEmptyDirectory;
using uringfs::bench::MakeFileSystem;

rocksdb::Status MakeOne(rocksdb::FileSystem* fs, const std::string& path,
                        const std::string& content) {
  const rocksdb::IOOptions io;
  std::unique_ptr<rocksdb::FSWritableFile> file;
  rocksdb::IOStatus status =
      fs->NewWritableFile(path, rocksdb::FileOptions(), &file, nullptr);
  if (status.ok()) {
    status = file->Append(content, io, nullptr);
  }
  if (status.ok() && FLAGS_sync) {
    status = file->Sync(io, nullptr);
  }
  if (status.ok()) {
    status = file->Close(io, nullptr);
  }
  return status;
}

std::string PathOf(uint32_t number) {
  char name[32];
  std::snprintf(name, sizeof(name), "/%06u.sst", number);
  return FLAGS_dir + name;
}

int Fail(const std::string& message) {
  std::fprintf(stderr, "small_files: %s\n", message.c_str());
  return 1;
}

int Run() {
  if (FLAGS_dir.empty() || FLAGS_count < 1 || FLAGS_bytes < 1) {
    return Fail("--dir=DIR is needed, and numbers of 1 or more (--help)");
  }
  if (!MakeEmptyDirectory(FLAGS_dir)) {
    return Fail(FLAGS_dir + " is no directory, or not an empty one");
  }
  std::shared_ptr<rocksdb::FileSystem> fs;
  rocksdb::Status status = MakeFileSystem(FLAGS_fs, &fs);
  const std::string content(FLAGS_bytes, 'x');
  const auto begin = std::chrono::steady_clock::now();
  for (uint32_t i = 1; i <= FLAGS_count && status.ok(); ++i) {
    status = MakeOne(fs.get(), PathOf(i), content);
  }
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - begin;
  std::error_code error;
  for (uint32_t i = 1; i <= FLAGS_count; ++i) {
    std::filesystem::remove(PathOf(i), error);
  }
  if (!status.ok()) {
    return Fail(status.ToString());
  }
  std::printf("files=%u seconds=%.3f micros_per_file=%.1f\n", FLAGS_count,
              took.count(), took.count() * 1e6 / FLAGS_count);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  gflags::SetUsageMessage("makes small files; see small_files.cc");
  gflags::ParseCommandLineFlags(&argc, &argv, /*remove_flags=*/true);
  return Run();
}
