// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A module to preload whose "uringfs" lies: syncs answer OK and do nothing, all
// else is uringfs. For tests of whoever judges file systems by their speed:
// this one would win.

#include <rocksdb/file_system.h>
#include <rocksdb/utilities/object_registry.h>

#include <memory>
#include <string>
#include <utility>

#include "plugin/file_system.h"

namespace uringfs::test {
namespace {

class IdleSyncFile final : public rdb::FSWritableFileOwnerWrapper {
 public:
  using rdb::FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;

  rdb::IOStatus Sync(const rdb::IOOptions&, rdb::IODebugContext*) override {
    return rdb::IOStatus::OK();
  }
  rdb::IOStatus Fsync(const rdb::IOOptions&, rdb::IODebugContext*) override {
    return rdb::IOStatus::OK();
  }
  rdb::IOStatus RangeSync(uint64_t, uint64_t, const rdb::IOOptions&,
                          rdb::IODebugContext*) override {
    return rdb::IOStatus::OK();
  }
};

class IdleSyncFileSystem final : public UringFileSystem {
 public:
  using UringFileSystem::UringFileSystem;

  rdb::IOStatus NewWritableFile(const std::string& path,
                                const rdb::FileOptions& options,
                                std::unique_ptr<rdb::FSWritableFile>* result,
                                rdb::IODebugContext* dbg) override {
    rdb::IOStatus status =
        UringFileSystem::NewWritableFile(path, options, result, dbg);
    if (status.ok()) {
      *result = std::make_unique<IdleSyncFile>(std::move(*result));
    }
    return status;
  }
};

rdb::FileSystem* Make(const std::string& uri,
                      std::unique_ptr<rdb::FileSystem>* guard,
                      std::string* message) {
  UringFsOptions options;
  const Status status = ParseUriAndVariable(uri, &options);
  if (!status.ok()) {
    *message = status.ToString();
    return nullptr;
  }
  *guard =
      std::make_unique<IdleSyncFileSystem>(rdb::FileSystem::Default(), options);
  return guard->get();
}

const bool kRegistered = [] {
  rdb::ObjectLibrary::Default()->AddFactory<rdb::FileSystem>(
      rdb::ObjectLibrary::PatternEntry(kUringFsName)
          .AddSeparator("://", /*at_least_one=*/false),
      &Make);
  return true;
}();

}  // namespace
}  // namespace uringfs::test
