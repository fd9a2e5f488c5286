// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Status: what a call of this library answers. It carries the kind of failure,
// the errno the kernel gave, what was being done and to which file, so that a
// message names the cause and, where there is one, the way out.
//
// THREADS: a Status is a value; copies share an immutable body.

#ifndef URINGFS_STATUS_H_
#define URINGFS_STATUS_H_

#include <cstdint>
#include <memory>
#include <string>

namespace uringfs {

class [[nodiscard]] Status {
 public:
  enum class Code : uint8_t {
    kOk,
    kInvalidArgument,  // the caller asked for something that has no meaning
    kNotSupported,     // this kernel, file system or build cannot do it
    kIoError,          // the kernel refused or lost the operation
    kNoSpace,          // ENOSPC or EDQUOT: nothing was acknowledged in vain
    kClosed,           // the log was closed before the call
    kCorruption,       // bytes are not what their checksum says
  };

  Status() = default;

  static Status Ok() { return Status(); }
  static Status InvalidArgument(std::string message);
  static Status NotSupported(std::string message);
  static Status Closed(std::string path);
  static Status Corruption(std::string what, std::string path);
  // That no call of the kernel's stands behind.
  static Status IoError(std::string message);

  // The failure `error` (a positive errno) of `operation` on `path`. The code
  // is kNoSpace for ENOSPC and EDQUOT, kIoError otherwise.
  static Status FromErrno(int error, std::string operation, std::string path);

  bool ok() const { return body_ == nullptr; }
  Code code() const { return body_ ? body_->code : Code::kOk; }
  // The positive errno behind the failure, 0 when there is none.
  int error_number() const { return body_ ? body_->error : 0; }
  // "OK", or operation, path, cause and (where known) the way out.
  std::string ToString() const;

 private:
  struct Body {
    Code code;
    int error;
    std::string operation;
    std::string path;
  };

  Status(Code code, int error, std::string operation, std::string path);

  std::shared_ptr<const Body> body_;  // null: OK
};

}  // namespace uringfs

#endif  // URINGFS_STATUS_H_
