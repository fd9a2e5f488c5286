// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Databases on a file system by name, filled with values that can be checked.

#ifndef URINGFS_TEST_PLUGIN_DB_FIXTURE_H_
#define URINGFS_TEST_PLUGIN_DB_FIXTURE_H_

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <cstdio>
#include <memory>
#include <string>

#include "test/plugin/file_systems.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {

inline std::string Key(uint64_t i) {
  char text[32];
  std::snprintf(text, sizeof(text), "key%012llu",
                static_cast<unsigned long long>(i));
  return text;
}

// 20 to 2019 bytes that depend on i and `round` alone.
inline std::string Value(uint64_t i, uint64_t round = 0) {
  const std::string unit =
      std::to_string(i * 7919 + round) + "/" + std::to_string(round) + ";";
  std::string value;
  while (value.size() < 20 + (i * 2654435761u) % 2000) {
    value += unit;
  }
  return value;
}

// One Env, which must outlive the databases opened with it.
class EnvByName {
 public:
  explicit EnvByName(const std::string& fs)
      : env_(rocksdb::NewCompositeEnv(MakeFs(fs))) {}
  rocksdb::Env* get() const { return env_.get(); }

 private:
  std::unique_ptr<rocksdb::Env> env_;
};

inline rocksdb::Options SmallDbOptions(rocksdb::Env* env) {
  rocksdb::Options options;
  options.env = env;
  options.create_if_missing = true;
  options.write_buffer_size = 1 << 20;
  options.target_file_size_base = 1 << 20;
  options.max_bytes_for_level_base = 4 << 20;
  // Debian's library is compiled with assertions, and so are these checks.
  options.paranoid_file_checks = true;
  return options;
}

inline std::unique_ptr<rocksdb::DB> OpenDb(const rocksdb::Options& options,
                                           const std::string& path) {
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path, &db);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return std::unique_ptr<rocksdb::DB>(db);
}

inline void Fill(rocksdb::DB* db, uint64_t begin, uint64_t end,
                 uint64_t round = 0, bool sync = false) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  for (uint64_t i = begin; i < end; ++i) {
    const auto status = db->Put(options, Key(i), Value(i, round));
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
}

inline void Check(rocksdb::DB* db, uint64_t begin, uint64_t end,
                  uint64_t round = 0) {
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  std::string value;
  for (uint64_t i = begin; i < end; ++i) {
    const auto status = db->Get(options, Key(i), &value);
    ASSERT_TRUE(status.ok()) << Key(i) << ": " << status.ToString();
    ASSERT_EQ(value, Value(i, round)) << Key(i);
  }
}

}  // namespace uringfs::test

#endif  // URINGFS_TEST_PLUGIN_DB_FIXTURE_H_
