// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The texts that options come in: lists, URIs, the environment.

#include <algorithm>
#include <cstdlib>

#include "fs_options.h"

namespace uringfs {
namespace {

std::string Trim(const std::string& text) {
  const char* const blanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string::npos) {
    return "";
  }
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

}  // namespace

Status ParseFsOptions(const std::string& text, char separator,
                      UringFsOptions* options) {
  UringFsOptions parsed = *options;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    const std::string item = Trim(text.substr(begin, end - begin));
    begin = end + 1;
    if (item.empty()) {
      continue;
    }
    const size_t equals = item.find('=');
    if (equals == std::string::npos) {
      return Status::InvalidArgument("uringfs: '" + item +
                                     "' is not of the form name=value");
    }
    Status status = SetFsOption(Trim(item.substr(0, equals)),
                                Trim(item.substr(equals + 1)), &parsed);
    if (!status.ok()) {
      return status;
    }
  }
  *options = parsed;
  return Status::Ok();
}

Status ParseFsUri(const std::string& uri, UringFsOptions* options) {
  const std::string scheme = std::string(kUringFsName) + "://";
  if (uri == kUringFsName || uri == scheme) {
    return Status::Ok();
  }
  if (uri.compare(0, scheme.size() + 1, scheme + "?") == 0) {
    return ParseFsOptions(uri.substr(scheme.size() + 1), '&', options);
  }
  return Status::InvalidArgument("uringfs: '" + uri +
                                 "' is not one of uringfs, uringfs://, " +
                                 "uringfs://?name=value&name=value");
}

Status ApplyOptionsVariable(UringFsOptions* options) {
  // Nothing in this process changes its environment once threads run.
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  const char* text = std::getenv(kOptionsVariable);
  if (text == nullptr) {
    return Status::Ok();
  }
  Status status = ParseFsOptions(text, ';', options);
  if (!status.ok()) {
    return Status::InvalidArgument("environment variable " +
                                   std::string(kOptionsVariable) + ": " +
                                   status.ToString());
  }
  return status;
}

Status ParseUriAndVariable(const std::string& uri, UringFsOptions* options) {
  Status status = ApplyOptionsVariable(options);
  if (status.ok()) {
    status = ParseFsUri(uri, options);
  }
  return status.ok() ? ValidateFsOptions(*options) : status;
}

}  // namespace uringfs
