// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "file_policy.h"

namespace uringfs {
namespace {

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() > end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

FileKind ClassifyByName(const std::string& path) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  const std::string wal_suffix = ".log";
  if (EndsWith(name, wal_suffix) &&
      name.find_first_not_of("0123456789") == name.size() - wal_suffix.size()) {
    return FileKind::kWal;
  }
  if (EndsWith(name, ".sst") || EndsWith(name, ".ldb") ||
      EndsWith(name, ".blob")) {
    return FileKind::kData;
  }
  return FileKind::kBase;
}

}  // namespace

FileKind Classify(const std::string& path, const rdb::FileOptions& options) {
  if (options.use_mmap_writes) {
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
