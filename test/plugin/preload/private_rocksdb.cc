// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What a plugin of a server is that has RocksDB for itself: opens a database by
// its default options.

#include <rocksdb/db.h>

#include <cstdio>
#include <memory>

// What opener.cc calls, with a directory.
extern "C" __attribute__((visibility("default"))) int Use(const char* path) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, path, &opened);
  const std::unique_ptr<rocksdb::DB> db(opened);
  if (status.ok()) {
    status = db->Put(rocksdb::WriteOptions(), "key", "value");
  }
  std::printf("private: %s\n", status.ok() ? "fine" : status.getState());
  return status.ok() ? 0 : 1;
}
