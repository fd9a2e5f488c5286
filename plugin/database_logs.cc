// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "database_logs.h"

#include "file_policy.h"

namespace uringfs {

void WriteLogLine(rdb::Logger* logger, rdb::InfoLogLevel level,
                  const std::string& text) {
  const rdb::InfoLogLevel before = logger->GetInfoLogLevel();
  logger->SetInfoLogLevel(rdb::InfoLogLevel::INFO_LEVEL);
  rdb::Log(level, logger, "uringfs %s", text.c_str());
  logger->SetInfoLogLevel(before);
}

void DatabaseLogs::Remember(const std::string& path,
                            const std::shared_ptr<rdb::Logger>& logger) {
  const MutexLock lock(&mutex_);
  // Those of databases that were closed meanwhile.
  for (auto it = by_directory_.begin(); it != by_directory_.end();) {
    it = it->second.expired() ? by_directory_.erase(it) : std::next(it);
  }
  by_directory_[DirectoryOf(path)] = logger;
  newest_ = logger;
}

std::shared_ptr<rdb::Logger> DatabaseLogs::Find(const std::string& directory) {
  const MutexLock lock(&mutex_);
  const auto found = by_directory_.find(directory);
  std::shared_ptr<rdb::Logger> logger =
      found == by_directory_.end() ? nullptr : found->second.lock();
  return logger != nullptr ? logger : newest_.lock();
}

void DatabaseLogs::Write(const std::string& directory, rdb::InfoLogLevel level,
                         const std::string& text) {
  const std::shared_ptr<rdb::Logger> logger = Find(directory);
  if (logger != nullptr) {
    rdb::Log(level, logger.get(), "uringfs %s", text.c_str());
  }
}

void DatabaseLogs::WarnOnce(const std::string& directory,
                            const std::string& text) {
  if (!has_warned_.exchange(true)) {
    Write(directory, rdb::InfoLogLevel::WARN_LEVEL, text);
  }
}

}  // namespace uringfs
