// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// BaseLogger: a database's LOG, which is left to the file system underneath. A
// line that would make it longer than the process may make a file (ulimit -f)
// is left out: RocksDB would be sent SIGXFSZ over it, and some builds of it do
// not survive a LOG that cannot be written either.
//
// THREADS: any.

#ifndef URINGFS_PLUGIN_BASE_LOGGER_H_
#define URINGFS_PLUGIN_BASE_LOGGER_H_

#include <rocksdb/env.h>

#include <cstdarg>
#include <memory>

#include "rocksdb_api.h"
#include "uringfs/internal/mutex.h"

namespace uringfs {

class BaseLogger final : public rdb::Logger {
 public:
  explicit BaseLogger(std::shared_ptr<rdb::Logger> target);
  ~BaseLogger() override;

  rdb::Status Close() override;
  void LogHeader(const char* format, va_list args) override;
  void Logv(const char* format, va_list args) override;
  void Logv(rdb::InfoLogLevel level, const char* format, va_list args) override;
  size_t GetLogFileSize() const override;
  void Flush() override;
  rdb::InfoLogLevel GetInfoLogLevel() const override;
  void SetInfoLogLevel(rdb::InfoLogLevel level) override;

 private:
  // Runs `write` if the line that it writes fits.
  template <typename Write>
  void IfItFits(const char* format, va_list args, Write write);

  std::shared_ptr<rdb::Logger> target_;
  Mutex mutex_;  // under a limit: one line at a time
};

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_BASE_LOGGER_H_
