// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What a process that is going to be killed writes into a database, how it
// tells its killer what was acknowledged, and how the database is opened again.
//
// Each thread of a writer writes entries 0, 1, 2 and so on. An entry is one
// batch, or one transaction, of one or more keys; which keys in which column
// families with which values is a function of the plan, the thread and the
// number, so that the killer can tell what must be there to the byte.

#ifndef URINGFS_TEST_PLUGIN_KILL_WORKLOAD_H_
#define URINGFS_TEST_PLUGIN_KILL_WORKLOAD_H_

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/utilities/transaction_db.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace uringfs::test {

enum class SyncWrites : uint8_t { kNever, kAlways, kMixed };
enum class Beside : uint8_t { kNothing, kFlush, kSyncWal };

struct Scenario {
  const char* name = "";
  uint32_t threads = 1;
  uint32_t families = 1;
  uint32_t parts =
      1;  // keys of an entry; 0: so many that they are 1.5 to 4 MiB
  SyncWrites sync = SyncWrites::kNever;
  Beside beside = Beside::kNothing;  // what one more thread does meanwhile
  bool two_phase = false;            // Prepare and Commit of a TransactionDB
  bool manual_flush = false;  // acknowledged is what FlushWAL returned for
  bool tiny_ring = false;     // 2 * 4 KiB: wraps and runs full all along
  bool recycle = false;       // old WALs become new ones
  // Records larger than what the writable file of RocksDB or the ring can hold
  // reach the file in pieces, on posix too: kill -9 may leave the first ones.
  bool may_tear = false;
};

constexpr uint32_t kMaxThreads = 4;
// So many old WALs are kept to become new ones, where that is asked for.
constexpr size_t kRecycledWals = 2;
const std::vector<Scenario>& Scenarios();

// A scenario, and what else the seed decides about a database.
struct Plan {
  const Scenario* scenario = nullptr;
  uint64_t seed = 0;
  bool own_wal_dir = false;
  bool keep_wals = false;  // recovery does not flush: old WALs live on
  bool pipelined = false;
  bool over_pwrite = false;
  bool ring_at_once = false;  // WALs have side files from their first byte on

  Plan(size_t scenario_index, uint64_t plan_seed);
  std::string ToString() const;
};

std::string KeyOf(uint32_t thread, uint64_t entry, uint32_t part);
std::string ValueOf(const Plan& plan, uint32_t thread, uint64_t entry,
                    uint32_t part);
uint32_t PartsOf(const Plan& plan, uint32_t thread, uint64_t entry);
// The column family of a part.
uint32_t FamilyOf(const Plan& plan, uint64_t entry, uint32_t part);

// What writer and killer share; it survives the writer.
//
// THREADS: any; a slot is written by its thread alone.
struct Board {
  enum Phase : uint32_t { kStarting, kOpening, kOpen };
  struct Slot {
    // Entries below are acknowledged; at or above `begun` there are none.
    // acknowledged <= prepared <= begun, but for `prepared` without 2PC.
    std::atomic<uint64_t> acknowledged;
    std::atomic<uint64_t> prepared;
    std::atomic<uint64_t> begun;
  };
  std::atomic<uint32_t> phase;
  std::atomic<uint32_t> failed;
  char error[500];
  Slot slots[kMaxThreads];

  uint64_t Acknowledged() const;
  // The first one wins.
  void Fail(const std::string& message);
};

// Maps `root`/board, which is created if it is missing.
class BoardMapping {
 public:
  explicit BoardMapping(const std::string& root);
  ~BoardMapping();
  BoardMapping(const BoardMapping&) = delete;
  BoardMapping& operator=(const BoardMapping&) = delete;
  Board* get() const { return board_; }

 private:
  Board* board_ = nullptr;
};

inline std::string DbDir(const std::string& root) { return root + "/db"; }
inline std::string WalDir(const std::string& root) { return root + "/wal"; }

// The options of a plan's database below `root`.
rocksdb::Options OptionsOf(const Plan& plan, const std::string& root,
                           rocksdb::Env* env);

class KillDb {
 public:
  // `fs` is "uringfs" with the options of the plan, "uringfs_plain" with those
  // it has by default, or "posix": then what a killed writer left is recovered
  // first, as uringfs is not there to do it.
  KillDb(const Plan& plan, const std::string& fs, const std::string& root);
  ~KillDb();
  KillDb(const KillDb&) = delete;
  KillDb& operator=(const KillDb&) = delete;

  rocksdb::Status Open(rocksdb::WALRecoveryMode mode);
  rocksdb::Status Close();
  // REQUIRES: closed.
  rocksdb::Status Destroy();

  const Plan& plan() const { return plan_; }
  rocksdb::DB* get() const { return db_; }
  // Null without 2PC.
  rocksdb::TransactionDB* transactions() const { return transactions_; }
  rocksdb::ColumnFamilyHandle* family(uint32_t i) const { return handles_[i]; }

 private:
  const Plan plan_;
  const std::string root_;
  const bool posix_;
  std::unique_ptr<rocksdb::Env> env_;
  rocksdb::DB* db_ = nullptr;
  rocksdb::TransactionDB* transactions_ = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
};

// Commits transactions that were prepared, and moves `acknowledged` and `begun`
// of each slot to what is there: the entries that were under way may or may not
// be. Answers what is wrong with those, or an empty string.
std::string Settle(const KillDb& db, Board* board);

// Compares the whole database with what must be there after Settle: that and
// nothing else. Adds to *keys. Answers what is wrong, or an empty string.
std::string CompareAll(const KillDb& db, const Board& board, uint64_t* keys);

// Bodies of children; both never return unless something fails, which stands
// on the board then. Args: root, index of the scenario, seed of the plan.
extern const char kWriterChild[];
// One more arg: the file system. Opens the database, and that is all.
extern const char kReopenerChild[];

}  // namespace uringfs::test

#endif  // URINGFS_TEST_PLUGIN_KILL_WORKLOAD_H_
