// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A database on uringfs that was linked in, not preloaded; then the same
// database on the default file system.

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <uringfs/rocksdb/uringfs_file_system.h>

#include <cstdio>
#include <memory>
#include <string>

namespace {

bool Check(const rocksdb::Status& status, const char* what) {
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n", what, status.ToString().c_str());
  }
  return status.ok();
}

bool Open(const std::string& path, rocksdb::Env* env,
          std::unique_ptr<rocksdb::DB>* db) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.env = env;
  rocksdb::DB* opened = nullptr;
  if (!Check(rocksdb::DB::Open(options, path, &opened), "open")) {
    return false;
  }
  db->reset(opened);
  return true;
}

bool Write(const std::string& path, rocksdb::Env* env) {
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::WriteOptions synced;
  synced.sync = true;
  return Open(path, env, &db) && Check(db->Put(synced, "k", "v"), "put") &&
         Check(db->Close(), "close");
}

bool Read(const std::string& path) {
  std::unique_ptr<rocksdb::DB> db;
  std::string value;
  return Open(path, rocksdb::Env::Default(), &db) &&
         Check(db->Get(rocksdb::ReadOptions(), "k", &value), "get") &&
         value == "v";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
    return 2;
  }
  std::shared_ptr<rocksdb::FileSystem> fs;
  if (!Check(uringfs::NewUringFileSystem(rocksdb::FileSystem::Default(),
                                         uringfs::UringFsOptions(), &fs),
             "file system")) {
    return 1;
  }
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(fs);
  if (!Write(argv[1], env.get()) || !Read(argv[1])) {
    return 1;
  }
  std::printf("%s\n", uringfs::UringFsStatistics(*fs).c_str());
  return 0;
}
