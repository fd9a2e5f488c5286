// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Databases whose last WAL is as power loss may leave it, opened by posix and,
// with the side file of the boot before beside the WAL, by uringfs: that one
// gets back every record in front of the first loss, whatever the recovery
// mode, and none behind it.

#include <algorithm>
#include <array>
#include <atomic>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "test/plugin/torn_db.h"
#include "test/plugin/torn_outcomes.h"
#include "test/plugin/torn_wal.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

constexpr size_t kMaxFailures = 20;

// Of so many images one is opened for write as well, which takes longer.
constexpr size_t kOpenEvery = 29;

// Opens all images of one WAL, in a few threads.
class Campaign {
 public:
  Campaign(const WalDb& db, const TwoEnvs& envs, std::vector<Damage> damages)
      : db_(db), envs_(envs), images_(db.wal), damages_(std::move(damages)) {}

  void Run(Table* table) {
    ASSERT_EQ(images_.ends().size(), db_.values.size());
    ASSERT_EQ(images_.ends().back(), db_.wal.size());
    std::vector<std::thread> threads;
    const unsigned cores = std::thread::hardware_concurrency();
    for (unsigned i = 0; i < std::clamp(cores, 2u, 4u); ++i) {
      threads.emplace_back([this] { Work(); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    for (const std::string& failure : failures_) {
      ADD_FAILURE() << failure;
    }
    EXPECT_EQ(failed_, 0u);
    table->Add(table_);
    std::cout << damages_.size() << " images, opened " << looks_
              << " times for read and " << opens_ << " times for write"
              << std::endl;
  }

 private:
  using ByMode = std::array<Outcome, kModes.size()>;
  using Outcomes = std::array<ByMode, 2>;  // of posix, of uringfs

  // Of one thread.
  struct Worker {
    TornDb db;
    Table table;
    std::map<uint64_t, ByMode> of_prefix;  // of the intact WAL, by length
  };

  void Work() {
    Worker worker = {TornDb(db_, envs_), {}, {}};
    worker.db.PutBack(images_.wal());
    for (size_t i = next_++; i < damages_.size(); i = next_++) {
      const std::string image = images_.Make(damages_[i]);
      const Outcomes outcomes = Look(image, &worker);
      if (i % kOpenEvery == 0) {
        CompareWithOpen(damages_[i], image, outcomes, &worker.db);
      }
      Judge(damages_[i], image, outcomes, &worker.table);
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    table_.Add(worker.table);
  }

  Outcomes Look(const std::string& image, Worker* worker) {
    TornDb* const db = &worker->db;
    Outcomes outcomes;
    db->PutWal(image);
    outcomes[0] = LookAsItIs(/*is_uring=*/false, *db);
    db->PutWal(image);
    db->PutOldSideFile();
    db->LockByUringFs();
    if (db->HasSideFile()) {
      Fail("there still is a side file");
    }
    // Most images become one of few that are cut behind a record.
    const std::string left = ReadWholeFile(db->wal_path());
    const bool is_prefix =
        images_.wal().compare(0, left.size(), left) == 0 &&
        std::binary_search(images_.ends().begin(), images_.ends().end(),
                           left.size());
    if (!is_prefix) {
      outcomes[1] = LookAsItIs(/*is_uring=*/true, *db);
      return outcomes;
    }
    const auto [known, is_new] = worker->of_prefix.try_emplace(left.size());
    if (is_new) {
      known->second = LookAsItIs(/*is_uring=*/true, *db);
    }
    outcomes[1] = known->second;
    return outcomes;
  }

  ByMode LookAsItIs(bool is_uring, const TornDb& db) {
    ByMode outcomes;
    for (size_t mode = 0; mode < kModes.size(); ++mode) {
      outcomes[mode] = db.Look(is_uring, kModes[mode].mode);
    }
    looks_ += kModes.size();
    return outcomes;
  }

  void CompareWithOpen(const Damage& damage, const std::string& image,
                       const Outcomes& outcomes, TornDb* db) {
    for (size_t mode = 0; mode < kModes.size(); ++mode) {
      for (const bool is_uring : {false, true}) {
        db->PutBack(image);
        if (is_uring) {
          db->PutOldSideFile();
        }
        const Outcome opened = db->Open(is_uring, kModes[mode].mode);
        const Outcome& looked = outcomes[is_uring ? 1 : 0][mode];
        if (!(opened == looked)) {
          Fail(ToString(damage) + ", " + kModes[mode].name + ", " +
               (is_uring ? "uringfs" : "posix") + ": opened for write, " +
               ToString(opened) + "; else " + ToString(looked));
        }
        ++opens_;
      }
    }
    db->PutBack(image);
  }

  void Judge(const Damage& damage, const std::string& image,
             const Outcomes& outcomes, Table* table) {
    const uint64_t whole = images_.WholeRecords(image);
    const bool is_flipped = damage.kind == DamageKind::kFlipped;
    const bool is_lost = !is_flipped && !images_.IsWithinSector(damage);
    // If not, RocksDB's judgement is as good as a cut.
    const bool may_be_cut = !is_flipped || images_.LooksCut(image, damage.n);
    for (size_t mode = 0; mode < kModes.size(); ++mode) {
      const Outcome& posix = outcomes[0][mode];
      const Outcome& uring = outcomes[1][mode];
      table->Add(damage.kind, mode, false, ClassOf(posix, whole));
      table->Add(damage.kind, mode, true, ClassOf(uring, whole));
      std::string wrong;
      if (is_lost || (may_be_cut && !(posix == uring))) {
        wrong = JudgeLost(posix, uring, whole);
      } else if (!(posix == uring)) {
        wrong = "not as posix does";
      }
      if (!wrong.empty()) {
        Fail(ToString(damage) + ", " + kModes[mode].name + ", " +
             std::to_string(whole) + " whole records in front: posix " +
             ToString(posix) + "; uringfs " + ToString(uring) + ": " + wrong);
      }
    }
  }

  // What is wrong, if bytes were lost.
  static std::string JudgeLost(const Outcome& posix, const Outcome& uring,
                               uint64_t whole) {
    if (!uring.is_open) {
      return "does not open";
    }
    if (uring.has_gap) {
      return "a gap";
    }
    if (uring.keys != whole) {
      return "not the whole records in front of the damage";
    }
    return posix.is_open && !posix.has_gap && posix.keys > uring.keys
               ? "fewer than posix"
               : "";
  }

  void Fail(const std::string& failure) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++failed_;
    if (failures_.size() < kMaxFailures) {
      failures_.push_back(failure);
    }
  }

  const WalDb& db_;
  const TwoEnvs& envs_;
  const WalImages images_;
  const std::vector<Damage> damages_;
  std::atomic<size_t> next_{0};
  std::atomic<uint64_t> looks_{0};
  std::atomic<uint64_t> opens_{0};
  std::mutex mutex_;
  // Guarded by mutex_:
  Table table_;
  std::vector<std::string> failures_;
  uint64_t failed_ = 0;
};

// Bytes that a lost sector does not have: none is zero.
std::string NeverZero(uint64_t bytes, uint64_t seed) {
  Random random(seed);
  std::string value(bytes, '\0');
  for (char& c : value) {
    c = static_cast<char>(1 + random.Below(255));
  }
  return value;
}

// So many values of 40 to 3000 bytes; the last few are short.
std::vector<std::string> SomeValues(uint64_t count, uint64_t seed) {
  Random random(seed);
  std::vector<std::string> values;
  while (values.size() < count) {
    const uint64_t longest = values.size() + 4 < count ? 3000 : 400;
    values.push_back(NeverZero(random.LogUniform(40, longest), random.Next()));
  }
  return values;
}

// Bytes of a record beside its value and its fragments' headers, if the value
// has a length of two bytes.
uint64_t BatchBytes() { return 12 + 1 + 1 + Key(0).size() + 2; }

// So that a record ends `left` bytes in front of a block's end.
std::vector<std::string> ValuesThatLeave(uint64_t left) {
  constexpr uint64_t kUsual = 1500;
  std::vector<std::string> values;
  uint64_t at = 0;
  const auto add = [&](uint64_t bytes) {
    values.push_back(NeverZero(bytes, 100 * left + values.size()));
    at = RecordEnd(at, BatchBytes() + bytes);
  };
  while (at + 2 * kUsual < kWalBlock - left) {
    add(kUsual);
  }
  add(kWalBlock - left - at - kWalHeader - BatchBytes());
  EXPECT_EQ(at, kWalBlock - left);
  for (int i = 0; i < 4; ++i) {
    add(kUsual);
  }
  return values;
}

const std::vector<DamageKind> kEnds = {DamageKind::kCut, DamageKind::kZeros};

class DbTornWalTest : public ::testing::Test {
 protected:
  // Each damage to the WAL of these values.
  template <typename Plan>
  void Run(std::vector<std::string> values, const Plan& plan) {
    WalDb db;
    ASSERT_NO_FATAL_FAILURE(
        MakeWalDb(std::move(values), envs_.posix.get(), &db));
    Campaign(db, envs_, plan(WalImages(db.wal))).Run(&table_);
  }

  // The last records and the last block's begin.
  static std::vector<Damage> AroundTheEnd(const WalImages& images) {
    const uint64_t size = images.wal().size();
    const uint64_t records = images.ends().end()[-4];
    const uint64_t block = size / kWalBlock * kWalBlock;
    EXPECT_GE(block, kWalBlock);
    std::vector<Damage> damages;
    AddEach(kEnds, records, size + 1, 1, &damages);
    AddEach(kEnds, block - 20, block + 20, 1, &damages);
    AddEach({DamageKind::kManyZeros}, records, size + 1, 7, &damages);
    AddEach({DamageKind::kTorn}, 1, 200, 1, &damages);
    return damages;
  }

  // Every byte of the last two blocks.
  static std::vector<Damage> TwoBlocks(const WalImages& images) {
    const uint64_t size = images.wal().size();
    EXPECT_GE(size, 2 * kWalBlock);
    const uint64_t begin = size - 2 * kWalBlock;
    std::vector<Damage> damages;
    AddEach(kEnds, begin, size + 1, 1, &damages);
    AddEach({DamageKind::kManyZeros}, begin, size + 1, 31, &damages);
    AddEach({DamageKind::kTorn}, 1, 10000, 1, &damages);
    AddEach({DamageKind::kFlipped}, begin, size, 7, &damages);
    AddHoles(images, 0, &damages);
    return damages;
  }

  const TwoEnvs envs_;
  Table table_;
};

TEST_F(DbTornWalTest, ATornEndCostsNoRecordInFrontOfIt) {
  Run(SomeValues(60, 1), &AroundTheEnd);
  table_.Print();
}

TEST_F(DbTornWalTest, AHoleHidesWhatFollows) {
  Run(SomeValues(60, 2), [](const WalImages& images) {
    std::vector<Damage> damages;
    AddHoles(images, 0, &damages);
    return damages;
  });
  table_.Print();
  // That there is something to hide, in the mode that skips.
  EXPECT_GT(table_.Count(DamageKind::kLostPage, kModes.size() - 1,
                         /*is_uring=*/false, "opens with a gap"),
            0u);
}

TEST_F(DbTornWalTest, RecordsThatEndWithABlock) {
  for (uint64_t left = 0; left <= 12; ++left) {
    SCOPED_TRACE(left);
    Run(ValuesThatLeave(left), [](const WalImages& images) {
      std::vector<Damage> damages;
      AddEach(kEnds, kWalBlock - 13, kWalBlock + 9, 1, &damages);
      AddHoles(images, kWalBlock - kPage, &damages);
      return damages;
    });
  }
  table_.Print();
  // Behind a hole to the end of a block every mode of RocksDB's goes on.
  for (size_t mode = 0; mode < kModes.size(); ++mode) {
    EXPECT_GT(table_.Count(DamageKind::kLostPage, mode, /*is_uring=*/false,
                           "opens with a gap"),
              0u)
        << kModes[mode].name;
  }
}

TEST_F(DbTornWalTest, ValuesOfZerosAreNoHoles) {
  std::vector<std::string> values = SomeValues(60, 3);
  for (std::string& value : values) {
    value.assign(value.size(), '\0');
  }
  Run(std::move(values), [](const WalImages& images) {
    std::vector<Damage> damages = AroundTheEnd(images);
    AddHoles(images, images.wal().size() - 16 * 1024, &damages);
    return damages;
  });
  table_.Print();
}

TEST_F(DbTornWalTest, AFlippedBitIsLeftToRocksDb) {
  Run(SomeValues(60, 4), [](const WalImages& images) {
    std::vector<Damage> damages;
    const uint64_t size = images.wal().size();
    AddEach({DamageKind::kFlipped}, images.ends().end()[-4], size, 1, &damages);
    AddEach({DamageKind::kFlipped}, 0, size, 97, &damages);
    for (const uint64_t end : images.ends()) {
      AddEach({DamageKind::kFlipped}, end, std::min(end + 19, size), 1,
              &damages);
    }
    return damages;
  });
  table_.Print();
}

TEST_F(DbTornWalTest, LongEveryByteOfTwoBlocks) {
  Run(SomeValues(90, 5), &TwoBlocks);
  table_.Print();
}

}  // namespace
}  // namespace uringfs::test
