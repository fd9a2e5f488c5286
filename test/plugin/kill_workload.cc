// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "test/plugin/kill_workload.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "test/plugin/file_systems.h"
#include "test/recovery/directory.h"
#include "test/support/seed.h"

#include "uringfs/recovery.h"

namespace uringfs::test {
namespace {

constexpr uint32_t kBigPartBytes = 64 << 10;

std::vector<Scenario> MakeScenarios() {
  return {
      {.name = "unsynced, one thread", .threads = 1, .families = 1, .parts = 1},
      {.name = "unsynced", .threads = 3, .families = 3, .parts = 1},
      {.name = "synced",
       .threads = 3,
       .families = 1,
       .parts = 1,
       .sync = SyncWrites::kAlways},
      {.name = "mixed",
       .threads = 3,
       .families = 3,
       .parts = 1,
       .sync = SyncWrites::kMixed},
      {.name = "batches across families",
       .threads = 2,
       .families = 3,
       .parts = 3,
       .sync = SyncWrites::kMixed},
      {.name = "two phases",
       .threads = 3,
       .families = 3,
       .parts = 2,
       .sync = SyncWrites::kMixed,
       .two_phase = true},
      {.name = "big batches",
       .threads = 2,
       .families = 2,
       .parts = 0,
       .sync = SyncWrites::kMixed,
       .may_tear = true},
      {.name = "WAL switches",
       .threads = 2,
       .families = 3,
       .parts = 1,
       .beside = Beside::kFlush},
      {.name = "SyncWAL beside",
       .threads = 2,
       .families = 1,
       .parts = 1,
       .beside = Beside::kSyncWal},
      {.name = "manual FlushWAL",
       .threads = 2,
       .families = 3,
       .parts = 1,
       .manual_flush = true},
      {.name = "tiny ring",
       .threads = 3,
       .families = 1,
       .parts = 3,
       .sync = SyncWrites::kMixed,
       .tiny_ring = true,
       .may_tear = true},
      {.name = "tiny ring, one unsynced thread, WAL switches",
       .threads = 1,
       .families = 3,
       .parts = 1,
       .tiny_ring = true,
       .may_tear = true},
      // Of one family: with more of them RocksDB 7.8 follows a null pointer as
      // soon as it recycles, on posix too.
      {.name = "recycled WALs",
       .threads = 2,
       .families = 1,
       .parts = 1,
       .beside = Beside::kFlush,
       .recycle = true},
  };
}

uint64_t Mix(uint64_t thread, uint64_t entry, uint64_t part) {
  return Random((thread << 56) ^ (entry << 8) ^ part).Next();
}

// Where side files may be.
std::vector<std::string> LogDirs(const Plan& plan, const std::string& root) {
  std::vector<std::string> dirs = {DbDir(root)};
  if (plan.own_wal_dir) {
    dirs.push_back(WalDir(root));
  }
  return dirs;
}

rocksdb::Status RecoverForPosix(const Plan& plan, const std::string& root) {
  for (const std::string& dir : LogDirs(plan, root)) {
    if (!std::filesystem::exists(dir)) {
      continue;  // the writer was killed before it made it
    }
    std::vector<RecoveryReport> reports;
    const Status status = RecoverDirectory(dir, &reports);
    if (!status.ok()) {
      return rocksdb::Status::IOError("RecoverDirectory", status.ToString());
    }
    for (const RecoveryReport& report : reports) {
      if (report.outcome == RecoveryOutcome::kUnusable ||
          report.outcome == RecoveryOutcome::kBusy) {
        return rocksdb::Status::IOError(
            std::string("RecoverDirectory: ") + ToString(report.outcome),
            report.path + ": " + report.message);
      }
    }
  }
  return rocksdb::Status::OK();
}

std::shared_ptr<rocksdb::FileSystem> FileSystemOf(const Plan& plan,
                                                  const std::string& fs) {
  if (fs != "uringfs") {
    return MakeFs(fs == "posix" ? fs : "uringfs");
  }
  UringFsOptions options;
  if (plan.scenario->tiny_ring) {
    options.wal_buffer_bytes = 4096;
    options.wal_buffers = 2;
  }
  if (plan.ring_at_once) {
    options.wal_ring_after_bytes = 0;
    options.wal_preextend = WalPreextend::kOn;
    options.data_cache = DataCache::kNone;
  }
  if (plan.over_pwrite) {
    options.io_engine = IoEngine::kPwrite;
    options.direct_io = DirectIo::kOff;
  }
  return MakeUringFs(options);
}

std::vector<rocksdb::ColumnFamilyDescriptor> FamiliesOf(
    const Plan& plan, const rocksdb::Options& options) {
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (uint32_t i = 0; i < plan.scenario->families; ++i) {
    rocksdb::ColumnFamilyOptions family(options);
    if (i == 1) {
      // Full every moment, and so there is a new WAL every moment.
      family.write_buffer_size = 64 << 10;
    }
    families.emplace_back(i == 0 ? rocksdb::kDefaultColumnFamilyName
                                 : "family" + std::to_string(i),
                          family);
  }
  return families;
}

}  // namespace

const std::vector<Scenario>& Scenarios() {
  static const std::vector<Scenario> scenarios = MakeScenarios();
  return scenarios;
}

Plan::Plan(size_t scenario_index, uint64_t plan_seed)
    : scenario(&Scenarios().at(scenario_index)), seed(plan_seed) {
  Random random(seed);
  own_wal_dir = random.OneIn(4);
  keep_wals = random.OneIn(3);
  pipelined = random.OneIn(4) && !scenario->two_phase;
  over_pwrite = random.OneIn(8);
  ring_at_once = !random.OneIn(3);
}

std::string Plan::ToString() const {
  return std::string(scenario->name) + (own_wal_dir ? ", own wal_dir" : "") +
         (keep_wals ? ", avoid_flush_during_recovery" : "") +
         (pipelined ? ", pipelined" : "") + (over_pwrite ? ", pwrite" : "") +
         (ring_at_once ? ", ring at once" : "");
}

std::string KeyOf(uint32_t thread, uint64_t entry, uint32_t part) {
  char text[48];
  std::snprintf(text, sizeof(text), "%02u.%012llu.%02u", thread,
                static_cast<unsigned long long>(entry), part);
  return text;
}

std::string ValueOf(const Plan& plan, uint32_t thread, uint64_t entry,
                    uint32_t part) {
  Random random(Mix(thread, entry, part) + FamilyOf(plan, entry, part));
  std::string value(
      plan.scenario->parts == 0 ? kBigPartBytes : random.LogUniform(8, 4000),
      '\0');
  for (size_t at = 0; at < value.size(); at += sizeof(uint64_t)) {
    const uint64_t word = random.Next();
    std::memcpy(&value[at], &word, std::min(sizeof(word), value.size() - at));
  }
  return value;
}

uint32_t PartsOf(const Plan& plan, uint32_t thread, uint64_t entry) {
  return plan.scenario->parts != 0
             ? plan.scenario->parts
             : 24 + static_cast<uint32_t>(Mix(thread, entry, 0) % 41);
}

uint32_t FamilyOf(const Plan& plan, uint64_t entry, uint32_t part) {
  return static_cast<uint32_t>((entry + part) % plan.scenario->families);
}

uint64_t Board::Acknowledged() const {
  uint64_t sum = 0;
  for (const Slot& slot : slots) {
    sum += slot.acknowledged.load();
  }
  return sum;
}

void Board::Fail(const std::string& message) {
  if (failed.exchange(1) == 0) {
    std::snprintf(error, sizeof(error), "%s", message.c_str());
  }
}

BoardMapping::BoardMapping(const std::string& root) {
  const std::string path = root + "/board";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void* const memory = fd < 0 || ::ftruncate(fd, sizeof(Board)) != 0
                           ? MAP_FAILED
                           : ::mmap(nullptr, sizeof(Board),
                                    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    std::perror(path.c_str());
    std::abort();
  }
  ::close(fd);
  // A new file is zeros, and so is a new board.
  board_ = static_cast<Board*>(memory);
}

BoardMapping::~BoardMapping() { ::munmap(board_, sizeof(Board)); }

rocksdb::Options OptionsOf(const Plan& plan, const std::string& root,
                           rocksdb::Env* env) {
  rocksdb::Options options;
  options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.compression = rocksdb::kNoCompression;
  options.write_buffer_size = plan.scenario->parts == 0 ? 16 << 20 : 1 << 20;
  // What is written is to be looked at, not compactions.
  options.disable_auto_compactions = true;
  options.level0_slowdown_writes_trigger = 1 << 20;
  options.level0_stop_writes_trigger = 1 << 20;
  options.max_write_buffer_number = 8;
  options.avoid_flush_during_recovery = plan.keep_wals;
  options.enable_pipelined_write = plan.pipelined;
  options.manual_wal_flush = plan.scenario->manual_flush;
  options.recycle_log_file_num = plan.scenario->recycle ? kRecycledWals : 0;
  if (plan.own_wal_dir) {
    options.wal_dir = WalDir(root);
  }
  return options;
}

KillDb::KillDb(const Plan& plan, const std::string& fs, const std::string& root)
    : plan_(plan),
      root_(root),
      posix_(fs == "posix"),
      env_(rocksdb::NewCompositeEnv(FileSystemOf(plan, fs))) {}

KillDb::~KillDb() { Close(); }

rocksdb::Status KillDb::Open(rocksdb::WALRecoveryMode mode) {
  if (posix_) {
    rocksdb::Status recovered = RecoverForPosix(plan_, root_);
    if (!recovered.ok()) {
      return recovered;
    }
  }
  rocksdb::Options options = OptionsOf(plan_, root_, env_.get());
  options.wal_recovery_mode = mode;
  const auto families = FamiliesOf(plan_, options);
  if (!plan_.scenario->two_phase) {
    return rocksdb::DB::Open(options, DbDir(root_), families, &handles_, &db_);
  }
  rocksdb::Status status = rocksdb::TransactionDB::Open(
      options, rocksdb::TransactionDBOptions(), DbDir(root_), families,
      &handles_, &transactions_);
  db_ = transactions_;
  return status;
}

rocksdb::Status KillDb::Close() {
  if (db_ == nullptr) {
    return rocksdb::Status::OK();
  }
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    db_->DestroyColumnFamilyHandle(handle);
  }
  handles_.clear();
  rocksdb::Status status = db_->Close();
  delete db_;
  db_ = nullptr;
  transactions_ = nullptr;
  return status;
}

rocksdb::Status KillDb::Destroy() {
  return rocksdb::DestroyDB(DbDir(root_), OptionsOf(plan_, root_, env_.get()));
}

}  // namespace uringfs::test
