// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Databases of a process with a file size limit (RLIMIT_FSIZE, ulimit -f): an
// error that names it, no acknowledged key lost, and never the signal, of which
// a process dies that did nothing about it. The children here do nothing.

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "test/plugin/db_fixture.h"
#include "test/support/child_process.h"

namespace uringfs::test {
namespace {

enum Outcome : int {
  kFailedByTheLimit = 0,
  kCannotOpen = 2,
  kOtherError = 3,
  kNoError = 4,
};

rocksdb::Options LimitedOptions(rocksdb::Env* env) {
  rocksdb::Options options = SmallDbOptions(env);
  options.write_buffer_size = 64 << 20;
  options.disable_auto_compactions = true;
  return options;
}

bool LimitFiles(const std::string& bytes) {
  const rlim_t limit = std::stoull(bytes);
  const rlimit both = {limit, limit};
  return ::signal(SIGXFSZ, SIG_DFL) != SIG_ERR &&
         ::setrlimit(RLIMIT_FSIZE, &both) == 0;
}

Outcome OutcomeOf(const rocksdb::Status& status) {
  if (status.ok()) {
    return kNoError;
  }
  const bool names_limit =
      status.ToString().find("RLIMIT_FSIZE") != std::string::npos;
  if (!status.IsIOError() || !names_limit) {
    std::cerr << status.ToString() << std::endl;
    return kOtherError;
  }
  return kFailedByTheLimit;
}

// Args: file system, database, limit, "sync" or "nosync". Puts until an error,
// and says after each key on its standard output that it was acknowledged.
int FillLimited(const std::vector<std::string>& args) {
  const EnvByName env(args[0]);
  rocksdb::DB* db = nullptr;
  if (!LimitFiles(args[2]) ||
      !rocksdb::DB::Open(LimitedOptions(env.get()), args[1], &db).ok()) {
    return kCannotOpen;
  }
  rocksdb::WriteOptions options;
  options.sync = args[3] == "sync";
  rocksdb::Status status;
  for (uint64_t i = 0; status.ok() && i < 20000; ++i) {
    status = db->Put(options, Key(i), Value(i));
    if (status.ok() && ::write(STDOUT_FILENO, &i, sizeof(i)) != sizeof(i)) {
      return kOtherError;
    }
  }
  delete db;
  return OutcomeOf(status);
}
const RegisterChild kFillLimited("fill_limited", &FillLimited);

TEST(DbFileLimitTest, TheWalHitsIt) {
  for (const char* fs : {"uringfs", "uringfs_ring", "uringfs_pwrite"}) {
    for (const char* limit : {"819200", "3145728", "1000003"}) {
      for (const char* sync : {"sync", "nosync"}) {
        SCOPED_TRACE(std::string(fs) + " " + limit + " " + sync);
        const TempDir dir;
        ChildProcess child("fill_limited", {fs, dir.File("db"), limit, sync});
        const uint64_t acknowledged = child.ReadAll().size() / sizeof(uint64_t);
        EXPECT_EQ(child.Wait(), kFailedByTheLimit);
        EXPECT_GT(acknowledged, 500u);
        // Without the limit all is there.
        const EnvByName env("uringfs");
        const auto db = OpenDb(LimitedOptions(env.get()), dir.File("db"));
        ASSERT_NE(db, nullptr);
        Check(db.get(), 0, acknowledged);
      }
    }
  }
}

// Args: file system, database, limit. A memtable that does not fit is flushed.
int FlushLimited(const std::vector<std::string>& args) {
  const EnvByName env(args[0]);
  rocksdb::DB* db = nullptr;
  if (!LimitFiles(args[2]) ||
      !rocksdb::DB::Open(LimitedOptions(env.get()), args[1], &db).ok()) {
    return kCannotOpen;
  }
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  rocksdb::Status status;
  // The values are repetitive: much of them makes little of a table.
  std::string value(100000, '\0');
  uint64_t state = 1;
  for (uint64_t i = 0; status.ok() && i < 60; ++i) {
    for (char& byte : value) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      byte = static_cast<char>(state >> 56);
    }
    status = db->Put(options, Key(i), value);
  }
  status = status.ok() ? db->Flush(rocksdb::FlushOptions()) : status;
  delete db;
  return OutcomeOf(status);
}
const RegisterChild kFlushLimited("flush_limited", &FlushLimited);

TEST(DbFileLimitTest, ATableHitsIt) {
  for (const char* fs : {"uringfs", "uringfs_ring", "uringfs_pwrite"}) {
    for (const char* limit : {"819200", "3145728", "1000003"}) {
      SCOPED_TRACE(std::string(fs) + " " + limit);
      const TempDir dir;
      ChildProcess child("flush_limited", {fs, dir.File("db"), limit});
      EXPECT_EQ(child.Wait(), kFailedByTheLimit);
    }
  }
}

// Every call that makes a file longer. (Space ahead may be had all the same:
// but for tmpfs the limit is for the length alone.)
bool AllCallsFail(rocksdb::FSWritableFile* file) {
  const rocksdb::IOOptions io;
  const rocksdb::DataVerificationInfo unverified;
  const std::string bytes(200, 'x');
  file->SetPreallocationBlockSize(1 << 20);
  file->PrepareWrite(0, 1000, io, nullptr);
  static_cast<void>(file->Allocate(0, 1000, io, nullptr));
  return file->Append(bytes, io, nullptr).IsIOError() &&
         file->Append(bytes, io, unverified, nullptr).IsIOError() &&
         file->PositionedAppend(bytes, 100, io, nullptr).IsIOError() &&
         file->PositionedAppend(bytes, 100, io, unverified, nullptr)
             .IsIOError() &&
         !file->Truncate(1000, io, nullptr).ok();
}

// Args: directory. What uringfs leaves to the file system underneath, and what
// it writes at the end.
int WriteOthersLimited(const std::vector<std::string>& args) {
  UringFsOptions options;
  options.stats_file = args[0] + "/stats";
  std::shared_ptr<rocksdb::FileSystem> fs = MakeUringFs(options);
  const rocksdb::FileOptions file_options;
  const rocksdb::IOOptions io;
  if (!LimitFiles("100")) {
    return kCannotOpen;
  }
  std::unique_ptr<rocksdb::FSWritableFile> file;
  for (const bool is_old : {false, true}) {
    const std::string path = args[0] + "/MANIFEST-000001";
    rocksdb::IOStatus status =
        is_old ? fs->ReopenWritableFile(path, file_options, &file, nullptr)
               : fs->NewWritableFile(path, file_options, &file, nullptr);
    if (!status.ok()) {
      return kCannotOpen;
    }
    if (!AllCallsFail(file.get())) {
      return kOtherError;
    }
    static_cast<void>(file->Close(io, nullptr));
  }
  fs.reset();  // writes the statistics
  // The host's own arrangement is as it was.
  sigset_t now;
  sigset_t pending;
  if (::pthread_sigmask(SIG_BLOCK, nullptr, &now) != 0 ||
      ::sigpending(&pending) != 0) {
    return kOtherError;
  }
  return ::sigismember(&now, SIGXFSZ) == 0 &&
                 ::sigismember(&pending, SIGXFSZ) == 0
             ? kFailedByTheLimit
             : kOtherError;
}
const RegisterChild kWriteOthersLimited("write_others_limited",
                                        &WriteOthersLimited);

// Args: path of a LOG. It takes the lines that fit.
int LogLimited(const std::vector<std::string>& args) {
  const std::shared_ptr<rocksdb::FileSystem> fs = MakeUringFs();
  std::shared_ptr<rocksdb::Logger> log;
  if (!LimitFiles("100000") ||
      !fs->NewLogger(args[0], rocksdb::IOOptions(), &log, nullptr).ok()) {
    return kCannotOpen;
  }
  log->SetInfoLogLevel(rocksdb::InfoLogLevel::INFO_LEVEL);
  const std::string text(500, 'x');
  for (int i = 0; i < 300; ++i) {
    rocksdb::Header(log, "%s", text.c_str());
    rocksdb::Info(log, "%s", text.c_str());
    log->Flush();
  }
  log.reset();
  return kFailedByTheLimit;
}
const RegisterChild kLogLimited("log_limited", &LogLimited);

TEST(DbFileLimitTest, TheLogOfTheDatabaseHitsIt) {
  const TempDir dir;
  ChildProcess child("log_limited", {dir.File("LOG")});
  EXPECT_EQ(child.Wait(), kFailedByTheLimit);
  const std::string lines = ReadWholeFile(dir.File("LOG"));
  EXPECT_GT(lines.size(), 99000u);
  EXPECT_EQ(lines.back(), '\n') << "none is cut";
}

TEST(DbFileLimitTest, FilesOfTheBaseAndTheStatisticsHitIt) {
  const TempDir dir;
  ChildProcess child("write_others_limited", {dir.path()});
  EXPECT_EQ(child.Wait(), kFailedByTheLimit);
}

}  // namespace
}  // namespace uringfs::test
