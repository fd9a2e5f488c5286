// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "uringfs/status.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace uringfs {
namespace {

// The way out, for the causes a user can do something about.
const char* AdviceFor(int error) {
  switch (error) {
    case ENOSPC:
      return "free space on the file system";
    case EDQUOT:
      return "raise the disk quota or free space";
    case EFBIG:
      return "raise the file size limit (RLIMIT_FSIZE, ulimit -f) or use a "
             "file "
             "system with larger files";
    case EROFS:
      return "the file system is mounted read-only";
    case EACCES:
    case EPERM:
      return "check the permissions of the file and its directory";
    case EMFILE:
      return "raise the limit of open files (ulimit -n)";
    case ENOMEM:
      return "free memory, or use fewer or smaller flush buffers";
    default:
      return nullptr;
  }
}

}  // namespace

Status::Status(Code code, int error, std::string operation, std::string path)
    : body_(std::make_shared<const Body>(
          Body{code, error, std::move(operation), std::move(path)})) {}

Status Status::InvalidArgument(std::string message) {
  return Status(Code::kInvalidArgument, 0, std::move(message), "");
}

Status Status::NotSupported(std::string message) {
  return Status(Code::kNotSupported, 0, std::move(message), "");
}

Status Status::Closed(std::string path) {
  return Status(Code::kClosed, 0, "the log is closed", std::move(path));
}

Status Status::IoError(std::string message) {
  return Status(Code::kIoError, 0, std::move(message), "");
}

Status Status::Corruption(std::string what, std::string path) {
  return Status(Code::kCorruption, 0, std::move(what), std::move(path));
}

Status Status::FromErrno(int error, std::string operation, std::string path) {
  const bool no_space = error == ENOSPC || error == EDQUOT;
  return Status(no_space ? Code::kNoSpace : Code::kIoError, error,
                std::move(operation), std::move(path));
}

std::string Status::ToString() const {
  if (ok()) {
    return "OK";
  }
  std::string text = body_->operation;
  if (!body_->path.empty()) {
    text += ": " + body_->path;
  }
  if (body_->error != 0) {
    text += std::string(": ") + std::generic_category().message(body_->error);
    if (const char* advice = AdviceFor(body_->error)) {
      text += std::string(" (") + advice + ")";
    }
  }
  return text;
}

}  // namespace uringfs
