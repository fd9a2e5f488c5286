// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "register.h"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <memory>

#include "file_system.h"

#include "rocksdb_api.h"

namespace {

namespace rdb = ROCKSDB_NAMESPACE;

// Leaves *guard alone and says why in *message if `uri` or the environment
// variable cannot be used.
rdb::FileSystem* MakeFileSystem(const std::string& uri,
                                std::unique_ptr<rdb::FileSystem>* guard,
                                std::string* message) {
  const rdb::Status status = uringfs::NewUringFileSystemFromUri(uri, guard);
  if (!status.ok()) {
    *message = status.getState() != nullptr ? status.getState() : "uringfs";
    return nullptr;
  }
  return guard->get();
}

// Leaves *guard alone, which says that nobody owns it.
rdb::Env* MakeEnv(const std::string& uri, std::unique_ptr<rdb::Env>* /*guard*/,
                  std::string* message) {
  rdb::Env* env = nullptr;
  const rdb::Status status = uringfs::FindUringEnv(uri, &env);
  if (!status.ok()) {
    *message = status.getState() != nullptr ? status.getState() : "uringfs";
  }
  return env;
}

}  // namespace

int register_uringfs(rdb::ObjectLibrary& library, const std::string&) {
  const auto pattern = rdb::ObjectLibrary::PatternEntry(uringfs::kUringFsName)
                           .AddSeparator("://", /*at_least_one=*/false);
  library.AddFactory<rdb::FileSystem>(pattern, &MakeFileSystem);
  library.AddFactory<rdb::Env>(pattern, &MakeEnv);
  size_t types = 0;
  return static_cast<int>(library.GetFactoryCount(&types));
}
