// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "file_policy.h"

#include <uringfs/recovery.h>

#include "rocksdb_api.h"

namespace uringfs {
namespace {

constexpr char kEndMayBeTorn[] = "uringfs.end_may_be_torn";
constexpr char kDirect[] = "uringfs.direct";

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() > end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

FileKind ClassifyByName(const std::string& path) {
  if (IsWalName(path)) {
    return FileKind::kWal;
  }
  const std::string name = path.substr(path.find_last_of('/') + 1);
  return EndsWith(name, ".sst") || EndsWith(name, ".ldb") ? FileKind::kData
                                                          : FileKind::kBase;
}

}  // namespace

void MarkEndMayBeTorn(rdb::FileOptions* options) {
  options->io_options.property_bag[kEndMayBeTorn] = "1";
}

bool EndMayBeTorn(const rdb::FileOptions& options) {
  return options.io_options.property_bag.count(kEndMayBeTorn) > 0;
}

void MarkDirect(rdb::FileOptions* options) {
  options->io_options.property_bag[kDirect] = "1";
}

bool IsToBeDirect(const rdb::FileOptions& options) {
  return options.use_direct_writes ||
         options.io_options.property_bag.count(kDirect) > 0;
}

bool IsBlobName(const std::string& path) { return EndsWith(path, ".blob"); }

bool IsWalName(const std::string& path) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  const std::string suffix = ".log";
  return EndsWith(name, suffix) &&
         name.find_first_not_of("0123456789") == name.size() - suffix.size();
}

bool IsEarlierWal(const std::string& path, const std::string& other) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  const std::string later = other.substr(other.find_last_of('/') + 1);
  return name.size() != later.size() ? name.size() < later.size()
                                     : name < later;
}

bool IsSideFileOfWal(const std::string& path) {
  return IsSideFileName(path) && IsWalName(LogOfSideFile(path));
}

std::string LogOfSideFile(const std::string& path) {
  return path.substr(0, path.find_last_of('.'));
}

bool IsManifest(const std::string& path, const rdb::FileOptions& options) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  return options.io_options.type == rdb::IOType::kManifest ||
         name.rfind("MANIFEST-", 0) == 0;
}

bool IsCurrentName(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1) == "CURRENT";
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) {
    return ".";
  }
  return path.substr(0, slash == 0 ? 1 : slash);
}

bool IsReadOnlyOnceSynced(const rdb::FileOptions& options) {
#if URINGFS_ROCKSDB_GE(11, 5)
  // SstFileWriter says so too.
  if (rdb::HasFileOpenContract(
          options.open_contract,
          rdb::FileOpenContract::kNoReadersWhileOpenForWrite)) {
    return true;
  }
#endif
  return options.io_options.type == rdb::IOType::kData;
}

FileKind Classify(const std::string& path, const rdb::FileOptions& options) {
  if (options.use_mmap_writes || IsSideFileName(path)) {
    return FileKind::kBase;
  }
  switch (options.io_options.type) {
    case rdb::IOType::kWAL:
      return FileKind::kWal;
    case rdb::IOType::kData:
      return FileKind::kData;
    case rdb::IOType::kManifest:
      return FileKind::kBase;
    default:
      return ClassifyByName(path);
  }
}

}  // namespace uringfs
