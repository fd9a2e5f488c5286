// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What db_bench cannot express: puts of which only some are synced, and the
// latency of single puts while another program uses the disk.
//
//   sync_puts --fs=posix|uringfs://... --dir=DIR [--count=N] [--threads=N]
//             [--value_bytes=100] [--sync_every=1] [--load_dir=DIR]
//
// With --load_dir a second process fills and compacts a database on posix there
// all the while. The last line of the output is
// `puts=N seconds=S puts_per_second=P p50=.. p99=.. p999=..` (microseconds; of
// synced puts only).

#include <gflags/gflags.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "db_bench_ext/make_file_system.h"

DEFINE_string(fs, "posix", "posix, or a URI such as uringfs://?wal_buffers=8");
DEFINE_string(dir, "", "an empty or new directory for the database");
DEFINE_string(load_dir, "", "another one, for the program beside it");
DEFINE_uint32(count, 10000, "puts of each thread");
DEFINE_uint32(threads, 1, "threads that put");
DEFINE_uint32(value_bytes, 100, "bytes of a value");
DEFINE_uint32(sync_every, 1, "so many puts end with a synced one");
DEFINE_uint32(load_seconds, 3, "how long the other program runs alone first");

namespace {

using uringfs::bench::MakeFileSystem;

using Clock = std::chrono::steady_clock;

int Fail(const std::string& message) {
  std::fprintf(stderr, "sync_puts: %s\n", message.c_str());
  return 1;
}

std::string KeyOf(std::mt19937_64* random) {
  char text[24];
  std::snprintf(text, sizeof(text), "%016llu",
                static_cast<unsigned long long>((*random)() % 100000000));
  return text;
}

// Random enough not to be compressed away.
std::string ValueOf(std::mt19937_64* random, size_t bytes) {
  std::string value(bytes, '\0');
  for (char& c : value) {
    c = static_cast<char>((*random)());
  }
  return value;
}

rocksdb::Status OpenDb(rocksdb::Options options, const std::string& path,
                       std::unique_ptr<rocksdb::DB>* db) {
  options.create_if_missing = true;
  options.error_if_exists = true;
  options.compression = rocksdb::kNoCompression;
  rocksdb::DB* made = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, path, &made);
  db->reset(made);
  return status;
}

// The other program: never returns.
[[noreturn]] void Load() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  rocksdb::Options options;
  options.write_buffer_size = 16 << 20;
  options.target_file_size_base = 16 << 20;
  options.max_bytes_for_level_base = 64 << 20;
  options.max_background_jobs = 2;
  rocksdb::WriteOptions write;
  write.disableWAL = true;
  std::mt19937_64 random(7);
  const std::string value = ValueOf(&random, 1000);
  for (uint64_t round = 0;; ++round) {
    const std::string path = FLAGS_load_dir + "/" + std::to_string(round % 2);
    (void)rocksdb::DestroyDB(path, options);
    std::unique_ptr<rocksdb::DB> db;
    if (!OpenDb(options, path, &db).ok()) {
      ::_exit(1);
    }
    for (int i = 0; i < 500000; ++i) {
      if (!db->Put(write, KeyOf(&random), value).ok()) {
        ::_exit(1);
      }
    }
    (void)db->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr);
  }
}

struct Outcome {
  rocksdb::Status status;
  std::vector<double> micros;  // of synced puts
};

void PutAll(rocksdb::DB* db, uint32_t thread, Outcome* outcome) {
  std::mt19937_64 random(thread + 1);
  const std::string value = ValueOf(&random, FLAGS_value_bytes);
  rocksdb::WriteOptions write;
  outcome->micros.reserve(FLAGS_count / FLAGS_sync_every + 1);
  for (uint32_t i = 1; i <= FLAGS_count && outcome->status.ok(); ++i) {
    write.sync = i % FLAGS_sync_every == 0;
    const std::string key = KeyOf(&random);
    const auto begin = Clock::now();
    outcome->status = db->Put(write, key, value);
    if (write.sync) {
      outcome->micros.push_back(
          std::chrono::duration<double, std::micro>(Clock::now() - begin)
              .count());
    }
  }
}

rocksdb::Status Measure(rocksdb::DB* db) {
  std::vector<Outcome> outcomes(FLAGS_threads);
  std::vector<std::thread> threads;
  const auto begin = Clock::now();
  for (uint32_t i = 0; i < FLAGS_threads; ++i) {
    threads.emplace_back(PutAll, db, i, &outcomes[i]);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::chrono::duration<double> took = Clock::now() - begin;
  std::vector<double> micros;
  for (const Outcome& outcome : outcomes) {
    if (!outcome.status.ok()) {
      return outcome.status;
    }
    micros.insert(micros.end(), outcome.micros.begin(), outcome.micros.end());
  }
  std::sort(micros.begin(), micros.end());
  const auto at = [&](size_t per_mille) {
    return micros.empty() ? 0.0
                          : micros[std::min(micros.size() - 1,
                                            micros.size() * per_mille / 1000)];
  };
  const double puts = double{1} * FLAGS_count * FLAGS_threads;
  std::printf(
      "puts=%.0f seconds=%.3f puts_per_second=%.0f p50=%.1f p99=%.1f "
      "p999=%.1f\n",
      puts, took.count(), puts / took.count(), at(500), at(990), at(999));
  return rocksdb::Status::OK();
}

int Run() {
  if (FLAGS_dir.empty() || FLAGS_count < 1 || FLAGS_threads < 1 ||
      FLAGS_threads > 1024 || FLAGS_sync_every < 1) {
    return Fail("--dir=DIR is needed, and numbers of 1 or more (--help)");
  }
  pid_t load = 0;
  if (!FLAGS_load_dir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(FLAGS_load_dir, error);
    // Before RocksDB has any thread here.
    load = ::fork();
    if (load == 0) {
      Load();
    }
    std::this_thread::sleep_for(std::chrono::seconds(FLAGS_load_seconds));
  }
  std::shared_ptr<rocksdb::FileSystem> fs;
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::Status status = MakeFileSystem(FLAGS_fs, &fs);
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(
      status.ok() ? fs : rocksdb::FileSystem::Default());
  if (status.ok()) {
    rocksdb::Options options;
    options.env = env.get();
    status = OpenDb(options, FLAGS_dir, &db);
  }
  if (status.ok()) {
    status = Measure(db.get());
  }
  db.reset();
  if (load > 0) {
    const bool lived = ::waitpid(load, nullptr, WNOHANG) == 0;
    ::kill(load, SIGKILL);
    ::waitpid(load, nullptr, 0);
    std::error_code ignored;
    std::filesystem::remove_all(FLAGS_load_dir, ignored);
    if (!lived) {
      return Fail("the program beside it failed; is there enough space?");
    }
  }
  return status.ok() ? 0 : Fail(status.ToString());
}

}  // namespace

int main(int argc, char** argv) {
  gflags::SetUsageMessage("puts, synced now and then; see sync_puts.cc");
  gflags::ParseCommandLineFlags(&argc, &argv, /*remove_flags=*/true);
  return Run();
}
