// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "wal_dirs.h"

#include <uringfs/rocksdb_wal.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>
#include <system_error>

#include "file_policy.h"

namespace uringfs {
namespace {

bool HasWals(const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return IsWalName(name) || IsSideFileOfWal(name);
  });
}

// In one spelling, whatever the program's, and wherever it goes meanwhile.
std::string NameOf(const std::string& directory) {
  std::error_code error;
  const std::filesystem::path name =
      std::filesystem::weakly_canonical(directory, error);
  return error ? directory : name.string();
}

bool IsSame(const std::string& directory, const std::string& other) {
  std::error_code error;
  return std::filesystem::equivalent(directory, other, error);
}

uint64_t NextNumber() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace

// A thread opens one database at a time.
struct WalDirs::Opening {
  uint64_t number = 0;  // of the WalDirs; 0: it opens none
  std::string database;
  bool has_lock = false;
  std::set<std::string> listed;  // directories that may have its logs

  static Opening& OfThread() {
    static thread_local Opening opening;
    return opening;
  }
};

WalDirs::WalDirs() : number_(NextNumber()) {}

WalDirs::Opening* WalDirs::Current() const {
  Opening& opening = Opening::OfThread();
  return opening.number == number_ ? &opening : nullptr;
}

void WalDirs::Begin(const std::string& database, bool has_lock) {
  Opening::OfThread() = {number_, database, has_lock, {}};
  const MutexLock lock(&mutex_);
  if (HasDatabase(database)) {
    // It is not the directory of logs of another one, whatever it was before.
    database_of_.erase(database);
  }
  std::unique_ptr<const LogFormat>& format = formats_[database];
  if (format == nullptr) {
    format = RocksDbWalOf(database);
  }
}

void WalDirs::Locks(const std::string& path) {
  Begin(NameOf(DirectoryOf(path)), /*has_lock=*/true);
}

void WalDirs::ReadsCurrent(const std::string& path) {
  const std::string database = NameOf(DirectoryOf(path));
  const Opening* const opening = Current();
  // Who has the lock reads it too.
  if (opening == nullptr || opening->database != database) {
    Begin(database, /*has_lock=*/false);
  }
}

void WalDirs::MakesWalOrUnlocks() { Opening::OfThread().number = 0; }

void WalDirs::MakesLog(const std::string& directory) {
  Opening* const opening = Current();
  if (opening != nullptr && !opening->has_lock && HasDatabase(directory) &&
      !IsSame(directory, opening->database)) {
    opening->number = 0;
  }
}

void WalDirs::Lists(const std::string& directory,
                    const std::vector<std::string>& names) {
  Opening* const opening = Current();
  if (opening == nullptr || IsSame(directory, opening->database)) {
    return;  // a database whose CURRENT is gone has its own logs all the same
  }
  if (HasDatabase(directory)) {
    if (!opening->has_lock) {
      opening->number = 0;
    }
    return;
  }
  if (!HasWals(names)) {
    return;
  }
  const std::string name = NameOf(directory);
  opening->listed.insert(name);
  const MutexLock lock(&mutex_);
  if (opening->has_lock) {
    database_of_[name] = opening->database;
  } else {
    database_of_.emplace(name, opening->database);
  }
}

// What this thread opens comes first, whatever others have seen. What was seen
// in use comes before what options name, which may be of another day. They are
// looked at each time; it takes a side file, and a directory that nobody has
// opened, to come there.
const LogFormat& WalDirs::FormatOf(const std::string& path) const {
  const std::string directory = NameOf(DirectoryOf(path));
  if (HasDatabase(directory)) {
    return RocksDbWal();
  }
  const Opening* const opening = Current();
  const MutexLock lock(&mutex_);
  if (opening != nullptr && opening->listed.count(directory) > 0) {
    return *formats_.at(opening->database);
  }
  const auto in_use = database_of_.find(directory);
  // One that is gone by now tells nothing.
  if (in_use != database_of_.end() && HasDatabase(in_use->second)) {
    return *formats_.at(in_use->second);
  }
  for (const auto& [database, format] : formats_) {
    if (NamesAsWalDir(database, directory)) {
      return *format;
    }
  }
  return RocksDbWal();
}

}  // namespace uringfs
