// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A MANIFEST is a log of edits, each a list of tagged fields. Those of interest
// are the log numbers: of each column family, that of the first log with
// something it has not flushed; and that of the first log to be kept at all.

#include "src/rocksdb_wal/manifest.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <string_view>
#include <vector>

#include "src/base/posix_file.h"
#include "src/rocksdb_wal/record_format.h"

#include "uringfs/internal/crc32c.h"
#include "uringfs/rocksdb_wal.h"

namespace uringfs {
namespace {

// CURRENT holds the name of the MANIFEST, and a line's end.
constexpr size_t kMaxCurrentBytes = 256;

// The fields of an edit; others have a length in front if their tag has
// kHasLength.
enum Tag : uint32_t {
  kComparator = 1,
  kLogNumber = 2,
  kNextFileNumber = 3,
  kLastSequence = 4,
  kCompactCursor = 5,
  kDeletedFile = 6,
  kNewFile = 7,
  kPrevLogNumber = 9,
  kMinLogNumberToKeep = 10,
  kNewFile2 = 100,
  kNewFile3 = 102,
  kNewFile4 = 103,
  kColumnFamily = 200,
  kColumnFamilyAdd = 201,
  kColumnFamilyDrop = 202,
  kMaxColumnFamily = 203,
  kInAtomicGroup = 300,
  kBlobFileAddition = 400,
  kBlobFileGarbage = 401,
  kHasLength = 1u << 13,
};
constexpr uint64_t kEndOfNewFile4 = 1;
constexpr uint64_t kEndOfBlobFile = 0;

// Reads the fields of an edit, one after the other. Anything that does not fit
// makes all of it bad.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}

  bool is_good() const { return is_good_; }
  bool is_at_end() const { return rest_.empty() || !is_good_; }

  uint64_t Number() {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80u) == 0) {
        return value;
      }
    }
    is_good_ = false;
    return 0;
  }
  void SkipNumbers(int count) {
    for (int i = 0; i < count && is_good_; ++i) {
      (void)Number();
    }
  }
  void SkipStrings(int count) {
    for (int i = 0; i < count && is_good_; ++i) {
      const uint64_t bytes = Number();
      is_good_ = is_good_ && bytes <= rest_.size();
      rest_.remove_prefix(is_good_ ? static_cast<size_t>(bytes) : 0);
    }
  }
  // Pairs of a tag and a string, up to the tag `end`.
  void SkipCustom(uint64_t end) {
    while (is_good_ && Number() != end) {
      SkipStrings(1);
    }
  }
  void BeBad() { is_good_ = false; }

 private:
  std::string_view rest_;
  bool is_good_ = true;
};

struct Edit {
  uint64_t family = 0;
  bool has_log_number = false;
  uint64_t log_number = 0;
  uint64_t first_kept = 0;
  bool is_drop = false;
  uint64_t left_in_group = 0;
  bool is_in_group = false;
};

// False: it says something that this cannot read.
bool ReadEdit(std::string_view bytes, Edit* edit) {
  Fields fields(bytes);
  while (!fields.is_at_end()) {
    const uint64_t tag = fields.Number();
    switch (tag) {
      case kLogNumber:
        edit->has_log_number = true;
        edit->log_number = fields.Number();
        break;
      case kMinLogNumberToKeep:
        edit->first_kept = fields.Number();
        break;
      case kColumnFamily:
        edit->family = fields.Number();
        break;
      case kColumnFamilyDrop:
        edit->is_drop = true;
        break;
      case kInAtomicGroup:
        edit->is_in_group = true;
        edit->left_in_group = fields.Number();
        break;
      case kNextFileNumber:
      case kLastSequence:
      case kPrevLogNumber:
      case kMaxColumnFamily:
        fields.SkipNumbers(1);
        break;
      case kComparator:
      case kColumnFamilyAdd:
        fields.SkipStrings(1);
        break;
      case kCompactCursor:
        fields.SkipNumbers(1);
        fields.SkipStrings(1);
        break;
      case kDeletedFile:
        fields.SkipNumbers(2);
        break;
      case kNewFile:
        fields.SkipNumbers(3);
        fields.SkipStrings(2);
        break;
      case kNewFile2:
      case kNewFile3:
        fields.SkipNumbers(tag == kNewFile2 ? 3 : 4);
        fields.SkipStrings(2);
        fields.SkipNumbers(2);
        break;
      case kNewFile4:
        fields.SkipNumbers(3);
        fields.SkipStrings(2);
        fields.SkipNumbers(2);
        fields.SkipCustom(kEndOfNewFile4);
        break;
      case kBlobFileAddition:
        fields.SkipNumbers(3);
        fields.SkipStrings(2);
        fields.SkipCustom(kEndOfBlobFile);
        break;
      case kBlobFileGarbage:
        fields.SkipNumbers(3);
        fields.SkipCustom(kEndOfBlobFile);
        break;
      default:
        (tag & kHasLength) != 0 ? fields.SkipStrings(1) : fields.BeBad();
        break;
    }
  }
  return fields.is_good();
}

// What the edits so far come to.
class Database {
 public:
  bool Add(std::string_view bytes) {
    Edit edit;
    if (!ReadEdit(bytes, &edit)) {
      return false;
    }
    // A group counts as a whole or, if its end was not written, not at all.
    group_.push_back(edit);
    if (!edit.is_in_group || edit.left_in_group == 0) {
      for (const Edit& each : group_) {
        Apply(each);
      }
      group_.clear();
    }
    return true;
  }

  WantedWals Wanted() const {
    uint64_t lowest = log_numbers_.empty() ? 0 : UINT64_MAX;
    uint64_t highest = 0;
    for (const auto& [family, number] : log_numbers_) {
      lowest = std::min(lowest, number);
      highest = std::max(highest, number);
    }
    return {std::max(first_kept_, lowest), std::max(first_kept_, highest)};
  }

 private:
  void Apply(const Edit& edit) {
    first_kept_ = std::max(first_kept_, edit.first_kept);
    if (edit.is_drop) {
      log_numbers_.erase(edit.family);
    } else if (edit.has_log_number) {
      log_numbers_[edit.family] = edit.log_number;
    } else {
      (void)log_numbers_.emplace(edit.family, 0);
    }
  }

  std::map<uint64_t, uint64_t> log_numbers_;  // by column family
  uint64_t first_kept_ = 0;
  std::vector<Edit> group_;
};

// Puts the fragments of a file together to records and gives each to
// database->Add. False: the file is not good up to where its writer died.
class RecordReader {
 public:
  RecordReader(const PosixFile& file, Database* database)
      : file_(file), database_(database) {}

  bool ReadAll() {
    std::vector<char> block(kWalBlockBytes);
    size_t got = block.size();
    for (uint64_t at = 0; got == block.size() && is_good_ && !is_at_end_;
         at += got) {
      if (file_.ReadAt(at, block.size(), block.data(), &got) != 0) {
        return false;
      }
      ReadBlock(block.data(), got);
    }
    return is_good_ && has_records_;
  }

 private:
  void ReadBlock(const char* data, size_t bytes) {
    size_t at = 0;
    while (is_good_ && !is_at_end_ && at + kHeaderBytes <= bytes) {
      const char* const header = data + at;
      const size_t end = at + kHeaderBytes + Load16(header + kLengthAt);
      const auto type = static_cast<uint8_t>(header[kTypeAt]);
      if (type == kZero || end > bytes) {
        // The rest was not written, or not yet.
        is_at_end_ = true;
        return;
      }
      const uint32_t crc = Crc32c(header + kTypeAt, end - at - kTypeAt);
      is_good_ = MaskedCrc(crc) == Load32(header) && type <= kLast;
      if (is_good_) {
        Add(type,
            std::string_view(header + kHeaderBytes, end - at - kHeaderBytes));
      }
      at = end;
    }
  }

  void Add(uint8_t type, std::string_view payload) {
    if (type == kFull || type == kFirst) {
      record_.clear();
    }
    record_.append(payload);
    if (type == kFull || type == kLast) {
      has_records_ = true;
      is_good_ = database_->Add(record_);
    }
  }

  const PosixFile& file_;
  Database* const database_;
  std::string record_;
  bool has_records_ = false;
  bool is_good_ = true;
  bool is_at_end_ = false;
};

// What CURRENT holds; "" if it holds nothing. Errors: those of reading, as
// errno.
int ReadCurrent(const std::string& directory, std::string* text) {
  PosixFile current;
  char bytes[kMaxCurrentBytes];
  size_t got = 0;
  int error = current.Open(directory + "/CURRENT", O_RDONLY);
  error = error == 0 ? current.ReadAt(0, sizeof(bytes), bytes, &got) : error;
  text->assign(bytes, error == 0 ? got : 0);
  return error;
}

// `name`: what CURRENT holds.
bool ReadManifest(const std::string& directory, std::string name,
                  WantedWals* wanted) {
  PosixFile manifest;
  if (name.empty() || name.back() != '\n' ||
      name.find('/') != std::string::npos) {
    return false;
  }
  name.pop_back();
  Database database;
  if (manifest.Open(directory + "/" + name, O_RDONLY) != 0 ||
      !RecordReader(manifest, &database).ReadAll()) {
    return false;
  }
  *wanted = database.Wanted();
  return true;
}

// What CURRENT holds, or its beginning. A text that was cut short, of which a
// byte is wrong, or whose block was never written, is no cipher: of one more
// than half is not to be printed, and a quarter will do.
bool IsEncrypted(const std::string& text) {
  const auto odd = std::count_if(text.begin(), text.end(), [](char c) {
    return c != '\0' && c != '\n' && (c < ' ' || c > '~');
  });
  return text.size() >= sizeof("MANIFEST-000001") &&  // and a line feed
         4 * static_cast<size_t>(odd) >= text.size();
}

}  // namespace

bool FindWantedWals(const std::string& directory, WantedWals* wanted) {
  std::string current;
  return ReadCurrent(directory, &current) == 0 &&
         ReadManifest(directory, current, wanted);
}

bool TellsItsWals(const std::string& directory) {
  WantedWals wanted;
  return FindWantedWals(directory, &wanted);
}

Status CheckManifest(const std::string& directory) {
  std::string text;
  const int error = ReadCurrent(directory, &text);
  if (error != 0 && error != ENOENT) {
    return Status::FromErrno(error, "read", directory + "/CURRENT");
  }
  WantedWals wanted;
  return error == ENOENT || IsEncrypted(text) ||
                 ReadManifest(directory, text, &wanted)
             ? Status::Ok()
             : Status::Corruption(
                   "it, or the MANIFEST that it names, is missing, cut short, "
                   "damaged, or of a release that is not known",
                   directory + "/CURRENT");
}

}  // namespace uringfs
