// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Readers in other processes than the writer: read-only instances, secondaries
// and tailers, through uringfs and through posix.

#include <rocksdb/db.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "test/plugin/db_fixture.h"
#include "test/plugin/fs_fixture.h"
#include "test/plugin/owner_child.h"
#include "test/side/shared_rings.h"

#include "uringfs/recovery.h"

namespace uringfs::test {
namespace {

std::unique_ptr<rocksdb::DB> OpenReadOnly(rocksdb::Env* env,
                                          const std::string& path) {
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::OpenForReadOnly(SmallDbOptions(env), path, &db);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return std::unique_ptr<rocksdb::DB>(db);
}

bool Has(rocksdb::DB* db, uint64_t i) {
  std::string value;
  const auto status = db->Get(rocksdb::ReadOptions(), Key(i), &value);
  EXPECT_TRUE(status.ok() || status.IsNotFound()) << status.ToString();
  EXPECT_TRUE(!status.ok() || value == Value(i)) << Key(i);
  return status.ok();
}

// How many keys there are; expects that they are the first ones, up to `end`.
uint64_t CountPrefix(rocksdb::DB* db, uint64_t end) {
  uint64_t count = 0;
  while (count < end && Has(db, count)) {
    ++count;
  }
  for (uint64_t i = count; i < end; ++i) {
    EXPECT_FALSE(Has(db, i)) << "a gap: " << Key(count) << " is missing";
  }
  return count;
}

// A reader looks at the MANIFEST first and at the WALs then. On any file system
// it misses a WAL, or fails, if the owner has flushed and deleted it in
// between, until it looks again: so what has to be seen at once is put by an
// owner that settles before.
bool PutAndSettle(OwnerChild* owner, uint64_t end) {
  return owner->Do("put " + std::to_string(end)) && owner->Do("settle");
}

class DbReadersTest : public ::testing::Test {
 protected:
  void SetUp() override { URINGFS_SKIP_WITHOUT_SHARED_RINGS(dir_.path()); }

  std::unique_ptr<rocksdb::DB> OpenSecondary() {
    rocksdb::Options options = SmallDbOptions(env_.get());
    options.max_open_files = -1;
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::OpenAsSecondary(
        options, path_, dir_.File("secondary"), &db);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return std::unique_ptr<rocksdb::DB>(db);
  }

  const TempDir dir_;
  const std::string path_ = dir_.File("db");
  const EnvByName env_{"uringfs"};
  const EnvByName posix_{"posix"};
};

TEST_F(DbReadersTest, AReadOnlyOpenSeesEveryAcknowledgedKey) {
  OwnerChild owner("db", path_);
  for (const uint64_t end : {1, 2, 40, 900, 901, 4000, 4001}) {
    ASSERT_TRUE(PutAndSettle(&owner, end));
    const auto db = OpenReadOnly(env_.get(), path_);
    ASSERT_NE(db, nullptr);
    Check(db.get(), 0, end);
    EXPECT_FALSE(Has(db.get(), end));
  }
  EXPECT_TRUE(owner.Do("close"));
}

TEST_F(DbReadersTest, ASecondarySeesNewKeysAgainAndAgain) {
  OwnerChild owner("db", path_);
  ASSERT_TRUE(owner.Do("put 1"));
  const auto db = OpenSecondary();
  ASSERT_NE(db, nullptr);
  uint64_t end = 1;
  for (int round = 0; round < 120; ++round) {
    // From one key to more than a memtable.
    end += round % 40 == 39 ? 1500 : round % 7 == 6 ? 100 : 1;
    ASSERT_TRUE(PutAndSettle(&owner, end));
    if (round % 25 == 24) {
      ASSERT_TRUE(owner.Do("flush"));
    }
    const rocksdb::Status status = db->TryCatchUpWithPrimary();
    ASSERT_TRUE(status.ok()) << round << ": " << status.ToString();
    ASSERT_TRUE(Has(db.get(), end - 1)) << round;
    ASSERT_FALSE(Has(db.get(), end)) << round;
  }
  Check(db.get(), 0, end);
  EXPECT_TRUE(owner.Do("close"));
}

TEST_F(DbReadersTest, ASecondaryBesideAWriterAtFullSpeedNeverFails) {
  OwnerChild owner("db", path_);
  ASSERT_TRUE(owner.Do("put 1"));
  const auto db = OpenSecondary();
  ASSERT_NE(db, nullptr);
  uint64_t seen = 1;
  int rounds = 0;
  for (uint64_t end = 10000; end <= 30000; end += 10000) {
    ASSERT_TRUE(owner.Begin("put " + std::to_string(end)));
    std::atomic<bool> done{false};
    bool succeeded = false;
    std::thread waiter([&] {
      succeeded = owner.End();
      done.store(true);
    });
    while (!done.load()) {
      const rocksdb::Status status = db->TryCatchUpWithPrimary();
      EXPECT_TRUE(status.ok()) << status.ToString();
      // Never back, and no key that was not put.
      EXPECT_TRUE(Has(db.get(), seen - 1));
      while (seen < end && Has(db.get(), seen)) {
        ++seen;
      }
      ++rounds;
    }
    waiter.join();
    ASSERT_TRUE(succeeded);
    ASSERT_TRUE(owner.Do("settle"));
    const rocksdb::Status status = db->TryCatchUpWithPrimary();
    ASSERT_TRUE(status.ok()) << status.ToString();
    Check(db.get(), 0, end);
  }
  EXPECT_GT(rounds, 3);
}

TEST_F(DbReadersTest, PosixSeesAPrefixWithoutGaps) {
  OwnerChild owner("db", path_);
  for (const uint64_t end : {1, 3, 100, 950, 2200, 2201}) {
    ASSERT_TRUE(PutAndSettle(&owner, end));
    const auto db = OpenReadOnly(posix_.get(), path_);
    ASSERT_NE(db, nullptr);
    EXPECT_LE(CountPrefix(db.get(), end + 10), end);
  }
  // What nobody adds to reaches the file within milliseconds.
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const auto db = OpenReadOnly(posix_.get(), path_);
  ASSERT_NE(db, nullptr);
  EXPECT_EQ(CountPrefix(db.get(), 2211), 2201u);
}

// Names, bytes and times of all files in a directory.
using Snapshot = std::map<std::string, std::pair<std::string, int64_t>>;
Snapshot Look(const std::string& directory) {
  Snapshot files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    struct stat status = {};
    EXPECT_EQ(::stat(entry.path().c_str(), &status), 0);
    files[entry.path().filename().string()] = {
        ReadWholeFile(entry.path().string()),
        status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec};
  }
  return files;
}

TEST_F(DbReadersTest, BehindAKillAReadOnlyOpenSeesAllAndChangesNothing) {
  OwnerChild owner("db", path_);
  ASSERT_TRUE(owner.Do("put 1700"));
  owner.Kill();
  const Snapshot before = Look(path_);
  const bool has_side_file =
      std::any_of(before.begin(), before.end(),
                  [](const auto& file) { return IsSideFileName(file.first); });
  EXPECT_TRUE(has_side_file) << "no shared ring: nothing is tested here";
  {
    const auto db = OpenReadOnly(env_.get(), path_);
    ASSERT_NE(db, nullptr);
    Check(db.get(), 0, 1700);
    EXPECT_FALSE(Has(db.get(), 1700));
  }
  {
    const auto db = OpenSecondary();
    ASSERT_NE(db, nullptr);
    Check(db.get(), 0, 1700);
  }
  EXPECT_TRUE(Look(path_) == before);
  {
    const auto db = OpenDb(SmallDbOptions(env_.get()), path_);
    ASSERT_NE(db, nullptr);
    Check(db.get(), 0, 1700);
  }
  for (const auto& file : Look(path_)) {
    EXPECT_FALSE(IsSideFileName(file.first)) << file.first;
  }
}

TEST_F(DbReadersTest, BehindAKillAtAChangeOfWalsPosixSeesNoGap) {
  for (int round = 0; round < 10; ++round) {
    const std::string path = dir_.File("db" + std::to_string(round));
    OwnerChild owner("db", path);
    ASSERT_TRUE(owner.Do("put 1"));
    ASSERT_TRUE(owner.Begin("put 1000000"));
    // As soon as the second WAL has anything.
    std::error_code none;
    const auto size = [&] {
      const auto bytes = std::filesystem::file_size(path + "/000008.log", none);
      return none ? 0 : bytes;
    };
    const auto give_up =
        std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (size() == 0 && std::chrono::steady_clock::now() < give_up) {
    }
    owner.Kill();
    const auto db = OpenReadOnly(posix_.get(), path);
    ASSERT_NE(db, nullptr);
    EXPECT_GT(CountPrefix(db.get(), 4000), 0u);
  }
}

class WalReadersTest : public FsFixture {
 protected:
  void SetUp() override { URINGFS_SKIP_WITHOUT_SHARED_RINGS(dir_.path()); }
};

INSTANTIATE_TEST_SUITE_P(All, WalReadersTest,
                         ::testing::Values("uringfs", "uringfs_pwrite"),
                         [](const auto& param) { return param.param; });

TEST_P(WalReadersTest, ATailerAtTheEndSeesLaterBytes) {
  OwnerChild owner("wal", Path("000004.log"));
  ASSERT_TRUE(owner.Do("add 0"));
  const Reader reader = OpenReader("000004.log");
  EXPECT_EQ(Read(reader, 100), "");
  const std::string bytes = Pattern(kOwnerBytes);
  size_t end = 0;
  std::string seen;
  // From less than a block to more than the ring.
  for (const size_t step : {100, 1, 5000, 4096, 300000, 3000000, 7, 3}) {
    ASSERT_TRUE(owner.Do("append " + std::to_string(step)));
    end += step;
    for (std::string piece; !(piece = Read(reader, 32768)).empty();) {
      seen += piece;
    }
    ASSERT_EQ(seen.size(), end);
    ASSERT_EQ(bytes.compare(0, end, seen), 0) << end;
  }
  ASSERT_TRUE(owner.Do("append 10"));
  ASSERT_TRUE(owner.Do("close"));
  EXPECT_EQ(Read(reader, 32768), bytes.substr(end, 10));
  EXPECT_EQ(Read(reader, 32768), "");
}

TEST_P(WalReadersTest, SizeAndBytesAreWhatWasFlushed) {
  OwnerChild owner("wal", Path("000004.log"));
  ASSERT_TRUE(owner.Do("add 0"));
  const std::string bytes = Pattern(kOwnerBytes);
  size_t end = 0;
  for (const size_t step : {3, 4093, 1, 70000, 1200000, 5}) {
    ASSERT_TRUE(owner.Do("append " + std::to_string(step)));
    end += step;
    EXPECT_EQ(Size("000004.log"), end);
    EXPECT_EQ(ReadAll("000004.log"), bytes.substr(0, end));
    const RandomReader random = OpenRandom("000004.log");
    EXPECT_EQ(Read(random, end - 2, 100), bytes.substr(end - 2, 2));
    EXPECT_EQ(Read(random, end, 100), "");
    std::vector<rocksdb::FileAttributes> children;
    ASSERT_TRUE(
        fs_->GetChildrenFileAttributes(dir_.path(), io_, &children, nullptr)
            .ok());
    for (const auto& child : children) {
      EXPECT_TRUE(child.name != "000004.log" || child.size_bytes == end);
    }
  }
  // Not flushed, so not promised; but the background may have written it.
  ASSERT_TRUE(owner.Do("add 100"));
  EXPECT_GE(Size("000004.log"), end);
  EXPECT_LE(Size("000004.log"), end + 100);
}

TEST_P(WalReadersTest, ATailerBesideAWriterSeesNothingElse) {
  OwnerChild owner("wal", Path("000004.log"));
  ASSERT_TRUE(owner.Do("add 0"));
  const Reader reader = OpenReader("000004.log");
  const std::string bytes = Pattern(kOwnerBytes);
  std::string seen;
  std::thread writer([&] {
    for (int i = 0; i < 4000; ++i) {
      ASSERT_TRUE(owner.Do("append " + std::to_string(1 + i * 7 % 3000)));
    }
    ASSERT_TRUE(owner.Do("close"));
  });
  size_t total = 0;
  for (int i = 0; i < 4000; ++i) {
    total += static_cast<size_t>(1 + i * 7 % 3000);
  }
  const auto give_up =
      std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (seen.size() < total && std::chrono::steady_clock::now() < give_up) {
    const std::string piece = Read(reader, 50000);
    ASSERT_EQ(bytes.compare(seen.size(), piece.size(), piece), 0);
    seen += piece;
    ASSERT_GE(Size("000004.log"), seen.size());
  }
  writer.join();
  EXPECT_EQ(seen.size(), total);
}

}  // namespace
}  // namespace uringfs::test
