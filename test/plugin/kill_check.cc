// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What must be in a database whose writer was killed.

#include <rocksdb/utilities/transaction.h>

#include <algorithm>
#include <cstdlib>

#include "test/plugin/kill_workload.h"

namespace uringfs::test {
namespace {

std::string Entry(uint32_t thread, uint64_t entry) {
  return "thread " + std::to_string(thread) + ", entry " +
         std::to_string(entry);
}

std::string State(const Board& board, uint32_t thread) {
  const Board::Slot& slot = board.slots[thread];
  return "; acknowledged " + std::to_string(slot.acknowledged.load()) +
         ", begun " + std::to_string(slot.begun.load());
}

// Commits a transaction that a killed writer had prepared.
std::string CommitPrepared(rocksdb::Transaction* transaction,
                           const Board& board) {
  const std::string name = transaction->GetName();
  unsigned thread = kMaxThreads;
  unsigned long long entry = 0;
  if (std::sscanf(name.c_str(), "%u.%llu.", &thread, &entry) != 2 ||
      thread >= kMaxThreads) {
    return "a transaction that nobody prepared: " + name;
  }
  const Board::Slot& slot = board.slots[thread];
  if (entry < slot.acknowledged.load()) {
    return Entry(thread, entry) + ": was committed, is only prepared";
  }
  if (entry >= slot.begun.load()) {
    return Entry(thread, entry) + ": prepared, but was never begun";
  }
  const rocksdb::Status status = transaction->Commit();
  return status.ok() ? "" : "Commit: " + status.ToString();
}

std::string CommitAllPrepared(const KillDb& db, const Board& board) {
  std::vector<rocksdb::Transaction*> found;
  db.transactions()->GetAllPreparedTransactions(&found);
  std::string wrong;
  for (rocksdb::Transaction* transaction : found) {
    if (wrong.empty()) {
      wrong = CommitPrepared(transaction, board);
    }
    delete transaction;
  }
  return wrong;
}

uint32_t PartsThere(const KillDb& db, uint32_t thread, uint64_t entry) {
  const Plan& plan = db.plan();
  uint32_t there = 0;
  std::string value;
  for (uint32_t part = 0; part < PartsOf(plan, thread, entry); ++part) {
    const rocksdb::Status status = db.get()->Get(
        rocksdb::ReadOptions(), db.family(FamilyOf(plan, entry, part)),
        KeyOf(thread, entry, part), &value);
    // What it says otherwise comes up when all is compared.
    there += status.ok() ? 1 : 0;
  }
  return there;
}

// The entries that were under way: the first ones may be there, as a whole.
std::string SettleThread(const KillDb& db, uint32_t thread, Board* board) {
  Board::Slot* const slot = &board->slots[thread];
  uint64_t end = slot->acknowledged.load();
  for (uint64_t entry = end; entry < slot->begun.load(); ++entry) {
    const uint32_t there = PartsThere(db, thread, entry);
    const uint32_t parts = PartsOf(db.plan(), thread, entry);
    if (there != 0 && there != parts) {
      return Entry(thread, entry) + ": " + std::to_string(there) + " of " +
             std::to_string(parts) + " parts are there" + State(*board, thread);
    }
    if (there != 0 && entry != end) {
      return Entry(thread, entry) + ": is there, an earlier one is not" +
             State(*board, thread);
    }
    end += there != 0 ? 1 : 0;
  }
  if (db.plan().scenario->two_phase && end < slot->prepared.load()) {
    return Entry(thread, end) + ": was prepared and is gone" +
           State(*board, thread);
  }
  slot->acknowledged.store(end);
  slot->begun.store(end);
  return "";
}

// Walks one column family in step with what must be there.
class Walk {
 public:
  Walk(const KillDb& db, uint32_t family)
      : db_(db),
        family_(family),
        iterator_(
            db.get()->NewIterator(rocksdb::ReadOptions(), db.family(family))) {
    iterator_->SeekToFirst();
  }

  std::string Expect(uint32_t thread, uint64_t entry, uint64_t* keys) {
    const Plan& plan = db_.plan();
    for (uint32_t part = 0; part < PartsOf(plan, thread, entry); ++part) {
      if (FamilyOf(plan, entry, part) != family_) {
        continue;
      }
      const std::string key = KeyOf(thread, entry, part);
      if (!iterator_->Valid() || iterator_->key() != key) {
        return "must be next: " + key + ", but is: " + Here();
      }
      if (iterator_->value() != ValueOf(plan, thread, entry, part)) {
        return "a wrong value of " + key;
      }
      iterator_->Next();
      ++*keys;
    }
    return "";
  }

  std::string ExpectEnd() const {
    return iterator_->Valid() || !iterator_->status().ok()
               ? "must end, but there is: " + Here()
               : "";
  }

 private:
  std::string Here() const {
    return iterator_->Valid() ? iterator_->key().ToString()
                              : "the end, " + iterator_->status().ToString();
  }

  const KillDb& db_;
  const uint32_t family_;
  const std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace

std::string Settle(const KillDb& db, Board* board) {
  std::string wrong;
  if (db.transactions() != nullptr) {
    wrong = CommitAllPrepared(db, *board);
  }
  for (uint32_t i = 0; i < kMaxThreads && wrong.empty(); ++i) {
    wrong = SettleThread(db, i, board);
  }
  return wrong;
}

std::string CompareAll(const KillDb& db, const Board& board, uint64_t* keys) {
  for (uint32_t family = 0; family < db.plan().scenario->families; ++family) {
    Walk walk(db, family);
    std::string wrong;
    uint32_t thread = 0;
    for (; thread < kMaxThreads && wrong.empty(); ++thread) {
      const uint64_t end = board.slots[thread].acknowledged.load();
      for (uint64_t entry = 0; entry < end && wrong.empty(); ++entry) {
        wrong = walk.Expect(thread, entry, keys);
      }
    }
    if (!wrong.empty()) {
      return db.family(family)->GetName() + ": " + wrong +
             State(board, thread - 1);
    }
    wrong = walk.ExpectEnd();
    if (!wrong.empty()) {
      return db.family(family)->GetName() + ": " + wrong;
    }
  }
  return "";
}

}  // namespace uringfs::test
