// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Only in the module, for programs that offer no way to choose a file system:
// with the environment variable URINGFS_DEFAULT uringfs takes the place of
// RocksDB's default one. liburingfs.so defines FileSystem::Default() once more,
// and asks here.

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/version.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "file_system.h"
#include "module.h"
#include "refusing_file_system.h"

#include "rocksdb_api.h"

namespace uringfs {
namespace {

using FileSystemPtr = std::shared_ptr<rdb::FileSystem>;

// Whether this thread is below StandIn: RocksDB's file system asserts in debug
// builds that it is the default one where it opens a file to be mapped.
thread_local bool is_below = false;

// What was answered; null as long as nobody has asked.
std::atomic<const FileSystemPtr*> answer{nullptr};

class Below {
 public:
  Below() : before_(is_below) { is_below = true; }
  ~Below() { is_below = before_; }
  Below(const Below&) = delete;
  Below& operator=(const Below&) = delete;

 private:
  const bool before_;
};

// Answers to the name of the default file system too: RocksDB asks for that
// where a name stands for it.
class StandIn final : public UringFileSystem {
 public:
  using UringFileSystem::UringFileSystem;

  bool IsInstanceOf(const std::string& name) const override {
    return name == rdb::FileSystem::kDefaultName() ||
           UringFileSystem::IsInstanceOf(name);
  }

  rdb::IOStatus NewWritableFile(const std::string& path,
                                const rdb::FileOptions& options,
                                std::unique_ptr<rdb::FSWritableFile>* result,
                                rdb::IODebugContext* dbg) override {
    const Below below;
    return UringFileSystem::NewWritableFile(path, options, result, dbg);
  }

  rdb::IOStatus ReopenWritableFile(const std::string& path,
                                   const rdb::FileOptions& options,
                                   std::unique_ptr<rdb::FSWritableFile>* result,
                                   rdb::IODebugContext* dbg) override {
    const Below below;
    return UringFileSystem::ReopenWritableFile(path, options, result, dbg);
  }
};

// "" if the variable asks for nothing.
std::string WantedUri() {
  const std::string text = WantedDefault();
  return text == "1" ? "uringfs://" : text;
}

rdb::Status MakeStandIn(const std::string& uri, const FileSystemPtr& base,
                        FileSystemPtr* made) {
  UringFsOptions options;
  const Status status = ParseUriAndVariable(uri, &options);
  if (!status.ok()) {
    return rdb::Status::InvalidArgument(status.ToString());
  }
  auto fs = std::make_shared<StandIn>(base, options);
  rdb::Status fits = fs->CheckBase();
  if (fits.ok()) {
    *made = std::move(fs);
  }
  return fits;
}

FileSystemPtr Choose(const FileSystemPtr& base) {
  const std::string uri = WantedUri();
  if (uri.empty()) {
    return base;
  }
  FileSystemPtr made;
  const rdb::Status status = MakeStandIn(uri, base, &made);
  if (status.ok()) {
    return made;
  }
  const std::string why = "uringfs: nothing is opened: environment variable " +
                          std::string(kDefaultVariable) + "=" + uri +
                          " cannot be used: " + status.ToString() +
                          ". Mend it, or unset it to go without uringfs";
  std::fprintf(stderr, "%s\n", why.c_str());
  return std::make_shared<RefusingFileSystem>(base, why);
}

}  // namespace
}  // namespace uringfs

// Neither file system is ever destroyed: RocksDB's default Env outlives statics
// too.
const void* uringfs_default(const void* version, void* rocksdb) {
  using uringfs::FileSystemPtr;
  namespace rdb = uringfs::rdb;
  if (version != reinterpret_cast<void*>(&rdb::GetRocksVersionAsString)) {
    return nullptr;
  }
  static const auto* const base =
      new FileSystemPtr(reinterpret_cast<FileSystemPtr (*)()>(rocksdb)());
  static const auto* const chosen = [] {
    uringfs::answer = new FileSystemPtr(uringfs::Choose(*base));
    return uringfs::answer.load();
  }();
  return uringfs::is_below ? base : chosen;
}

bool uringfs_is_heard() {
  const auto fs = uringfs::rdb::Env::Default()->GetFileSystem();
  const uringfs::FileSystemPtr* const answer = uringfs::answer;
  return answer != nullptr && fs == *answer;
}
