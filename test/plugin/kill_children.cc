// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The processes that are killed: one writes, one opens the database again.

#include <rocksdb/utilities/transaction.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "test/plugin/kill_workload.h"
#include "test/support/child_process.h"
#include "test/support/seed.h"

namespace uringfs::test {

const char kWriterChild[] = "kill_writer";
const char kReopenerChild[] = "kill_reopener";

namespace {

// Killers wait for one; destructors are of no use to anybody.
[[noreturn]] void GiveUp(Board* board, const std::string& message) {
  board->Fail(message);
  ::_exit(3);
}

void MustBeOk(Board* board, const char* what, const rocksdb::Status& status) {
  if (!status.ok()) {
    GiveUp(board, std::string(what) + ": " + status.ToString());
  }
}

// One thread of a writer.
class Writer {
 public:
  Writer(const KillDb& db, Board* board, uint32_t thread, uint64_t seed)
      : db_(db),
        scenario_(*db.plan().scenario),
        board_(board),
        slot_(&board->slots[thread]),
        thread_(thread),
        random_(seed) {}

  [[noreturn]] void Run() {
    for (uint64_t entry = slot_->acknowledged.load();; ++entry) {
      slot_->begun.store(entry + 1);
      if (scenario_.two_phase) {
        Transact(entry);
      } else {
        Put(entry);
      }
      if (!scenario_.manual_flush) {
        slot_->acknowledged.store(entry + 1);
      } else if (random_.OneIn(16)) {
        MustBeOk(board_, "FlushWAL", db_.get()->FlushWAL(random_.OneIn(8)));
        slot_->acknowledged.store(entry + 1);
      }
    }
  }

 private:
  rocksdb::WriteOptions NextOptions() {
    rocksdb::WriteOptions options;
    options.sync = scenario_.sync == SyncWrites::kAlways ||
                   (scenario_.sync == SyncWrites::kMixed && random_.OneIn(4));
    return options;
  }

  // `target` is a batch or a transaction.
  template <class Target>
  void PutParts(uint64_t entry, Target* target) {
    const Plan& plan = db_.plan();
    const uint32_t parts = PartsOf(plan, thread_, entry);
    for (uint32_t part = 0; part < parts; ++part) {
      MustBeOk(board_, "Put",
               target->Put(db_.family(FamilyOf(plan, entry, part)),
                           KeyOf(thread_, entry, part),
                           ValueOf(plan, thread_, entry, part)));
    }
  }

  void Put(uint64_t entry) {
    rocksdb::WriteBatch batch;
    PutParts(entry, &batch);
    MustBeOk(board_, "Write", db_.get()->Write(NextOptions(), &batch));
  }

  void Transact(uint64_t entry) {
    const std::unique_ptr<rocksdb::Transaction> transaction(
        db_.transactions()->BeginTransaction(NextOptions()));
    // The name is how Settle knows it again.
    MustBeOk(board_, "SetName", transaction->SetName(KeyOf(thread_, entry, 0)));
    PutParts(entry, transaction.get());
    MustBeOk(board_, "Prepare", transaction->Prepare());
    slot_->prepared.store(entry + 1);
    MustBeOk(board_, "Commit", transaction->Commit());
  }

  const KillDb& db_;
  const Scenario& scenario_;
  Board* const board_;
  Board::Slot* const slot_;
  const uint32_t thread_;
  Random random_;
};

// What one more thread does beside the writers.
void RunBeside(const KillDb& db, Board* board, uint64_t seed) {
  const Scenario& scenario = *db.plan().scenario;
  Random random(seed);
  while (scenario.beside != Beside::kNothing) {
    if (scenario.beside == Beside::kSyncWal) {
      MustBeOk(board, "SyncWAL", db.get()->SyncWAL());
    } else {
      const auto family =
          static_cast<uint32_t>(random.Below(scenario.families));
      MustBeOk(board, "Flush",
               db.get()->Flush(rocksdb::FlushOptions(), db.family(family)));
    }
    std::this_thread::sleep_for(
        std::chrono::microseconds(random.LogUniform(1, 10000)));
  }
}

Plan PlanOf(const std::vector<std::string>& args) {
  return Plan(std::stoull(args.at(1)), std::stoull(args.at(2)));
}

// Opens in a mode that takes a torn tail: the killer looks at the strict ones.
void OpenOrGiveUp(KillDb* db, Board* board, rocksdb::WALRecoveryMode mode) {
  board->phase.store(Board::kOpening);
  MustBeOk(board, "Open", db->Open(mode));
}

// In every other mode RocksDB 7.8 opens without a word and recycles nothing.
rocksdb::WALRecoveryMode WriterMode(const Plan& plan) {
  return plan.scenario->recycle
             ? rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords
             : rocksdb::WALRecoveryMode::kPointInTimeRecovery;
}

void MustRecycleAsAsked(const KillDb& db, Board* board) {
  const size_t asked = db.plan().scenario->recycle ? kRecycledWals : 0;
  const size_t got = db.get()->GetDBOptions().recycle_log_file_num;
  if (got != asked) {
    GiveUp(board, "recycle_log_file_num is " + std::to_string(got) + ", not " +
                      std::to_string(asked));
  }
}

int Write(const std::vector<std::string>& args) {
  const BoardMapping mapping(args.at(0));
  Board* const board = mapping.get();
  KillDb db(PlanOf(args), "uringfs", args[0]);
  OpenOrGiveUp(&db, board, WriterMode(db.plan()));
  MustRecycleAsAsked(db, board);
  const std::string wrong = Settle(db, board);
  if (!wrong.empty()) {
    GiveUp(board, wrong);
  }
  board->phase.store(Board::kOpen);
  // Another life is to choose otherwise.
  Random seeds(db.plan().seed + board->Acknowledged());
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < db.plan().scenario->threads; ++i) {
    threads.emplace_back([&db, board, i, seed = seeds.Next()] {
      Writer(db, board, i, seed).Run();
    });
  }
  RunBeside(db, board, seeds.Next());
  for (std::thread& thread : threads) {
    thread.join();
  }
  return 1;
}
const RegisterChild kWrite(kWriterChild, &Write);

int Reopen(const std::vector<std::string>& args) {
  const BoardMapping mapping(args.at(0));
  KillDb db(PlanOf(args), args.at(3), args[0]);
  OpenOrGiveUp(&db, mapping.get(),
               rocksdb::WALRecoveryMode::kPointInTimeRecovery);
  mapping.get()->phase.store(Board::kOpen);
  while (true) {
    ::pause();
  }
}
const RegisterChild kReopen(kReopenerChild, &Reopen);

}  // namespace
}  // namespace uringfs::test
