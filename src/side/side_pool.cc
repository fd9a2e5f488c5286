// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/side_pool.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <utility>
#include <vector>

#include "src/base/fork_count.h"
#include "src/base/posix_file.h"

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {
namespace {

// Two take turns in a database; more closed at once need not wait for it.
constexpr size_t kMaxIdle = 1;

struct Directory {
  size_t open_logs = 0;
  std::vector<std::unique_ptr<SideFile>> idle;
};

struct Pool {
  const uint32_t forks = ForkCount();
  Mutex mutex;
  std::map<std::string, Directory> directories URINGFS_GUARDED_BY(mutex);
};

// Never destroyed: logs may be closed by destructors of statics. After a fork
// the files are the parent's: the child begins with a pool of its own.
Pool& ThePool() {
  static std::atomic<Pool*> current{nullptr};
  Pool* pool = current.load(std::memory_order_acquire);
  while (pool == nullptr || pool->forks != ForkCount()) {
    auto made = std::make_unique<Pool>();
    if (current.compare_exchange_strong(pool, made.get(),
                                        std::memory_order_acq_rel)) {
      return *made.release();
    }
  }
  return *pool;
}

// REQUIRES: the pool that it is of is locked.
std::unique_ptr<SideFile> TakeIdle(const LogOptions& options,
                                   Directory* directory) {
  for (auto it = directory->idle.begin(); it != directory->idle.end(); ++it) {
    if ((*it)->buffer_bytes() == options.buffer_bytes &&
        (*it)->buffers_count() == options.buffers_count) {
      std::unique_ptr<SideFile> found = std::move(*it);
      directory->idle.erase(it);
      return found;
    }
  }
  return nullptr;
}

Status CloseOne(const std::string& name, Pool* pool)
    URINGFS_REQUIRES(pool->mutex) {
  Status first;
  const auto found = pool->directories.find(name);
  if (found == pool->directories.end() || --found->second.open_logs > 0) {
    return first;
  }
  for (const auto& side : found->second.idle) {
    Status status = side->Remove();
    if (first.ok()) {
      first = status;
    }
  }
  pool->directories.erase(found);
  return first;
}

}  // namespace

std::string WhyDistrusted(const std::string& log_path,
                          const FileIdentity& log) {
  struct stat there = {};
  if (::lstat(log_path.c_str(), &there) != 0 || !IsAt(log, log_path, there)) {
    return " is a symbolic link, or was moved or replaced";
  }
  return there.st_uid == ::geteuid() ? "" : " belongs to another user";
}

Status AcquireSideFile(const std::string& log_path, const std::string& distrust,
                       const LogOptions& options,
                       std::unique_ptr<SideFile>* side) {
  if (!distrust.empty()) {
    return Status::NotSupported("private ring: " + log_path + distrust);
  }
  Pool& pool = ThePool();
  const MutexLock lock(&pool.mutex);
  const std::string name = DirectoryPrefixOf(log_path);
  Directory& directory = pool.directories[name];
  ++directory.open_logs;
  std::unique_ptr<SideFile> found = TakeIdle(options, &directory);
  // One that cannot be moved was removed behind our back.
  if (found != nullptr && found->MoveTo(log_path).ok()) {
    *side = std::move(found);
    return Status::Ok();
  }
  Status status = SideFile::Create(log_path, options, side);
  if (!status.ok()) {
    (void)CloseOne(name, &pool);
  }
  return status;
}

std::string WhyPrivate(const Status& status) {
  return status.code() == Status::Code::kNotSupported
             ? status.ToString()
             : "private ring: " + status.ToString();
}

Status RetireSideFile(const std::string& log_path, SideFile* side) {
  Pool& pool = ThePool();
  const MutexLock lock(&pool.mutex);
  Status status = side->Unlink();  // its memory stays in use
  Status closed = CloseOne(DirectoryPrefixOf(log_path), &pool);
  return status.ok() ? closed : status;
}

Status ReleaseSideFile(const std::string& log_path,
                       std::unique_ptr<SideFile> side) {
  Pool& pool = ThePool();
  const MutexLock lock(&pool.mutex);
  const std::string name = DirectoryPrefixOf(log_path);
  Status status;
  const auto found = pool.directories.find(name);
  if (!side->is_armed()) {
    if (found != pool.directories.end() && found->second.open_logs > 1 &&
        found->second.idle.size() < kMaxIdle) {
      found->second.idle.push_back(std::move(side));
    } else {
      status = side->Remove();
    }
  }
  Status closed = CloseOne(name, &pool);
  return status.ok() ? closed : status;
}

}  // namespace uringfs
