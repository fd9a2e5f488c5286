// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A log of numbered records, and the side file of an owner that was killed over
// it.

#ifndef URINGFS_TEST_RECOVERY_CONTENT_FIXTURE_H_
#define URINGFS_TEST_RECOVERY_CONTENT_FIXTURE_H_

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include "src/rocksdb_wal/wal_records.h"
#include "test/recovery/recovery_fixture.h"
#include "test/rocksdb_wal/wal_writer.h"
#include "test/side/side_builder.h"
#include "test/support/temp_dir.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "uringfs/recovery.h"
#include "uringfs/rocksdb_wal.h"

namespace uringfs::test {

// Of a write batch of one entry.
inline std::string BatchHead(uint64_t number) {
  std::string head(12, '\0');
  std::memcpy(head.data(), &number, sizeof(number));
  head[8] = 1;
  return head;
}

// Records of the same lengths for every `salt`, numbered from `first` on.
inline std::string NumberedLog(char salt, uint64_t first = 1) {
  WalWriter log;
  Random lengths(17);
  for (uint64_t number = first; log.bytes().size() < 200000; ++number) {
    log.Add(BatchHead(number) +
            std::string(lengths.LogUniform(4, 9000) - 4, salt));
  }
  return log.bytes();
}

class StringSource final : public ByteSource {
 public:
  explicit StringSource(std::string bytes) : bytes_(std::move(bytes)) {}
  int ReadAt(uint64_t offset, size_t bytes, char* out,
             size_t* got) const override {
    *got = offset < bytes_.size() ? bytes_.copy(out, bytes, offset) : 0;
    return 0;
  }

 private:
  const std::string bytes_;
};

class ContentTest : public testing::Test {
 protected:
  ContentTest() {
    built_.stream = NumberedLog('a');
    built_.buffer_bytes = 16384;
    built_.buffers_count = 4;
    built_.origin = 0;
    built_.written = 90000;
    built_.filled = EndOf(built_.Bytes(0, 130000)).offset;
  }

  static RecordsEnd EndOf(const std::string& bytes) {
    RecordsEnd end;
    EXPECT_TRUE(FindWalEnd(StringSource(bytes), "", UINT64_MAX, &end).ok());
    return end;
  }

  // The same file again, as a copy makes it: another inode, born now.
  void Replace(const std::string& path) {
    std::filesystem::copy_file(path, dir_.File("copy"));
    std::filesystem::rename(dir_.File("copy"), path);
  }

  SideFileInfo Look() {
    SideFileInfo info;
    EXPECT_TRUE(InspectLog(built_.log_path, &RocksDbWal(), &info).ok());
    return info;
  }

  RecoveryReport Choose(Unusable unusable) {
    RecoveryOptions options;
    options.wait_ms = 50;
    options.format = &RocksDbWal();
    options.unusable = unusable;
    RecoveryReport report;
    const Status status = RecoverLog(built_.log_path, options, &report);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return report;
  }

  // What a reader sees, and what recovery makes of it.
  void ExpectLog(const std::string& bytes) {
    std::unique_ptr<LogView> view;
    const Status status = LogView::Open(built_.log_path, &RocksDbWal(), &view);
    ASSERT_TRUE(status.ok()) << status.ToString();
    uint64_t size = 0;
    ASSERT_TRUE(view->Size(&size).ok());
    std::string seen(size, '\0');
    size_t got = 0;
    ASSERT_TRUE(view->Read(0, size, seen.data(), &got).ok());
    // A reader needs not see what nobody has acknowledged.
    EXPECT_TRUE(seen == bytes.substr(0, size) &&
                (size == bytes.size() || size >= built_.filled))
        << size << " of " << bytes.size();
    const RecoveryReport report = Choose(Unusable::kLeave);
    EXPECT_NE(report.outcome, RecoveryOutcome::kUnusable) << report.message;
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == bytes)
        << report.message << ": " << ReadWholeFile(built_.log_path).size()
        << " of " << bytes.size();
    EXPECT_FALSE(std::filesystem::exists(built_.side_path()));
    EXPECT_EQ(Choose(Unusable::kLeave).outcome, RecoveryOutcome::kNothing);
  }

  void ExpectAllIsThere() { ExpectLog(built_.whole()); }

  void ExpectOutdated() { ExpectUnknownStake("behind all that it knows of"); }

  // What is missing is not known.
  void ExpectUnknownStake(const std::string& why) {
    const std::string log = ReadWholeFile(built_.log_path);
    const SideFileInfo info = Look();
    EXPECT_EQ(info.state, SideState::kUnusable) << ToString(info.state);
    EXPECT_FALSE(info.knows_stake);
    const RecoveryReport report = Choose(Unusable::kLeave);
    EXPECT_EQ(report.outcome, RecoveryOutcome::kUnusable) << report.message;
    EXPECT_THAT(report.message, testing::HasSubstr(why));
    EXPECT_THAT(report.message, testing::HasSubstr("may be missing"));
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == log);
  }

  void ExpectUnusable(const std::string& why) {
    SCOPED_TRACE(why);
    const std::string log = ReadWholeFile(built_.log_path);
    const std::string side = ReadWholeFile(built_.side_path());
    const SideFileInfo info = Look();
    EXPECT_EQ(info.state, SideState::kUnusable) << ToString(info.state);
    EXPECT_GT(info.at_stake, 0u);
    const RecoveryReport report = Choose(Unusable::kLeave);
    EXPECT_EQ(report.outcome, RecoveryOutcome::kUnusable) << report.message;
    std::unique_ptr<LogView> view;
    const Status status = LogView::Open(built_.log_path, &RocksDbWal(), &view);
    EXPECT_EQ(status.code(), Status::Code::kIoError);
    for (const std::string& text :
         {info.reason, report.message, status.ToString()}) {
      EXPECT_THAT(text, testing::HasSubstr(why));
      EXPECT_THAT(text, testing::HasSubstr(built_.side_path()));
      EXPECT_THAT(text,
                  testing::HasSubstr(std::to_string(info.at_stake) + " bytes"));
      EXPECT_THAT(text, testing::HasSubstr("uringfs recover --accept"));
      EXPECT_THAT(text, testing::HasSubstr("uringfs recover --discard"));
    }
    EXPECT_TRUE(ReadWholeFile(built_.log_path) == log);
    EXPECT_TRUE(ReadWholeFile(built_.side_path()) == side);
  }

  TempDir dir_;
  SideBuilder built_{dir_.File("000007.log")};
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_RECOVERY_CONTENT_FIXTURE_H_
