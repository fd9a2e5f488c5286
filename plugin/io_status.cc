// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "io_status.h"

#include <cerrno>
#include <string>

namespace uringfs {
namespace {

rdb::IOStatus FromErrno(const Status& status, const std::string& message) {
  switch (status.error_number()) {
    case ENOSPC:
    case EDQUOT: {
      // Retryable is what lets RocksDB resume by itself once there is space.
      rdb::IOStatus result = rdb::IOStatus::NoSpace(message);
      result.SetRetryable(true);
      return result;
    }
    case ESTALE: {
      // IOStatus has no factory for this subcode that takes a message.
      return rdb::IOStatus::IOError(rdb::IOStatus::kStaleFile);
    }
    case ENOENT:
      return rdb::IOStatus::PathNotFound(message);
    default:
      return rdb::IOStatus::IOError(message);
  }
}

}  // namespace

rdb::IOStatus ToIOStatus(const Status& status, const std::string& advice) {
  if (status.ok()) {
    return rdb::IOStatus::OK();
  }
  const std::string message = status.ToString() + advice;
  switch (status.code()) {
    case Status::Code::kInvalidArgument:
      return rdb::IOStatus::InvalidArgument(message);
    case Status::Code::kNotSupported:
      return rdb::IOStatus::NotSupported(message);
    case Status::Code::kCorruption:
      return rdb::IOStatus::Corruption(message);
    case Status::Code::kOk:
    case Status::Code::kIoError:
    case Status::Code::kNoSpace:
    case Status::Code::kClosed:
      break;
  }
  return FromErrno(status, message);
}

}  // namespace uringfs
