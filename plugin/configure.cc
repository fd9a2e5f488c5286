// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// How a UringFileSystem comes into being and takes its options: from a struct,
// from a URI, from RocksDB's option maps.

#include <rocksdb/convenience.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "file_system.h"
#include "live_file.h"

#include "uringfs/internal/mutex.h"

namespace uringfs {
namespace {

// The core's parsers answer with the core's Status.
rdb::Status ToRocksStatus(const Status& status) {
  return status.ok() ? rdb::Status::OK()
                     : rdb::Status::InvalidArgument(status.ToString());
}

// RocksDB's file systems that change paths or bytes, or keep them elsewhere.
constexpr const char* kUnfitBases[] = {
    "ChrootFS", "RemapFileSystem", "EncryptedFileSystem", "MemoryFileSystem",
    "ReadOnlyFileSystem"};

// `base` or, for null, RocksDB's default one; but nobody wants one of ours on
// top of another.
std::shared_ptr<rdb::FileSystem> FitBase(
    const std::shared_ptr<rdb::FileSystem>& base) {
  std::shared_ptr<rdb::FileSystem> fit =
      base ? base : rdb::FileSystem::Default();
  const auto* ours = fit->CheckedCast<UringFileSystem>();
  return ours != nullptr ? ours->base() : fit;
}

rdb::Status Make(const std::shared_ptr<rdb::FileSystem>& base,
                 const UringFsOptions& options,
                 std::unique_ptr<rdb::FileSystem>* out) {
  rdb::Status status = ToRocksStatus(ValidateFsOptions(options));
  if (!status.ok()) {
    return status;
  }
  auto fs = std::make_unique<UringFileSystem>(FitBase(base), options);
  status = fs->CheckBase();
  if (status.ok()) {
    *out = std::move(fs);
  }
  return status;
}

}  // namespace

rdb::Status UringFileSystem::CheckBase() const {
  for (const rdb::Customizable* layer = target(); layer != nullptr;
       layer = layer->Inner()) {
    for (const char* unfit : kUnfitBases) {
      if (layer->IsInstanceOf(unfit)) {
        return rdb::Status::InvalidArgument(
            "uringfs: cannot stand on " + std::string(unfit) +
            ", which changes paths or bytes; put that one on top instead: "
            "id=" +
            unfit + ";target=uringfs");
      }
    }
  }
  return rdb::Status::OK();
}

rdb::Status UringFileSystem::ConfigureOptions(
    const rdb::ConfigOptions& config,
    const std::unordered_map<std::string, std::string>& values,
    std::unordered_map<std::string, std::string>* unused) {
  UringFsOptions changed = options_;
  // "target" and what is below it belong to RocksDB's wrapper.
  std::unordered_map<std::string, std::string> for_wrapper;
  for (const auto& entry : values) {
    const std::string name = GetOptionName(entry.first);
    if (name == "target" || name.compare(0, 7, "target.") == 0) {
      for_wrapper.insert(entry);
      continue;
    }
    const Status status = SetFsOption(name, entry.second, &changed);
    if (status.ok()) {
      continue;
    }
    if (!config.ignore_unknown_options) {
      return ToRocksStatus(status);
    }
    if (unused != nullptr) {
      unused->insert(entry);
    }
  }
  rdb::Status status = ToRocksStatus(ValidateFsOptions(changed));
  if (status.ok()) {
    // RocksDB's default is to pass over a target it does not know: a typo in
    // the name of an encrypting one would mean plain text.
    rdb::ConfigOptions strict = config;
    strict.ignore_unsupported_options = false;
    status =
        rdb::FileSystemWrapper::ConfigureOptions(strict, for_wrapper, unused);
  }
  if (status.ok()) {
    status = CheckBase();
  }
  if (status.ok()) {
    SetOptions(changed);
  }
  return status;
}

rdb::Status NewUringFileSystem(const std::shared_ptr<rdb::FileSystem>& base,
                               const UringFsOptions& options,
                               std::shared_ptr<rdb::FileSystem>* out) {
  std::unique_ptr<rdb::FileSystem> made;
  rdb::Status status = Make(base, options, &made);
  if (status.ok()) {
    *out = std::move(made);
  }
  return status;
}

rdb::Status NewUringFileSystemFromUri(const std::string& uri,
                                      std::unique_ptr<rdb::FileSystem>* out) {
  UringFsOptions options;
  const Status status = ParseUriAndVariable(uri, &options);
  return status.ok() ? Make(nullptr, options, out) : ToRocksStatus(status);
}

namespace {

// What all who name the same options get. RocksDB configures the Env that an
// options string names, with what else stands there: another file system, say.
// It would be everybody's.
class SharedEnv final : public rdb::EnvWrapper {
 public:
  explicit SharedEnv(const std::shared_ptr<rdb::Env>& env)
      : rdb::EnvWrapper(env) {
    file_system_ = env->GetFileSystem();
    system_clock_ = env->GetSystemClock();
  }

 protected:
  rdb::Status ConfigureOptions(
      const rdb::ConfigOptions& /*config*/,
      const std::unordered_map<std::string, std::string>& options,
      std::unordered_map<std::string, std::string>* /*unused*/) override {
    return options.empty()
               ? rdb::Status::OK()
               : rdb::Status::InvalidArgument(
                     "an Env of uringfs is everybody's who names it: give its "
                     "options as env={id=uringfs://?name=value}, not",
                     options.begin()->first);
  }
};

}  // namespace

rdb::Status FindUringEnv(const std::string& uri, rdb::Env** env) {
  UringFsOptions options;
  const Status parsed = ParseUriAndVariable(uri, &options);
  if (!parsed.ok()) {
    return ToRocksStatus(parsed);
  }
  // Never destroyed: threads outlive statics.
  static Mutex& mutex = *new Mutex;
  static auto& all = *new std::map<std::string, std::unique_ptr<rdb::Env>>;
  const MutexLock lock(&mutex);
  std::unique_ptr<rdb::Env>& found = all[FormatFsOptions(options)];
  if (found == nullptr) {
    std::unique_ptr<rdb::FileSystem> fs;
    rdb::Status status = Make(nullptr, options, &fs);
    if (!status.ok()) {
      return status;
    }
    found = std::make_unique<SharedEnv>(rdb::NewCompositeEnv(std::move(fs)));
  }
  *env = found.get();
  return rdb::Status::OK();
}

std::string UringFsStatistics(const rdb::FileSystem& fs) {
  const auto* ours = fs.CheckedCast<UringFileSystem>();
  return ours != nullptr ? ours->Totals().ToString() : "";
}

std::vector<UringFsWal> UringFsWals(const rdb::FileSystem& fs) {
  std::vector<UringFsWal> wals;
  const auto* ours = fs.CheckedCast<UringFileSystem>();
  if (ours != nullptr) {
    for (const auto& file : LiveFiles::OfProcess().OpenWals(ours->stats())) {
      UringFsWal& wal = wals.emplace_back();
      const LogStore& log = *file->log();
      wal.path = log.path();
      // In this order: each only grows.
      wal.stable = log.hi_stable();
      wal.flushed = log.hi_flushed();
      wal.size = log.size();
    }
  }
  return wals;
}

}  // namespace uringfs
