// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Appends three records, makes them durable, closes, and compares the bytes.

#include <uringfs/log_store.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace {

bool Check(const uringfs::Status& status, const char* what) {
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n", what, status.ToString().c_str());
  }
  return status.ok();
}

bool AppendAndSync(uringfs::LogStore* log, std::string* expected) {
  for (const std::string record : {"one", "two", "three"}) {
    uint64_t offset = 0;
    if (!Check(log->Append(record, &offset), "append")) {
      return false;
    }
    if (offset != expected->size()) {
      std::fprintf(stderr, "append went to a wrong offset\n");
      return false;
    }
    *expected += record;
  }
  if (!Check(log->Sync(), "sync")) {
    return false;
  }
  if (log->hi_stable() != expected->size()) {
    std::fprintf(stderr, "hi_stable does not cover the synced bytes\n");
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FILE\n", argv[0]);
    return 2;
  }
  uringfs::LogOptions options;
  std::unique_ptr<uringfs::LogStore> log;
  std::string expected;
  if (!Check(uringfs::LogStore::Open(argv[1], options, &log), "open") ||
      !AppendAndSync(log.get(), &expected) || !Check(log->Close(), "close")) {
    return 1;
  }
  std::ifstream file(argv[1], std::ios::binary);
  const std::string found{std::istreambuf_iterator<char>(file), {}};
  if (found != expected) {
    std::fprintf(stderr, "the file does not hold what was appended\n");
    return 1;
  }
  std::printf("%zu bytes by %s\n", found.size(),
              log->io_choice().ToString().c_str());
  return 0;
}
