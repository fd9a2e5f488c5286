// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Puts into a database, and tells the recorder what was acknowledged:
//
//   put THREAD COUNT SYNCED SEEN   put number COUNT-1 has returned; of each
//                                  thread, SEEN puts had returned before
//   open COUNTS                    so many puts were found
//   closed                         the database is closed
//
// A life that follows another goes on behind the puts it finds.

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "test/power_cut/puts.h"

#include "gflags/gflags.h"
#include "rocksdb/db.h"

DEFINE_string(db, "", "directory of the database");
DEFINE_string(ack, "", "file that takes the acknowledgements");
DEFINE_string(mode, "point", "recovery mode to open with");
DEFINE_uint64(seed, 1, "what the values follow from");
DEFINE_uint64(threads, 1, "how many threads put");
DEFINE_uint64(puts, 300, "how many puts each thread does");
DEFINE_uint64(sync_every, 1, "each so manieth put is synced; 0: none");
DEFINE_uint64(write_buffer_bytes, 4 << 20, "of RocksDB");
DEFINE_uint64(pause_us, 0, "pause after each put");
DEFINE_uint64(sync_wal_ms, 0, "so often a thread calls SyncWAL; 0: never");
DEFINE_uint64(kill_after, 0, "the first thread ends the process so");
DEFINE_bool(lie, false, "call the puts synced that were not");

namespace uringfs::power_cut {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "workload: %s\n", what.c_str());
  std::exit(1);
}

class Workload {
 public:
  Workload() : ack_(::open(FLAGS_ack.c_str(), O_WRONLY | O_CLOEXEC)) {
    if (ack_ < 0) {
      Die("cannot open " + FLAGS_ack);
    }
    rocksdb::Options options =
        MakeOptions(FLAGS_write_buffer_bytes, FLAGS_mode);
    options.create_if_missing = true;
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, FLAGS_db, &db);
    if (!status.ok()) {
      Die("open: " + status.ToString());
    }
    db_.reset(db);
    const Scan scan = ScanPuts(db, FLAGS_seed, FLAGS_threads);
    if (!scan.problem.empty()) {
      Die("what another life left: " + scan.problem);
    }
    returned_ = std::vector<std::atomic<uint64_t>>(FLAGS_threads);
    for (size_t i = 0; i < FLAGS_threads; ++i) {
      returned_[i] = scan.counts[i];
    }
    Acknowledge("open " + CountsText(scan.counts));
  }

  void Run() {
    std::atomic<bool> is_over{false};
    std::thread syncs([&] {
      while (FLAGS_sync_wal_ms != 0 && !is_over) {
        const rocksdb::Status status = db_->SyncWAL();
        if (!status.ok()) {
          Die("sync the WAL: " + status.ToString());
        }
        std::this_thread::sleep_for(
            std::chrono::milliseconds(FLAGS_sync_wal_ms));
      }
    });
    std::vector<std::thread> threads;
    for (size_t i = 0; i < FLAGS_threads; ++i) {
      threads.emplace_back([this, i] { PutAll(i); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    is_over = true;
    syncs.join();
    const rocksdb::Status status = db_->Close();
    if (!status.ok()) {
      Die("close: " + status.ToString());
    }
    Acknowledge("closed");
  }

 private:
  void Acknowledge(const std::string& text) {
    const std::string line = text + "\n";
    if (::write(ack_, line.data(), line.size()) !=
        static_cast<ssize_t>(line.size())) {
      Die("cannot acknowledge");
    }
  }

  Counts Seen() const {
    Counts seen;
    for (const std::atomic<uint64_t>& count : returned_) {
      seen.push_back(count.load());
    }
    return seen;
  }

  void PutAll(size_t thread) {
    for (uint64_t done = 1; done <= FLAGS_puts; ++done) {
      const Counts seen = Seen();
      const uint64_t index = seen[thread];
      const Put put = MakePut(FLAGS_seed, thread, index, seen);
      const bool synced =
          FLAGS_sync_every != 0 && (index + 1) % FLAGS_sync_every == 0;
      rocksdb::WriteOptions options;
      options.sync = synced && !FLAGS_lie;
      const rocksdb::Status status = db_->Put(options, put.key, put.value);
      if (!status.ok()) {
        Die("put: " + status.ToString());
      }
      returned_[thread].store(index + 1);
      Acknowledge("put " + std::to_string(thread) + " " +
                  std::to_string(index + 1) + (synced ? " 1 " : " 0 ") +
                  CountsText(seen));
      if (thread == 0 && done == FLAGS_kill_after) {
        ::kill(::getpid(), SIGKILL);
      }
      if (FLAGS_pause_us != 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(FLAGS_pause_us));
      }
    }
  }

  const int ack_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<std::atomic<uint64_t>> returned_;
};

}  // namespace
}  // namespace uringfs::power_cut

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  uringfs::power_cut::Workload workload;
  workload.Run();
  return 0;
}
