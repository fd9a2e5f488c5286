// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "base_logger.h"

#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <utility>

#include "file_size_signal.h"

namespace uringfs {
namespace {

// What RocksDB puts in front of a line, and the end of it; not quite so much.
constexpr uint64_t kFrameBytes = 200;

// As the core's, which is not to be seen from here; UINT64_MAX: none.
uint64_t FileSizeLimit() {
  rlimit limit = {};
  return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
                 limit.rlim_cur != RLIM_INFINITY
             ? limit.rlim_cur
             : UINT64_MAX;
}

uint64_t LengthOf(const char* format, va_list args) {
  va_list copy;
  va_copy(copy, args);
  const int bytes = std::vsnprintf(nullptr, 0, format, copy);
  va_end(copy);
  return bytes > 0 ? static_cast<uint64_t>(bytes) : 0;
}

}  // namespace

template <typename Write>
void BaseLogger::IfItFits(const char* format, va_list args, Write write) {
  const uint64_t limit = FileSizeLimit();
  if (limit == UINT64_MAX) {
    write();
    return;
  }
  const MutexLock lock(&mutex_);
  const uint64_t size = target_->GetLogFileSize();
  const uint64_t more = LengthOf(format, args) + kFrameBytes;
  if (size < limit && more <= limit - size) {
    const NoFileSizeSignal no_signal;
    write();
  }
}

BaseLogger::BaseLogger(std::shared_ptr<rdb::Logger> target)
    : target_(std::move(target)) {}

BaseLogger::~BaseLogger() {
  const NoFileSizeSignal no_signal;
  target_.reset();  // writes what it still has
}

rdb::Status BaseLogger::Close() {
  const NoFileSizeSignal no_signal;
  return target_->Close();
}

void BaseLogger::LogHeader(const char* format, va_list args) {
  IfItFits(format, args, [&] { target_->LogHeader(format, args); });
}

void BaseLogger::Logv(const char* format, va_list args) {
  IfItFits(format, args, [&] { target_->Logv(format, args); });
}

void BaseLogger::Logv(rdb::InfoLogLevel level, const char* format,
                      va_list args) {
  IfItFits(format, args, [&] { target_->Logv(level, format, args); });
}

size_t BaseLogger::GetLogFileSize() const { return target_->GetLogFileSize(); }

void BaseLogger::Flush() {
  const NoFileSizeSignal no_signal;
  target_->Flush();
}

rdb::InfoLogLevel BaseLogger::GetInfoLogLevel() const {
  return target_->GetInfoLogLevel();
}

void BaseLogger::SetInfoLogLevel(rdb::InfoLogLevel level) {
  target_->SetInfoLogLevel(level);
}

}  // namespace uringfs
