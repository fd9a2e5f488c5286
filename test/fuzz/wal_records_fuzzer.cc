// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Input bytes become a log; every second one gets the checksums that its
// headers want. Wherever its records are said to end, that must be within it,
// and what is in front must be whole records and nothing else.
//
//   wal_records_fuzzer -max_total_time=60 [corpus]

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "src/base/posix_file.h"
#include "src/rocksdb_wal/wal_records.h"

#include "uringfs/internal/crc32c.h"

namespace uringfs::test {
namespace {

constexpr size_t kBlock = 32768;
constexpr size_t kHeader = 7;

void Require(bool condition, const char* what) {
  if (!condition) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }
}

// Signs fragments from the begin on, as long as they look like some.
void Sign(std::string* log) {
  size_t at = 0;
  while (at + kHeader <= log->size()) {
    const size_t left = kBlock - at % kBlock;
    if (left < kHeader) {
      at += left;
      continue;
    }
    char* const header = &(*log)[at];
    const auto type = static_cast<uint8_t>(header[6]);
    const bool is_recyclable =
        (type >= 5 && type <= 8) || type == 11 || type == 131;
    uint16_t length = 0;
    std::memcpy(&length, header + 4, sizeof(length));
    const size_t total = (is_recyclable ? 11 : kHeader) + length;
    if (type == 0 || total > left || at + total > log->size()) {
      return;
    }
    const uint32_t crc = Crc32c(header + 6, total - 6);
    const uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
    std::memcpy(header, &masked, sizeof(masked));
    at += total;
  }
}

RecordsEnd EndOf(const std::string& path, const std::string& bytes) {
  PosixFile file;
  Require(file.Open(path, O_RDWR | O_CREAT | O_TRUNC) == 0, "open");
  Require(file.WriteAt(0, bytes.data(), bytes.size()) == 0, "write");
  RecordsEnd end;
  Require(FindWalEnd(file, path, UINT64_MAX, &end).ok(), "FindWalEnd");
  return end;
}

void Run(const uint8_t* data, size_t bytes) {
  static const std::string* const path = new std::string(
      std::string(::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : ".") +
      "/uringfs_wal_fuzz." + std::to_string(::getpid()));
  std::string log;
  // A few inputs are long enough to cross blocks only this way.
  const size_t shift = bytes > 0 ? data[0] % 4 * 8190 : 0;
  if (shift > 0) {
    log = std::string("\0\0\0\0\0\0\1", kHeader);
    const auto length = static_cast<uint16_t>(shift - kHeader);
    std::memcpy(&log[4], &length, sizeof(length));
    log.resize(shift, 'x');
  }
  log.append(reinterpret_cast<const char*>(data), bytes);
  if (bytes % 2 == 0) {
    Sign(&log);
  }
  const RecordsEnd end = EndOf(*path, log);
  Require(end.offset <= log.size() && end.data_end <= log.size(),
          "it ends behind its end");
  Require(end.data_end == log.find_last_not_of('\0') + 1, "data_end");
  Require(end.reason.empty() == (end.kind == EndKind::kClean), "reason");
  const RecordsEnd again = EndOf(*path, log.substr(0, end.offset));
  Require(again.kind == EndKind::kClean && again.offset == end.offset,
          "cut there it is not clean");
  ::unlink(path->c_str());
}

}  // namespace
}  // namespace uringfs::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  uringfs::test::Run(data, bytes);
  return 0;
}
