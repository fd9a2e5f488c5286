// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/recovery/write_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "src/side/joined_log.h"

namespace uringfs {
namespace {

constexpr size_t kCopyBytes = size_t{256} * 1024;

// Writes file[from, to) anew as `source` has it.
Status WriteAnew(const std::string& log_path, const ByteSource& source,
                 const PosixFile& log, uint64_t from, uint64_t to) {
  std::vector<char> piece(kCopyBytes);
  for (uint64_t at = from; at < to; at += kCopyBytes) {
    const auto bytes =
        static_cast<size_t>(std::min<uint64_t>(kCopyBytes, to - at));
    size_t got = 0;
    int error = source.ReadAt(at, bytes, piece.data(), &got);
    error = error == 0 && got != bytes ? EIO : error;
    if (error != 0) {
      return Status::FromErrno(error, "recover: read", log_path);
    }
    error = log.WriteAt(at, piece.data(), bytes);
    if (error != 0) {
      return Status::FromErrno(error, "recover: write", log_path);
    }
  }
  return Status::Ok();
}

}  // namespace

Status OpenToWrite(const std::string& log_path, PosixFile* log) {
  const int error = log->Open(log_path, O_RDWR | O_NOFOLLOW);
  return error == 0 ? Status::Ok()
                    : Status::FromErrno(error, "recover: open", log_path);
}

Status WriteFrom(const std::string& log_path, const SideLook& look,
                 bool from_ring, uint64_t to, const PosixFile& log) {
  const SideWords& words = look.side.words;
  const JoinedLog joined(look.log, look.side);
  const ByteSource& source =
      from_ring ? static_cast<const ByteSource&>(joined) : look.log;
  return WriteAnew(log_path, source, log,
                   std::min({words.written, words.filled, to}), to);
}

Status CutDurably(const std::string& log_path, const PosixFile& log,
                  uint64_t end) {
  int error = log.Truncate(end);
  if (error == 0) {
    error = log.Sync();
  }
  return error == 0
             ? Status::Ok()
             : Status::FromErrno(error, "recover: cut and fsync", log_path);
}

Status KeepLog(const std::string& log_path, const SideLook& look,
               std::string* kept) {
  PosixFile copy;
  std::string name;
  int error = TakeKeptName(
      log_path,
      [&](const std::string& free_name) {
        return copy.Open(free_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
                         look.side.log.st_mode & 0777);
      },
      &name);
  if (error != 0) {
    return Status::FromErrno(error, "recover: make a copy of the log", name);
  }
  Status status = WriteAnew(name, look.log, copy, 0,
                            static_cast<uint64_t>(look.side.log.st_size));
  error = status.ok() ? copy.Sync() : 0;
  if (error != 0) {
    status = Status::FromErrno(error, "recover: fsync", name);
  }
  if (status.ok()) {
    *kept = name;
  } else {
    (void)::unlink(name.c_str());
  }
  return status;
}

}  // namespace uringfs
