// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/rocksdb_wal/wal_format.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "src/base/posix_file.h"
#include "src/rocksdb_wal/manifest.h"
#include "src/rocksdb_wal/wal_names.h"
#include "src/rocksdb_wal/wal_records.h"

namespace uringfs {
namespace {

// Enough for the begin of a log's first record, whatever is in front of it.
constexpr uint64_t kHeadBytes = uint64_t{64} * 1024;

// The begin of a file.
class Head final : public ByteSource {
 public:
  explicit Head(const PosixFile& file) : file_(file) {}
  int ReadAt(uint64_t offset, size_t bytes, char* out,
             size_t* got) const override {
    const uint64_t left = offset < kHeadBytes ? kHeadBytes - offset : 0;
    return file_.ReadAt(
        offset, static_cast<size_t>(std::min<uint64_t>(bytes, left)), out, got);
  }

 private:
  const PosixFile& file_;
};

// What a later log begins with. One that is gone by now has nothing.
Status FindBegin(const std::string& path, RecordsEnd* begin) {
  *begin = RecordsEnd();
  PosixFile file;
  const int error = file.Open(path, O_RDONLY);
  if (error == ENOENT) {
    return Status::Ok();
  }
  return error == 0 ? FindWalEnd(Head(file), path, UINT64_MAX, begin)
                    : Status::FromErrno(error, "open a later log", path);
}

bool HasRecords(const RecordsEnd& begin) {
  return begin.has_numbers || begin.has_records ||
         begin.kind == EndKind::kAlien;
}

}  // namespace

bool WalFormat::Knows(const std::string& log_path) const {
  return WalNumberOf(log_path) > 0;
}

Status WalFormat::FindEnd(const ByteSource& stream, const std::string& path,
                          uint64_t joint, RecordsEnd* end) const {
  return FindWalEnd(stream, path, joint, end);
}

bool WalFormat::IsTear(const std::string& log_path, const RecordsEnd& end,
                       std::string* why) const {
  if (end.data_end <= end.offset) {
    return true;  // nothing but zeros is behind the last whole record
  }
  if (end.data_end > end.stopped_at &&
      end.data_end - end.stopped_at > max_torn_bytes_) {
    *why = "more follows than can have been on its way";
    return false;
  }
  // A log is durable before the next one is made, so power loss never tears
  // one that has a successor with anything in it.
  std::vector<std::pair<uint64_t, std::string>> later;
  const Status listed = FindLaterWals(log_path, &later);
  if (!listed.ok()) {
    *why = listed.ToString();
    return false;
  }
  for (const auto& [number, path] : later) {
    RecordsEnd begin;
    if (!FindBegin(path, &begin).ok() || HasRecords(begin)) {
      *why = "the database has gone on in " + path;
      return false;
    }
  }
  return true;
}

bool WalFormat::FindWanted(const std::string& log_path,
                           WantedWals* wanted) const {
  if (!database_.empty()) {
    return FindWantedWals(database_, wanted);
  }
  const std::string directory = DirectoryPrefixOf(log_path);
  if (HasDatabase(directory)) {
    return FindWantedWals(directory, wanted);
  }
  const std::string above = directory + "..";
  return NamesAsWalDir(above, directory) && FindWantedWals(above, wanted);
}

bool WalFormat::IsWanted(const std::string& log_path) const {
  WantedWals wanted;
  return FindWanted(log_path, &wanted) && WalNumberOf(log_path) >= wanted.first;
}

Status WalFormat::WentOnWithout(const std::string& log_path,
                                const RecordsEnd& end, bool* answer) const {
  std::vector<std::pair<uint64_t, std::string>> later;
  Status listed = FindLaterWals(log_path, &later);
  if (!listed.ok()) {
    return listed;
  }
  WantedWals wanted;
  const uint64_t own = WalNumberOf(log_path);
  const bool is_passed_over =
      FindWanted(log_path, &wanted) && own < wanted.first_whole;
  // Whoever opens a database makes a log. Without one it was the owner who, as
  // he closed it, noted that some column families have nothing in this one.
  *answer = is_passed_over && (own < wanted.first || !later.empty());
  if (*answer) {
    return Status::Ok();
  }
  for (const auto& [number, path] : later) {
    RecordsEnd begin;
    Status status = FindBegin(path, &begin);
    if (!status.ok()) {
      return status;
    }
    if (HasRecords(begin)) {
      *answer = !begin.has_numbers || !end.has_numbers ||
                begin.first_number <= end.last_number;
      return status;
    }
  }
  return Status::Ok();
}

const LogFormat& RocksDbWal() {
  static const LogFormat* const format = new WalFormat(kUsualMaxTornBytes);
  return *format;
}

std::unique_ptr<const LogFormat> RocksDbWalOf(const std::string& database) {
  return std::make_unique<WalFormat>(kUsualMaxTornBytes, database);
}

}  // namespace uringfs
