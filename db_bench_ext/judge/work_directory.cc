// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/work_directory.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "db_bench_ext/judge/disk_facts.h"
#include "db_bench_ext/judge/text.h"

namespace uringfs::bench {

WorkDirectory::~WorkDirectory() {
  std::error_code error;
  if (!path_.empty()) {
    std::filesystem::remove_all(path_, error);
  }
  if (!made_parent_.empty()) {
    // Only if nobody else has put anything there.
    ::rmdir(made_parent_.c_str());
  }
}

bool WorkDirectory::Make(const std::string& parent, std::string* error) {
  std::error_code code;
  const std::filesystem::path whole = std::filesystem::absolute(parent, code);
  if (!std::filesystem::exists(whole, code) &&
      std::filesystem::create_directory(whole, code)) {
    made_parent_ = whole.string();
  }
  std::string name = (whole / "uringfs_bench.XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    *error = ErrnoText("cannot write in the directory " + parent, errno) +
             "; give another one by --db=DIR";
    return false;
  }
  path_ = name;
  return true;
}

bool WorkDirectory::HasSpace(uint64_t bytes, std::string* error) const {
  std::error_code code;
  const std::filesystem::space_info space = std::filesystem::space(path_, code);
  if (!code && space.available >= bytes) {
    return true;
  }
  *error = code ? "cannot tell how much space is free in " + path_
                : "the databases need " + std::to_string(bytes >> 20) +
                      " MiB, and " + std::to_string(space.available >> 20) +
                      " MiB are free there; give another directory by "
                      "--db=DIR, a smaller --preset, or fewer --workloads";
  return false;
}

std::string DefaultParent() {
  const char* const temporary = std::getenv("TMPDIR");
  for (const std::string& place :
       {std::string(temporary == nullptr ? "" : temporary), std::string("/tmp"),
        std::string("/var/tmp")}) {
    if (!place.empty() && ::access(place.c_str(), W_OK) == 0 &&
        !IsNoDisk(FactsOf(place))) {
      return place;
    }
  }
  return ".";
}

}  // namespace uringfs::bench
