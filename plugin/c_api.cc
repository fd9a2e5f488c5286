// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include <rocksdb/c.h>
#include <rocksdb/env.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "file_system.h"
#include "fs_options.h"

#include "rocksdb_api.h"
#include "uringfs_c.h"

namespace uringfs {
namespace {

// As RocksDB's C API does.
void SaveError(const std::string& text, char** errptr) {
  std::free(*errptr);
  *errptr = ::strdup(text.c_str());
}

// The handle of RocksDB's C API is a struct that begins with the Env; RocksDB
// shows that to nobody, but has no other way in.
rdb::Env*& EnvIn(rocksdb_env_t* handle) {
  return *reinterpret_cast<rdb::Env**>(handle);
}

const rdb::FileSystem& FileSystemOf(const rocksdb_env_t* handle) {
  return *EnvIn(const_cast<rocksdb_env_t*>(handle))->GetFileSystem();
}

}  // namespace
}  // namespace uringfs

using uringfs::EnvIn;

rocksdb_env_t* rocksdb_create_uringfs_env(const char* uri, char** errptr) {
  const std::string other = uringfs::OtherRelease();
  if (!other.empty()) {
    uringfs::SaveError("uringfs: " + other, errptr);
    return nullptr;
  }
  uringfs::rdb::Env* env = nullptr;
  const auto status = uringfs::FindUringEnv(uri, &env);
  if (!status.ok()) {
    uringfs::SaveError(status.ToString(), errptr);
    return nullptr;
  }
  // One that does not own its Env.
  rocksdb_env_t* const handle = rocksdb_create_default_env();
  if (EnvIn(handle) != uringfs::rdb::Env::Default()) {
    rocksdb_env_destroy(handle);
    uringfs::SaveError("uringfs: this RocksDB's C API has other handles",
                       errptr);
    return nullptr;
  }
  EnvIn(handle) = env;
  return handle;
}

char* rocksdb_uringfs_statistics(const rocksdb_env_t* env) {
  const std::string text =
      uringfs::UringFsStatistics(uringfs::FileSystemOf(env));
  return text.empty() ? nullptr : ::strdup(text.c_str());
}

void rocksdb_uringfs_wals(const rocksdb_env_t* env, rocksdb_uringfs_wal wal,
                          void* argument) {
  for (const auto& found : uringfs::UringFsWals(uringfs::FileSystemOf(env))) {
    wal(argument, found.path.c_str(), found.size, found.flushed, found.stable);
  }
}

const char* rocksdb_uringfs_version() { return uringfs::kUringFsVersion; }
