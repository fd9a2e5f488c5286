// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What the cells run: a writer that keeps account of what was acknowledged, and
// readers that say how much of it is there. A plain RocksDB program; the file
// system comes from the environment.

#include <fcntl.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env_encryption.h>
#include <rocksdb/file_system.h>
#include <rocksdb/options.h>
#include <rocksdb/utilities/backup_engine.h>
#include <rocksdb/utilities/checkpoint.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>

namespace {

constexpr char kHelp[] = R"(usage: driver COMMAND DIRECTORY [NAME=VALUE...]

  put         puts keys=N of value=BYTES; sync=0|1|mixed, mixed syncs each
              tenth. Accounts go to counter=FILE: 64-bit words, see Account.
              After half of them: checkpoint=DIRECTORY and backup=DIRECTORY
              are made, live=COMMAND is run; then=COMMAND: a tenth of them
              later, when the next log is in use. fill=FILE: fills the disk,
              by full=log|flush, deletes FILE and goes on when RocksDB has
              recovered, with keys=N more. flush=1: flushes the memtable
              after the last one. Ends by end=kill|busy|exit|abort|close;
              busy: killed while it puts. gaps=1: behind each put something
              is deleted without the log. limit=BYTES: no file gets longer.
              late=1: the half is all but the last 20, and it waits a little
              behind those. again=1: goes on behind what was acknowledged,
              keys=N more, beside the logs that are there.
  count, ro   opens for write, or read-only, and counts; end=delete: is killed
              when it would delete its first log
  secondary   opens as a secondary, with its own files in to=DIRECTORY
  repair      RepairDB
  checkpoint  opens for write, counts, makes a checkpoint in to=DIRECTORY
  restore     the newest backup in from=DIRECTORY; logs that are there stay
  shutdown    shuts the file system of DIRECTORY down; flags=N as in the kernel

Of all, wal_dir=DIRECTORY, write_buffer=BYTES for many small memtables,
mode=tolerate|absolute|skip, by which logs are recovered, encrypt=1,
careless=1 (no paranoid_checks), and uringfs=OPTIONS.
Exit status: 0 done, 1 usage, 2 not opened, 3 other.
)";

enum ExitCode { kDone = 0, kUsage = 1, kNotOpened = 2, kFailed = 3 };

[[noreturn]] void GiveUp(ExitCode code, const std::string& what) {
  std::printf("driver: %s\n", what.c_str());
  std::fflush(stdout);
  ::_exit(code);
}

void MustBeOk(ExitCode code, const char* what, const rocksdb::Status& status) {
  if (!status.ok()) {
    GiveUp(code, std::string(what) + ": " + status.ToString());
  }
}

class Arguments {
 public:
  Arguments(int argc, char** argv) {
    for (int i = 0; i < argc; ++i) {
      const std::string word = argv[i];
      const size_t at = word.find('=');
      if (at == std::string::npos) {
        GiveUp(kUsage, "no NAME=VALUE: " + word);
      }
      values_[word.substr(0, at)] = word.substr(at + 1);
    }
  }

  std::string Text(const char* name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::string() : found->second;
  }
  uint64_t Number(const char* name) const {
    return std::strtoull(Text(name).c_str(), nullptr, 10);
  }

 private:
  std::map<std::string, std::string> values_;
};

// In a mapping shared with a file, so that it survives every end of the
// process. The file is never on the file system under test.
struct Account {
  uint64_t begun;         // puts that were called
  uint64_t acknowledged;  // puts that returned OK, all before them too
  uint64_t synced;        // the same, up to the last one with sync
  uint64_t half;          // `acknowledged` when the live command ran
  uint64_t half_synced;   // `synced` at that time
};

volatile Account* MapAccount(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0 || ::ftruncate(fd, sizeof(Account)) != 0) {
    GiveUp(kFailed, "cannot make the account " + path);
  }
  void* memory = ::mmap(nullptr, sizeof(Account), PROT_READ | PROT_WRITE,
                        MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    GiveUp(kFailed, "cannot map the account " + path);
  }
  return static_cast<volatile Account*>(memory);
}

std::string KeyOf(uint64_t index) {
  char text[32];
  std::snprintf(text, sizeof(text), "%012llu",
                static_cast<unsigned long long>(index));
  return text;
}

std::string ValueOf(uint64_t index, size_t bytes) {
  std::string value(bytes, static_cast<char>('a' + index % 26));
  const std::string key = KeyOf(index);
  return value.replace(0, std::min(bytes, key.size()), key, 0, bytes);
}

rocksdb::WALRecoveryMode ModeOf(const std::string& text) {
  using Mode = rocksdb::WALRecoveryMode;
  return text == "tolerate"   ? Mode::kTolerateCorruptedTailRecords
         : text == "absolute" ? Mode::kAbsoluteConsistency
         : text == "skip"     ? Mode::kSkipAnyCorruptedRecords
                              : Mode::kPointInTimeRecovery;
}

rocksdb::Env* EncryptedEnv() {
  static const std::unique_ptr<rocksdb::Env> env = [] {
    std::shared_ptr<rocksdb::EncryptionProvider> provider;
    MustBeOk(kFailed, "encrypt",
             rocksdb::EncryptionProvider::CreateFromString(
                 rocksdb::ConfigOptions(), "CTR://test", &provider));
    return std::unique_ptr<rocksdb::Env>(
        rocksdb::NewEncryptedEnv(rocksdb::Env::Default(), provider));
  }();
  return env.get();
}

rocksdb::Options OptionsFrom(const Arguments& arguments) {
  rocksdb::Options options;
  options.create_if_missing = arguments.Number("keys") > 0;
  options.compression = rocksdb::kNoCompression;
  options.wal_dir = arguments.Text("wal_dir");
  options.wal_recovery_mode = ModeOf(arguments.Text("mode"));
  options.paranoid_checks = arguments.Number("careless") == 0;
  options.avoid_flush_during_recovery = arguments.Number("again") != 0;
  if (arguments.Number("encrypt") != 0) {
    options.env = EncryptedEnv();
  }
  options.max_open_files = -1;           // what a secondary needs
  options.write_buffer_size = 16 << 20;  // images are small
  if (const uint64_t bytes = arguments.Number("write_buffer")) {
    // Several logs that are needed at once.
    options.write_buffer_size = bytes;
    options.max_write_buffer_number = 20;
    options.min_write_buffer_number_to_merge = 19;
  }
  return options;
}

void RunCommand(const std::string& command) {
  if (std::system(command.c_str()) != 0) {
    GiveUp(kFailed, "failed while the database was open: " + command);
  }
}

bool EndsIn(const std::string& path, const std::string& suffix) {
  return path.size() > suffix.size() &&
         path.compare(path.size() - suffix.size(), suffix.size(), suffix) == 0;
}

// Does something before a table is made, and before a log is deleted, which is
// closed then.
class FlushHooks : public rocksdb::FileSystemWrapper {
 public:
  using Hook = std::function<void()>;
  FlushHooks(Hook before_table, Hook before_deletion)
      : FileSystemWrapper(rocksdb::FileSystem::Default()),
        before_table_(std::move(before_table)),
        before_deletion_(std::move(before_deletion)) {}
  const char* Name() const override { return "FlushHooks"; }
  rocksdb::IOStatus NewWritableFile(
      const std::string& path, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSWritableFile>* file,
      rocksdb::IODebugContext* dbg) override {
    if (EndsIn(path, ".sst")) {
      before_table_();
    }
    return FileSystemWrapper::NewWritableFile(path, options, file, dbg);
  }
  rocksdb::IOStatus DeleteFile(const std::string& path,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) override {
    if (EndsIn(path, ".log")) {
      before_deletion_();
    }
    return FileSystemWrapper::DeleteFile(path, options, dbg);
  }

 private:
  const Hook before_table_;
  const Hook before_deletion_;
};

std::unique_ptr<rocksdb::Env> EnvWithHooks(FlushHooks::Hook before_table,
                                           FlushHooks::Hook before_deletion) {
  return rocksdb::NewCompositeEnv(std::make_shared<FlushHooks>(
      std::move(before_table), std::move(before_deletion)));
}

// Prints how many keys there are, how many of them are the first ones without
// a gap, and how many values are not what was put.
void Count(rocksdb::DB* db, size_t value_bytes) {
  uint64_t found = 0;
  uint64_t prefix = 0;
  uint64_t wrong = 0;
  std::unique_ptr<rocksdb::Iterator> it(
      db->NewIterator(rocksdb::ReadOptions()));
  for (it->SeekToFirst(); it->Valid(); it->Next(), ++found) {
    const std::string key = it->key().ToString();
    prefix += key == KeyOf(prefix) ? 1 : 0;
    const uint64_t index = std::strtoull(key.c_str(), nullptr, 10);
    wrong += it->value() != ValueOf(index, value_bytes) ? 1 : 0;
  }
  MustBeOk(kFailed, "iterate", it->status());
  std::printf("found=%llu prefix=%llu wrong=%llu\n",
              static_cast<unsigned long long>(found),
              static_cast<unsigned long long>(prefix),
              static_cast<unsigned long long>(wrong));
}

// Without logs: these are to stay as they are in the database.
std::unique_ptr<rocksdb::BackupEngine> OpenBackups(const std::string& path) {
  rocksdb::BackupEngineOptions options(path);
  options.backup_log_files = false;
  rocksdb::BackupEngine* engine = nullptr;
  MustBeOk(
      kFailed, "open the backups",
      rocksdb::BackupEngine::Open(options, rocksdb::Env::Default(), &engine));
  return std::unique_ptr<rocksdb::BackupEngine>(engine);
}

class Writer {
 public:
  Writer(rocksdb::DB* db, const Arguments& arguments,
         std::promise<void>& may_flush)
      : db_(db),
        arguments_(arguments),
        account_(MapAccount(arguments.Text("counter"))),
        value_bytes_(arguments.Number("value")),
        sync_(arguments.Text("sync")),
        has_gaps_(arguments.Number("gaps") != 0),
        may_flush_(may_flush) {}

  void Run() {
    uint64_t keys = arguments_.Number("keys");
    if (arguments_.Number("again") != 0) {
      next_ = account_->acknowledged;
      keys += next_;
    }
    const bool is_late = arguments_.Number("late") != 0;
    rocksdb::Status status =
        PutUntil(is_late ? keys - kLatePuts : next_ + (keys - next_) / 2);
    MustBeOk(kFailed, "put", status);
    AtHalf();
    if (!arguments_.Text("fill").empty()) {
      FillDisk();
      keys += next_;
    }
    if (arguments_.Text("end") == "busy") {
      std::thread(KillSoon, arguments_.Number("delay_us")).detach();
      keys *= 2;  // or there would be more logs than were asked for
    }
    status = PutUntil(keys);
    if (is_late) {
      std::this_thread::sleep_for(kDrained);
    }
    while (status.ok() && arguments_.Text("end") == "busy") {
      ::pause();
    }
    std::printf("acknowledged=%llu synced=%llu %s\n",
                static_cast<unsigned long long>(account_->acknowledged),
                static_cast<unsigned long long>(account_->synced),
                status.ToString().c_str());
    std::fflush(stdout);
  }

 private:
  static constexpr uint64_t kLatePuts = 20;
  static constexpr std::chrono::milliseconds kDrained{50};

  static void KillSoon(uint64_t delay_us) {
    std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
    ::kill(::getpid(), SIGKILL);
  }

  rocksdb::Status PutUntil(uint64_t end) {
    for (; next_ < end; ++next_) {
      rocksdb::WriteOptions options;
      options.sync = sync_ == "1" || (sync_ == "mixed" && next_ % 10 == 9);
      account_->begun = next_ + 1;
      const rocksdb::Status status =
          db_->Put(options, KeyOf(next_), ValueOf(next_, value_bytes_));
      if (!status.ok()) {
        return status;
      }
      account_->acknowledged = next_ + 1;
      if (options.sync) {
        account_->synced = next_ + 1;
      }
      if (has_gaps_) {
        MustBeOk(kFailed, "leave a gap", LeaveGap());
      }
    }
    return rocksdb::Status::OK();
  }

  // A sequence number that no log has.
  rocksdb::Status LeaveGap() {
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    return db_->Delete(options, "nothing");
  }

  void AtHalf() {
    account_->half = account_->acknowledged;
    account_->half_synced = account_->synced;
    const std::string good = arguments_.Text("checkpoint");
    if (!good.empty()) {
      MakeCheckpoint(db_, good);
    }
    const std::string backup = arguments_.Text("backup");
    if (!backup.empty()) {
      MakeBackup(backup);
    }
    const std::string live = arguments_.Text("live");
    if (!live.empty()) {
      RunCommand(live);
    }
    const std::string then = arguments_.Text("then");
    if (!then.empty()) {
      FlushAndThen(then);
    }
  }

  // When the database has gone on to the next log, and needs this one still:
  // no table is made before may_flush_.
  void FlushAndThen(const std::string& then) {
    const uint64_t tenth = arguments_.Number("keys") / 10;
    MustBeOk(kFailed, "put", PutUntil(next_ + tenth));
    account_->half = account_->acknowledged;
    account_->half_synced = account_->synced;
    rocksdb::FlushOptions options;
    options.wait = false;
    MustBeOk(kFailed, "flush", db_->Flush(options));
    MustBeOk(kFailed, "put", PutUntil(next_ + tenth));
    RunCommand(then);
    may_flush_.set_value();
  }

  void MakeBackup(const std::string& path) {
    const std::unique_ptr<rocksdb::BackupEngine> engine = OpenBackups(path);
    MustBeOk(kFailed, "back up",
             engine->CreateNewBackup(db_, /*flush_before_backup=*/true));
  }

  // Fills the disk by puts, or by a flush of the memtable, and frees it. Then
  // the put is tried that failed, until RocksDB has recovered by itself. From
  // a full disk under its log RocksDB 7.8.3 does not, on any file system (built
  // with assertions, as in Debian, it aborts); so that is not asked for.
  void FillDisk() {
    const bool by_flush = arguments_.Text("full") == "flush";
    const rocksdb::Status full =
        by_flush ? db_->Flush(rocksdb::FlushOptions()) : PutUntil(UINT64_MAX);
    if (!full.IsNoSpace()) {
      GiveUp(kFailed, "not a full disk, but " + full.ToString());
    }
    ::unlink(arguments_.Text("fill").c_str());
    for (int tries = 0; tries < (by_flush ? 600 : 140); ++tries) {
      if (PutUntil(next_ + 1).ok()) {
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    if (by_flush) {
      GiveUp(kFailed, "RocksDB did not recover from " + full.ToString());
    }
  }

 public:
  // With its log and not flushed, however long that is.
  static void MakeCheckpoint(rocksdb::DB* db, const std::string& path) {
    rocksdb::Checkpoint* made = nullptr;
    MustBeOk(kFailed, "checkpoint", rocksdb::Checkpoint::Create(db, &made));
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    MustBeOk(
        kFailed, "checkpoint",
        checkpoint->CreateCheckpoint(path, /*log_size_for_flush=*/1 << 30));
  }

 private:
  rocksdb::DB* const db_;
  const Arguments& arguments_;
  volatile Account* const account_;
  const size_t value_bytes_;
  const std::string sync_;
  const bool has_gaps_;
  std::promise<void>& may_flush_;
  uint64_t next_ = 0;
};

ExitCode Put(const std::string& directory, const Arguments& arguments) {
  if (const uint64_t bytes = arguments.Number("limit")) {
    const rlimit limit = {bytes, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) {
      GiveUp(kFailed, "cannot limit the size of files");
    }
  }
  std::promise<void> may_flush;
  const std::shared_future<void> flushes = may_flush.get_future().share();
  const std::unique_ptr<rocksdb::Env> env =
      EnvWithHooks([flushes] { flushes.wait(); }, [] {});
  rocksdb::Options options = OptionsFrom(arguments);
  if (!arguments.Text("then").empty()) {
    options.env = env.get();
  }
  rocksdb::DB* db = nullptr;
  MustBeOk(kNotOpened, "open", rocksdb::DB::Open(options, directory, &db));
  Writer(db, arguments, may_flush).Run();
  if (arguments.Number("flush") != 0) {
    MustBeOk(kFailed, "flush", db->Flush(rocksdb::FlushOptions()));
  }
  const std::string end = arguments.Text("end");
  if (end == "exit") {
    std::exit(0);
  }
  if (end == "abort") {
    std::abort();
  }
  if (end == "close") {
    delete db;
    return kDone;
  }
  ::kill(::getpid(), SIGKILL);
  return kFailed;
}

ExitCode Look(const std::string& command, const std::string& directory,
              const Arguments& arguments) {
  rocksdb::Options options = OptionsFrom(arguments);
  const std::unique_ptr<rocksdb::Env> deadly =
      EnvWithHooks([] {}, [] { ::kill(::getpid(), SIGKILL); });
  if (arguments.Text("end") == "delete") {
    options.env = deadly.get();
  }
  const std::string to = arguments.Text("to");
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status;
  if (command == "ro") {
    status = rocksdb::DB::OpenForReadOnly(options, directory, &opened);
  } else if (command == "secondary") {
    status = rocksdb::DB::OpenAsSecondary(options, directory, to, &opened);
  } else {
    status = rocksdb::DB::Open(options, directory, &opened);
  }
  MustBeOk(kNotOpened, "open", status);
  const std::unique_ptr<rocksdb::DB> db(opened);
  if (command == "secondary") {
    MustBeOk(kNotOpened, "catch up", db->TryCatchUpWithPrimary());
  }
  Count(db.get(), arguments.Number("value"));
  if (command == "checkpoint") {
    Writer::MakeCheckpoint(db.get(), to);
  }
  return kDone;
}

ExitCode Restore(const std::string& directory, const Arguments& arguments) {
  const std::string wal_dir = arguments.Text("wal_dir");
  const rocksdb::RestoreOptions options(/*_keep_log_files=*/true);
  MustBeOk(kNotOpened, "restore",
           OpenBackups(arguments.Text("from"))
               ->RestoreDBFromLatestBackup(
                   options, directory, wal_dir.empty() ? directory : wal_dir));
  return kDone;
}

// The same number for ext4 (EXT4_IOC_SHUTDOWN) and xfs (XFS_IOC_GOINGDOWN).
ExitCode Shutdown(const std::string& directory, uint32_t flags) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::ioctl(fd, _IOR('X', 125, uint32_t), &flags) != 0) {
    GiveUp(kFailed, "cannot shut down the file system of " + directory);
  }
  return kDone;
}

ExitCode Run(const std::string& command, const std::string& directory,
             const Arguments& arguments) {
  if (command == "put") {
    return Put(directory, arguments);
  }
  if (command == "count" || command == "ro" || command == "secondary" ||
      command == "checkpoint") {
    return Look(command, directory, arguments);
  }
  if (command == "repair") {
    MustBeOk(kNotOpened, "repair",
             rocksdb::RepairDB(directory, OptionsFrom(arguments)));
    return kDone;
  }
  if (command == "restore") {
    return Restore(directory, arguments);
  }
  if (command == "shutdown") {
    return Shutdown(directory,
                    static_cast<uint32_t>(arguments.Number("flags")));
  }
  std::fputs(kHelp, stdout);
  return kUsage;
}

}  // namespace

int main(int argc, char** argv) {
  // Neither outlives the harness, nor hands the preload to what it starts.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (argc < 3) {
    std::fputs(kHelp, stdout);
    return kUsage;
  }
  const Arguments arguments(argc - 3, argv + 3);
  const std::string text = arguments.Text("uringfs");
  if (!text.empty() && std::getenv("URINGFS_OPTIONS") == nullptr) {
    // It is read when a program begins.
    ::setenv("URINGFS_OPTIONS", text.c_str(), 1);
    ::execv("/proc/self/exe", argv);
    GiveUp(kFailed, "cannot begin once more");
  }
  ::unsetenv("LD_PRELOAD");
  return Run(argv[1], argv[2], arguments);
}
