// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Input bytes become the side file of a small log. Whatever they are, looking
// and recovering must not crash, and the log must be either untouched or
// exactly what the format says. The first bytes choose what is put right
// before, so that inputs get past the checks they could never guess.
//
//   side_file_fuzzer -max_total_time=60 [corpus]

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "src/side/side_format.h"
#include "test/side/side_builder.h"

#include "uringfs/recovery.h"
#include "uringfs/rocksdb_wal.h"

namespace uringfs::test {
namespace {

constexpr uint64_t kLogBytes = 20000;
constexpr uint64_t kMaxRingBytes = uint64_t{1} << 20;

enum Mend : uint8_t {
  kMendIdentity = 1,  // boot, device and inode
  kMendChecksum = 2,
  kMendState = 4,
  kMendWords = 8,      // sealed, not far from the log's size, with their sum
  kMendGeometry = 16,  // small and allowed
  kMendMagic = 32,
  kMendSize = 64,
  kMendTail = 128,  // the ring has the log's last bytes
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

void Require(bool condition, const std::string& what) {
  if (!condition) {
    Fail(what);
  }
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// A directory in memory if there is one.
class Place {
 public:
  Place() {
    const char* root = std::getenv("TMPDIR");
    std::string name = ::access("/dev/shm", W_OK) == 0
                           ? "/dev/shm"
                           : (root != nullptr ? root : ".");
    name += "/uringfs_fuzz.XXXXXX";
    Require(::mkdtemp(&name[0]) != nullptr, "mkdtemp " + name);
    path_ = name;
  }
  ~Place() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string log() const { return path_ + "/log"; }

 private:
  std::string path_;
};

class Input {
 public:
  Input(const uint8_t* data, size_t bytes) : data_(data), bytes_(bytes) {}

  // Zeros behind the end.
  template <typename T>
  T Take() {
    T value = {};
    const size_t taken = std::min(bytes_, sizeof(T));
    if (taken > 0) {
      std::memcpy(&value, data_, taken);
    }
    data_ += taken;
    bytes_ -= taken;
    return value;
  }
  std::string Rest() const {
    return std::string(reinterpret_cast<const char*>(data_), bytes_);
  }

 private:
  const uint8_t* data_;
  size_t bytes_;
};

// What recovery has to make of it. REQUIRES: it is in order.
std::string Model(const SideBuilder& side, const std::string& log) {
  uint64_t written = 0;
  uint64_t filled = 0;
  Require(UnsealWord(side.written_word, &written) &&
              UnsealWord(side.filled_word, &filled),
          "recovered with words that are not sealed");
  Require(side.header.checksum == SideChecksum(side.header),
          "recovered with a wrong checksum");
  Require(side.ring.size() == SideRingBytes(side.header),
          "recovered with a wrong size");
  Require(std::min(written, filled) <= log.size(),
          "recovered a log that is too short");
  std::string model = log.substr(0, std::min(written, filled));
  for (uint64_t at = written; at < filled; ++at) {
    const uint64_t in_ring = (at - side.origin) % side.ring.size();
    model.push_back(side.ring[in_ring]);
  }
  return model;
}

// A sum of what the words say, if they make sense.
void MendSum(const std::string& log, SideBuilder* side) {
  uint64_t written = 0;
  uint64_t filled = 0;
  const bool has_words = UnsealWord(side->written_word, &written) &&
                         UnsealWord(side->filled_word, &filled);
  if (has_words && side->ring.size() == SideRingBytes(side->header) &&
      !side->ring.empty() &&
      side->header.checksum == SideChecksum(side->header) &&
      std::min(written, filled) <= log.size() && written >= side->origin) {
    side->sum = side->SumOf(Model(*side, log));
  }
}

// The side file that an input stands for.
SideBuilder Make(const std::string& log_path, const std::string& log,
                 Input input) {
  SideBuilder side(log_path);
  const auto mend = input.Take<uint8_t>();
  const auto first = input.Take<uint64_t>();
  const auto second = input.Take<uint64_t>();
  const auto state = input.Take<uint64_t>();
  auto header = input.Take<SideHeader>();
  const std::string rest = input.Rest();
  side.written = kLogBytes;
  side.filled = kLogBytes;
  side.PrepareSide();
  if ((mend & kMendIdentity) != 0) {
    std::memcpy(header.boot_id, side.header.boot_id, sizeof(header.boot_id));
    header.log_device = side.header.log_device;
    header.log_inode = side.header.log_inode;
    header.log_birth = side.header.log_birth;
    header.log_name = side.header.log_name;
    header.mount_epoch = side.header.mount_epoch;
  }
  if ((mend & kMendGeometry) != 0) {
    header.buffer_bytes = 4096u << (header.buffer_bytes % 3);
    header.buffers_count = 2 + header.buffers_count % 4;
    header.origin = 4096 * (header.origin % 6);
    header.sum_begin = header.origin + header.sum_begin % 3 * 4096;
  }
  if ((mend & kMendMagic) != 0) {
    std::memcpy(header.magic, kSideMagic, sizeof(header.magic));
    header.version = kSideVersion;
  }
  side.header = header;
  side.buffer_bytes = header.buffer_bytes;
  side.buffers_count = header.buffers_count;
  side.origin = header.origin;
  if ((mend & kMendChecksum) != 0) {
    side.Sign();
  }
  side.state = (mend & kMendState) != 0 ? kSideLive : state;
  const bool is_sealed = (mend & kMendWords) != 0;
  side.written_word = is_sealed ? SealWord(first % (2 * kLogBytes)) : first;
  side.filled_word = is_sealed ? SealWord(second % (4 * kLogBytes)) : second;
  side.ring = rest;
  if ((mend & kMendSize) != 0 && SideRingBytes(header) <= kMaxRingBytes) {
    side.ring.resize(SideRingBytes(header), '\x5a');
  }
  uint64_t written = 0;
  const bool has_words = UnsealWord(side.written_word, &written);
  if ((mend & kMendTail) != 0 && has_words && header.buffer_bytes > 0 &&
      header.buffers_count > 0 && written >= side.origin) {
    const uint64_t begin = side.BeginOf(side.SeqOf(written));
    const uint64_t at =
        side.SeqOf(written) % side.buffers_count * side.buffer_bytes;
    if (written - begin <= kMaxRingBytes &&
        at + (written - begin) <= side.ring.size()) {
      side.ring.replace(at, written - begin, Stream(begin, written));
    }
  }
  side.sum = SideSum{};
  if (is_sealed) {
    MendSum(log, &side);
  }
  return side;
}

// False: the log is not to be read without its side file.
bool ViewWhole(const std::string& log_path, uint64_t step,
               const LogFormat* format, std::string* whole) {
  std::unique_ptr<LogView> view;
  const Status status = LogView::Open(log_path, format, &view);
  if (!status.ok()) {
    Require(status.code() == Status::Code::kCorruption, status.ToString());
    return false;
  }
  uint64_t size = 0;
  Require(view->Size(&size).ok(), "LogView::Size");
  std::vector<char> piece(4096 + step % 5000);
  size_t got = 1;
  while (got > 0) {
    Require(view->Read(whole->size(), piece.size(), piece.data(), &got).ok(),
            "LogView::Read");
    whole->append(piece.data(), got);
  }
  Require(whole->size() == size, "LogView: size and bytes disagree");
  return true;
}

void Run(const uint8_t* data, size_t bytes) {
  // Of this input alone: the fuzzer ends without destroying statics.
  const Place place;
  static const std::string* const log = new std::string(Stream(0, kLogBytes));
  const std::string path = place.log();
  WriteWholeFile(path, *log, 0644);
  const SideBuilder side = Make(path, *log, Input(data, bytes));
  const std::string image = side.side_bytes();
  // The first page may be cut as well.
  const bool is_cut = bytes > 0 && bytes < 16 && data[0] == 0;
  WriteWholeFile(side.side_path(),
                 is_cut ? image.substr(0, bytes * 300) : image);

  const LogFormat* const format = bytes % 2 == 0 ? nullptr : &RocksDbWal();
  SideFileInfo info;
  Require(InspectLog(path, format, &info).ok(), "InspectLog");
  std::string viewed;
  const bool is_seen = ViewWhole(path, bytes, format, &viewed);
  RecoveryOptions options;
  options.wait_ms = 0;
  options.format = format;
  RecoveryReport report;
  const Status status = RecoverLog(path, options, &report);
  Require(status.ok(), "RecoverLog: " + status.ToString());
  const std::string after = ReadFile(path);
  const bool is_recovered = report.outcome == RecoveryOutcome::kRecovered;
  if (is_recovered) {
    const std::string model = Model(side, *log);
    // A log that goes on otherwise than the ring is not cut.
    Require(after == model ||
                (after == *log && log->compare(0, model.size(), model) == 0),
            report.message);
  } else {
    Require(after == *log, report.message);
  }
  // One judge: all of them come to the same.
  Require(is_recovered == (info.state == SideState::kWhole),
          "InspectLog and RecoverLog disagree: " + report.message);
  const bool is_unusable = report.outcome == RecoveryOutcome::kUnusable;
  Require(is_unusable == (info.state == SideState::kUnusable) &&
              is_unusable == !is_seen,
          "one of them goes on without an unusable file: " + report.message);
  Require(!is_recovered || viewed == after, "LogView and RecoverLog disagree");
  Require(std::filesystem::exists(side.side_path()) == is_unusable,
          "the side file is where it should not be: " + report.message);
}

}  // namespace
}  // namespace uringfs::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  uringfs::test::Run(data, bytes);
  return 0;
}
