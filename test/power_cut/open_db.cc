// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Opens a database after a power cut, looks at its puts, goes on with one
// synced put and opens it once more. Prints one line of JSON and exits 0,
// whatever it has found.

#include <cstdio>
#include <memory>
#include <string>

#include "test/power_cut/puts.h"

#include "gflags/gflags.h"
#include "rocksdb/db.h"

DEFINE_string(db, "", "directory of the database");
DEFINE_string(mode, "point", "recovery mode to open with");
DEFINE_uint64(seed, 1, "what the values follow from");
DEFINE_uint64(threads, 1, "how many threads put");
DEFINE_uint64(write_buffer_bytes, 4 << 20, "of RocksDB");

namespace uringfs::power_cut {
namespace {

// Without what JSON would have to escape.
std::string Plain(const std::string& text) {
  std::string plain;
  for (const char c : text) {
    plain += c < ' ' || c > '~' || c == '"' || c == '\\' ? '?' : c;
  }
  return plain;
}

struct Look {
  std::string open;
  Scan scan{Counts(FLAGS_threads), ""};
};

Look OpenAndLook(bool go_on) {
  Look look;
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(
      MakeOptions(FLAGS_write_buffer_bytes, FLAGS_mode), FLAGS_db, &opened);
  look.open = status.ToString();
  if (!status.ok()) {
    return look;
  }
  const std::unique_ptr<rocksdb::DB> db(opened);
  look.scan = ScanPuts(db.get(), FLAGS_seed, FLAGS_threads);
  if (go_on) {
    rocksdb::WriteOptions options;
    options.sync = true;
    const rocksdb::Status put = db->Put(options, "gone on", "yes");
    const rocksdb::Status close = db->Close();
    if (!put.ok() || !close.ok()) {
      look.scan.problem +=
          "; it does not go on: " + put.ToString() + ", " + close.ToString();
    }
  } else {
    std::string value;
    if (!db->Get(rocksdb::ReadOptions(), "gone on", &value).ok()) {
      look.scan.problem += "; what was put last is not there";
    }
  }
  return look;
}

void Run() {
  Look first = OpenAndLook(true);
  if (first.open == "OK" && first.scan.problem.empty()) {
    const Look second = OpenAndLook(false);
    if (second.open != "OK" || !second.scan.problem.empty() ||
        second.scan.counts != first.scan.counts) {
      first.scan.problem = "again: opened once more " + second.open + ", " +
                           CountsText(second.scan.counts) + second.scan.problem;
    }
  }
  std::string counts = CountsText(first.scan.counts);
  counts.pop_back();
  std::printf("{\"open\": \"%s\", \"counts\": [%s], \"problem\": \"%s\"}\n",
              Plain(first.open).c_str(), counts.c_str(),
              Plain(first.scan.problem).c_str());
}

}  // namespace
}  // namespace uringfs::power_cut

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  uringfs::power_cut::Run();
  return 0;
}
