// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What opening and closing costs: makes many small databases one after
// another, with one key each.
//
//   small_dbs --fs=posix|uringfs://... --dir=DIR --count=500 [--wal_sync]
//
// The last line of the output is `dbs=N seconds=S micros_per_db=M`.

#include <gflags/gflags.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "db_bench_ext/make_file_system.h"

DEFINE_string(fs, "posix", "posix, or a URI such as uringfs://?wal_buffers=8");
DEFINE_string(dir, "", "an empty or new directory for the databases");
DEFINE_int32(count, 500, "how many databases");
DEFINE_bool(wal_sync, false, "sync the one put of each database");
DEFINE_bool(keep, false, "leave the databases there");

namespace {

using uringfs::bench::MakeEmptyDirectory;
using uringfs::bench::MakeFileSystem;

rocksdb::Status MakeOne(const rocksdb::Options& options,
                        const std::string& path) {
  rocksdb::DB* made = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, path, &made);
  if (!status.ok()) {
    return status;
  }
  const std::unique_ptr<rocksdb::DB> db(made);
  rocksdb::WriteOptions write;
  write.sync = FLAGS_wal_sync;
  status = db->Put(write, "key", "value");
  const rocksdb::Status closed = db->Close();
  return status.ok() ? closed : status;
}

rocksdb::Status MakeAll(const rocksdb::Options& options) {
  for (int i = 0; i < FLAGS_count; ++i) {
    rocksdb::Status status =
        MakeOne(options, FLAGS_dir + "/db" + std::to_string(i));
    if (!status.ok()) {
      return status;
    }
  }
  return rocksdb::Status::OK();
}

int Fail(const std::string& message) {
  std::fprintf(stderr, "small_dbs: %s\n", message.c_str());
  return 1;
}

int Run() {
  if (FLAGS_dir.empty() || FLAGS_count < 1) {
    return Fail("--dir=DIR is needed, and a --count of 1 or more");
  }
  std::shared_ptr<rocksdb::FileSystem> fs;
  rocksdb::Status status = MakeFileSystem(FLAGS_fs, &fs);
  if (!status.ok()) {
    return Fail(status.ToString());
  }
  if (!MakeEmptyDirectory(FLAGS_dir)) {
    return Fail(FLAGS_dir + " is no directory, or not an empty one");
  }
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(fs);
  rocksdb::Options options;
  options.env = env.get();
  options.create_if_missing = true;
  options.error_if_exists = true;

  const auto begin = std::chrono::steady_clock::now();
  status = MakeAll(options);
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - begin;
  if (!FLAGS_keep) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(FLAGS_dir)) {
      std::filesystem::remove_all(entry.path(), error);
    }
  }
  if (!status.ok()) {
    return Fail(status.ToString());
  }
  std::printf("dbs=%d seconds=%.3f micros_per_db=%.1f\n", FLAGS_count,
              took.count(), took.count() * 1e6 / FLAGS_count);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  gflags::SetUsageMessage(
      "--fs=posix|uringfs://... --dir=DIR [--count=N] [--wal_sync] [--keep]");
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  return Run();
}
