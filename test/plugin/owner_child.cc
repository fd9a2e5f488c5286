// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "test/plugin/owner_child.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <thread>

#include "test/plugin/db_fixture.h"
#include "test/plugin/fs_fixture.h"

namespace uringfs::test {
namespace {

using Handler = std::function<rocksdb::Status(const std::string&, uint64_t)>;

// Answers each command with one byte, until there are no more.
int Serve(const std::string& fifo, const Handler& handler) {
  std::ifstream commands(fifo);
  std::string verb;
  uint64_t number = 0;
  while (commands >> verb >> number) {
    const rocksdb::Status status = handler(verb, number);
    if (!status.ok()) {
      std::cerr << verb << ": " << status.ToString() << std::endl;
    }
    const char answer = status.ok() ? '.' : '!';
    if (::write(STDOUT_FILENO, &answer, 1) != 1) {
      return 2;
    }
  }
  return 0;
}

int OwnWal(const std::vector<std::string>& args) {
  const auto fs = MakeFs(args[3]);
  const rocksdb::IOOptions io;
  std::unique_ptr<rocksdb::FSWritableFile> file;
  if (!fs->NewWritableFile(args[1], rocksdb::FileOptions(), &file, nullptr)
           .ok()) {
    return 1;
  }
  const std::string bytes = Pattern(kOwnerBytes);
  size_t at = 0;
  return Serve(args[0], [&](const std::string& verb, uint64_t n) {
    if (verb == "close") {
      return rocksdb::Status(file->Close(io, nullptr));
    }
    rocksdb::IOStatus status =
        file->Append(rocksdb::Slice(bytes.data() + at, n), io, nullptr);
    at += n;
    if (status.ok() && verb == "append") {
      status = file->Flush(io, nullptr);
    }
    return rocksdb::Status(status);
  });
}
const RegisterChild kOwnWal("wal", &OwnWal);

rocksdb::Status Settle(rocksdb::DB* db) {
  const char* const counts[] = {
      "rocksdb.num-immutable-mem-table", "rocksdb.mem-table-flush-pending",
      "rocksdb.num-running-flushes", "rocksdb.compaction-pending",
      "rocksdb.num-running-compactions"};
  for (const char* count : counts) {
    uint64_t value = 1;
    while (value > 0) {
      if (!db->GetIntProperty(count, &value)) {
        return rocksdb::Status::NotSupported(count);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(value > 0 ? 1 : 0));
    }
  }
  // What is obsolete now is deleted now, by this thread.
  const rocksdb::Status status = db->DisableFileDeletions();
  return status.ok() ? db->EnableFileDeletions() : status;
}

int OwnDb(const std::vector<std::string>& args) {
  const EnvByName env(args[3]);
  rocksdb::Options options = SmallDbOptions(env.get());
  options.wal_dir = args[2];
  std::unique_ptr<rocksdb::DB> db = OpenDb(options, args[1]);
  if (db == nullptr) {
    return 1;
  }
  uint64_t next = 0;
  return Serve(args[0], [&](const std::string& verb, uint64_t n) {
    rocksdb::Status status;
    if (verb == "flush") {
      status = db->Flush(rocksdb::FlushOptions());
    } else if (verb == "settle") {
      status = Settle(db.get());
    } else if (verb == "close") {
      status = db->Close();
    }
    for (; verb == "put" && status.ok() && next < n; ++next) {
      status = db->Put(rocksdb::WriteOptions(), Key(next), Value(next));
    }
    return status;
  });
}
const RegisterChild kOwnDb("db", &OwnDb);

}  // namespace

OwnerChild::OwnerChild(const std::string& kind, const std::string& path,
                       const std::string& wal_dir, const std::string& fs)
    : fifo_(path + ".fifo") {
  EXPECT_EQ(::mkfifo(fifo_.c_str(), 0600), 0);
  child_ = std::make_unique<ChildProcess>(
      kind, std::vector<std::string>{fifo_, path, wal_dir, fs});
  // Both ends, so that a child which dies early blocks nobody.
  commands_ = ::open(fifo_.c_str(), O_RDWR | O_CLOEXEC);
  EXPECT_GE(commands_, 0);
}

OwnerChild::~OwnerChild() {
  child_->Kill();
  ::close(commands_);
  ::unlink(fifo_.c_str());
}

bool OwnerChild::Begin(const std::string& command) {
  std::string line = command;
  line += command.find(' ') == std::string::npos ? " 0\n" : "\n";
  return ::write(commands_, line.data(), line.size()) ==
         static_cast<ssize_t>(line.size());
}

bool OwnerChild::End() {
  char answer = '!';
  return ::read(child_->output(), &answer, 1) == 1 && answer == '.';
}

}  // namespace uringfs::test
