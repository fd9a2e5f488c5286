// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// kill -9 at any moment, again and again: processes that write a database in
// many ways, and processes that open it again. Every acknowledged entry is
// there in the end, what was under way is there as a whole or not at all, and
// there is nothing else; whoever opens the database, in every WAL recovery
// mode. What uringfs keeps beside a WAL is gone after a clean close.

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <map>

#include "test/plugin/kill_workload.h"
#include "test/side/shared_rings.h"
#include "test/support/child_process.h"
#include "test/support/seed.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"
#include "uringfs/recovery.h"
#include "uringfs/rocksdb_wal.h"

namespace uringfs::test {
namespace {

using std::chrono::microseconds;
using std::chrono::steady_clock;

struct Mode {
  const char* name;
  rocksdb::WALRecoveryMode value;
};
constexpr Mode kModes[] = {
    {"tolerate", rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords},
    {"absolute", rocksdb::WALRecoveryMode::kAbsoluteConsistency},
    {"point-in-time", rocksdb::WALRecoveryMode::kPointInTimeRecovery},
    {"skip", rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords}};

// A child that does not even begin to open within this time hangs.
constexpr auto kHang = std::chrono::seconds(120);

// Sleeps, or less if the child dies.
bool SleepWhileAlive(const ChildProcess& child, microseconds time) {
  pollfd end = {child.output(), POLLIN, 0};
  const timespec wait = {time.count() / 1000000, time.count() % 1000000 * 1000};
  return ::ppoll(&end, 1, &wait, nullptr) == 0;
}

// Waits until `is_there()`; false if the child dies or hangs first.
template <class Condition>
bool WaitFor(const ChildProcess& child, Condition is_there,
             steady_clock::duration at_most = kHang) {
  const auto end = steady_clock::now() + at_most;
  while (!is_there()) {
    if (steady_clock::now() > end ||
        !SleepWhileAlive(child, microseconds(20))) {
      return false;
    }
  }
  return true;
}

struct Totals {
  uint64_t writers = 0;
  uint64_t reopeners = 0;
  uint64_t keys = 0;
  uint64_t torn = 0;
  uint64_t side_files_left = 0;  // kills behind which there was one
  uint64_t copies = 0;           // of log and side file that were whole
  std::map<std::string, int> rounds;
};

// One database, written, killed and reopened, and checked in the end.
class Round {
 public:
  Round(size_t scenario, const std::string& fs, const Mode& mode, uint64_t seed,
        Totals* totals)
      : scenario_(scenario),
        plan_(scenario, seed),
        fs_(fs),
        mode_(mode),
        random_(seed ^ 0x5eed),
        totals_(totals),
        mapping_(dir_.path()),
        board_(mapping_.get()) {}

  std::string ToString() const {
    return plan_.ToString() + ", reopened by " + fs_ + ", " + mode_.name;
  }

  void Run() {
    const uint64_t lives = 1 + random_.Below(3);
    for (uint64_t i = 0; i < lives && !::testing::Test::HasFailure(); ++i) {
      RunWriter();
      uint64_t reopeners = random_.OneIn(2) ? random_.Below(4) : 0;
      for (; reopeners > 0 && !::testing::Test::HasFailure(); --reopeners) {
        RunReopener();
      }
    }
    if (!::testing::Test::HasFailure()) {
      CheckAll();
    }
  }

 private:
  std::vector<std::string> Args() const {
    return {dir_.path(), std::to_string(scenario_), std::to_string(plan_.seed)};
  }

  // Log-uniform, so that the first moments have their share.
  microseconds NextTime(uint64_t at_most) {
    return microseconds(random_.LogUniform(1, at_most));
  }

  bool WaitUntilOpening(const ChildProcess& child) {
    return WaitFor(child, [this] { return board_->phase.load() != 0; });
  }

  void RunWriter() {
    board_->phase.store(Board::kStarting);
    const uint64_t before = board_->Acknowledged();
    ChildProcess child(kWriterChild, Args());
    bool alive = true;
    switch (random_.Below(6)) {
      case 0:  // whatever it is at
        alive = SleepWhileAlive(child, NextTime(100000));
        break;
      case 1:  // in Open
        alive =
            WaitUntilOpening(child) && SleepWhileAlive(child, NextTime(80000));
        break;
      case 2: {  // behind so many acknowledged ones, if they come that fast
        const uint64_t wanted = before + random_.LogUniform(1, 5000);
        alive = WaitForEntries(child, before + 1);
        WaitFor(
            child, [&] { return board_->Acknowledged() >= wanted; },
            std::chrono::milliseconds(200));
        break;
      }
      default:
        alive = WaitForEntries(child, before + 1) &&
                SleepWhileAlive(child, NextTime(200000));
    }
    Kill(&child, alive, "writer");
    ++totals_->writers;
    if (CountSideFiles() > 0) {
      ring_is_shared_ = true;
      ++totals_->side_files_left;
    }
    CheckCopies();
  }

  // What a process leaves proves itself, wherever it is found.
  void CheckCopies() {
    for (const std::string& log : PathsWith(".log")) {
      if (std::filesystem::exists(SideFilePath(log))) {
        CheckCopy(log);
      }
    }
  }

  void CheckCopy(const std::string& log) {
    const TempDir copies;
    const std::string copy =
        copies.File(std::filesystem::path(log).filename().string());
    std::filesystem::copy_file(log, copy);
    std::filesystem::copy_file(SideFilePath(log), SideFilePath(copy));
    SideFileInfo info;
    const Status status = InspectLog(copy, &RocksDbWal(), &info);
    ASSERT_TRUE(status.ok()) << status.ToString();
    totals_->copies += info.state == SideState::kWhole ? 1 : 0;
    // But one whose log has no byte yet.
    EXPECT_TRUE(info.state != SideState::kUnusable ||
                info.reason.find("no bytes in common") != std::string::npos)
        << info.reason;
  }

  bool WaitForEntries(const ChildProcess& child, uint64_t count) {
    return WaitFor(child, [&] {
      return board_->phase.load() == Board::kOpen &&
             board_->Acknowledged() >= count;
    });
  }

  void RunReopener() {
    board_->phase.store(Board::kStarting);
    std::vector<std::string> args = Args();
    args.push_back(fs_);
    ChildProcess child(kReopenerChild, args);
    const bool alive =
        WaitUntilOpening(child) && SleepWhileAlive(child, NextTime(60000));
    Kill(&child, alive, "reopener");
    ++totals_->reopeners;
  }

  void Kill(ChildProcess* child, bool alive, const char* what) {
    child->Kill();
    // A last word may come in the very moment of the kill.
    EXPECT_TRUE(alive && child->Wait() == -SIGKILL &&
                board_->failed.load() == 0)
        << "the " << what
        << (alive ? " failed" : " ended by itself or came to nothing")
        << ", result " << child->Wait() << ": " << board_->error;
  }

  // A ring that died with its process left what the device had of a record
  // that lay across two buffers.
  bool MayTear() const {
    return plan_.scenario->may_tear || !ring_is_shared_ || HasCutWrite();
  }

  // A WAL that is too small for a side file is written through the page cache,
  // and a kill may end such a write behind any page of it, as on posix.
  bool HasCutWrite() const {
    const uint64_t page = 4096;
    for (const std::string& path : PathsWith(".log")) {
      if (!std::filesystem::exists(SideFilePath(path)) &&
          std::filesystem::file_size(path) > 0 &&
          std::filesystem::file_size(path) % page == 0) {
        return true;
      }
    }
    return false;
  }

  void CheckAll() {
    const bool may_tear = MayTear();
    KillDb db(plan_, fs_, dir_.path());
    rocksdb::Status status = db.Open(mode_.value);
    if (status.IsCorruption() && may_tear &&
        mode_.value == rocksdb::WALRecoveryMode::kAbsoluteConsistency) {
      ++totals_->torn;
      status = db.Open(rocksdb::WALRecoveryMode::kPointInTimeRecovery);
    }
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_EQ(Settle(db, board_), "");
    ASSERT_EQ(CompareAll(db, *board_, &totals_->keys), "");
    status = db.Close();
    ASSERT_TRUE(status.ok()) << status.ToString();
    EXPECT_EQ(CountSideFiles(), 0u) << "left behind by a clean close";
    status = db.Destroy();
    ASSERT_TRUE(status.ok()) << status.ToString();
    for (const std::string& dir : Dirs()) {
      EXPECT_EQ(NamesIn(dir), std::vector<std::string>()) << dir;
    }
  }

  std::vector<std::string> Dirs() const {
    return {DbDir(dir_.path()), WalDir(dir_.path())};
  }

  static std::vector<std::string> NamesIn(const std::string& dir) {
    std::vector<std::string> names;
    std::error_code missing;
    for (const auto& entry :
         std::filesystem::directory_iterator(dir, missing)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  // What uringfs keeps beside WALs.
  size_t CountSideFiles() const { return PathsWith(".uringfs").size(); }

  std::vector<std::string> PathsWith(const std::string& extension) const {
    std::vector<std::string> paths;
    for (const std::string& dir : Dirs()) {
      for (const std::string& name : NamesIn(dir)) {
        if (std::filesystem::path(name).extension() == extension) {
          paths.push_back(dir + "/" + name);
        }
      }
    }
    return paths;
  }

  const size_t scenario_;
  const Plan plan_;
  const std::string fs_;
  const Mode& mode_;
  Random random_;
  Totals* const totals_;
  const TempDir dir_;
  const BoardMapping mapping_;
  Board* const board_;
  bool ring_is_shared_ = false;
};

void Report(const Totals& totals) {
  const auto record = [](const std::string& name, uint64_t value) {
    ::testing::Test::RecordProperty(name, std::to_string(value));
    std::cout << name << ": " << value << "\n";
  };
  record("writers_killed", totals.writers);
  record("reopeners_killed", totals.reopeners);
  record("kills_that_left_side_files", totals.side_files_left);
  record("copies_that_were_whole", totals.copies);
  record("keys_checked", totals.keys);
  record("torn_records_refused_by_absolute", totals.torn);
  for (const auto& [name, rounds] : totals.rounds) {
    std::string property = "rounds_" + name;
    std::replace_if(
        property.begin(), property.end(),
        [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    record(property, static_cast<uint64_t>(rounds));
  }
}

// Rounds until so many writers were killed, which all write over uringfs.
// `reopen`: the file systems that open the database again, in turns.
void Campaign(const std::vector<std::string>& reopen, uint64_t kills,
              uint64_t fixed_seed) {
  URINGFS_SKIP_WITHOUT_SHARED_RINGS(TempDir().path());
  const uint64_t seed = SeedOr(fixed_seed);
  Random random(seed);
  Totals totals;
  for (size_t i = 0; totals.writers < kills; ++i) {
    const size_t scenario = i % Scenarios().size();
    const size_t turn = i / Scenarios().size();
    Round round(scenario, reopen[(i + turn / 4) % reopen.size()],
                kModes[(i + turn) % std::size(kModes)], random.Next(), &totals);
    SCOPED_TRACE(SeedTrace(seed) + ", round " + std::to_string(i) + ", " +
                 round.ToString());
    round.Run();
    ++totals.rounds[Scenarios()[scenario].name];
    if (::testing::Test::HasFailure()) {
      break;
    }
  }
  Report(totals);
  EXPECT_TRUE(totals.side_files_left > 0 || ::testing::Test::HasFailure())
      << "nothing was recovered here";
}

TEST(DbKillTest, NothingIsLostWhenUringfsReopens) {
  Campaign({"uringfs", "uringfs_plain"}, 60, 21);
}

TEST(DbKillTest, NothingIsLostWhenPosixReopensAfterRecovery) {
  Campaign({"posix"}, 40, 22);
}

TEST(DbKillTest, LongCampaignReopenedByUringfs) {
  Campaign({"uringfs", "uringfs_plain"}, 1000, 23);
}

TEST(DbKillTest, LongCampaignReopenedByPosixAfterRecovery) {
  Campaign({"posix"}, 1000, 24);
}

}  // namespace
}  // namespace uringfs::test
