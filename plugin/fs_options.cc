// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "fs_options.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <limits>
#include <string_view>

namespace uringfs {

#ifdef URINGFS_PROJECT_VERSION
static_assert(std::string_view(kUringFsVersion) == URINGFS_PROJECT_VERSION,
              "the plugin's version is not the project's");
#endif

namespace {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;

struct Option;

// How the value of an option is written, read and checked.
struct Kind {
  std::string (*range)(const Option&);
  std::string (*format)(const Option&, const UringFsOptions&);
  // False, and nothing is changed, if the text is no such value.
  bool (*set)(const Option&, const std::string& text, UringFsOptions*);
  bool (*is_valid)(const Option&, const UringFsOptions&);
};

struct Option {
  const char* name = nullptr;
  const Kind* kind = nullptr;
  // Of numbers:
  uint32_t UringFsOptions::*number = nullptr;
  uint64_t low = 0;
  uint64_t high = 0;
};

std::string FormatSize(uint64_t bytes) {
  if (bytes != 0 && bytes % kMiB == 0) {
    return std::to_string(bytes / kMiB) + "M";
  }
  if (bytes != 0 && bytes % kKiB == 0) {
    return std::to_string(bytes / kKiB) + "K";
  }
  return std::to_string(bytes);
}

// Digits, and one of K, M, G behind them. False for anything else and for
// what does not fit.
bool ParseNumber(const std::string& text, uint64_t* number) {
  size_t at = 0;
  uint64_t value = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    const uint64_t digit = static_cast<uint64_t>(text[at] - '0');
    if (value > (std::numeric_limits<uint64_t>::max() - digit) / 10) {
      return false;
    }
    value = value * 10 + digit;
  }
  if (at == 0) {
    return false;
  }
  if (at + 1 == text.size()) {
    const std::string suffixes = "KMG";
    const size_t power = suffixes.find(
        static_cast<char>(std::toupper(static_cast<unsigned char>(text[at]))));
    const unsigned shift = power == std::string::npos ? 64 : 10 * (power + 1);
    if (shift == 64 || value > std::numeric_limits<uint64_t>::max() >> shift) {
      return false;
    }
    value <<= shift;
    ++at;
  }
  *number = value;
  return at == text.size();
}

// Digits, and perhaps "ms" or "s".
bool ParseMilliseconds(const std::string& text, uint64_t* number) {
  const size_t digits =
      std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string unit = text.substr(digits);
  if ((!unit.empty() && unit != "ms" && unit != "s") ||
      !ParseNumber(text.substr(0, digits), number) ||
      *number > std::numeric_limits<uint32_t>::max()) {
    return false;
  }
  *number *= unit == "s" ? 1000 : 1;
  return true;
}

std::string FormatCount(uint64_t count) { return std::to_string(count); }

std::string FormatMilliseconds(uint64_t count) {
  return std::to_string(count) + "ms";
}

bool IsInRange(const Option& option, uint64_t value) {
  return value >= option.low && value <= option.high;
}

bool IsPowerOfTwoInRange(const Option& option, uint64_t value) {
  return IsInRange(option, value) && (value & (value - 1)) == 0;
}

// Numbers that are shown, read and checked like that.
template <const auto& kNoun, std::string (*kShow)(uint64_t),
          bool (*kParse)(const std::string&, uint64_t*),
          bool (*kIsInRange)(const Option&, uint64_t)>
struct Number {
  static std::string Range(const Option& option) {
    return std::string(kNoun) + " from " + kShow(option.low) + " to " +
           kShow(option.high);
  }
  static std::string Format(const Option& option,
                            const UringFsOptions& options) {
    return kShow(options.*option.number);
  }
  static bool Set(const Option& option, const std::string& text,
                  UringFsOptions* options) {
    uint64_t number = 0;
    if (!kParse(text, &number) || !kIsInRange(option, number)) {
      return false;
    }
    options->*option.number = static_cast<uint32_t>(number);
    return true;
  }
  static bool IsValid(const Option& option, const UringFsOptions& options) {
    return kIsInRange(option, options.*option.number);
  }
  static constexpr Kind kKind = {&Range, &Format, &Set, &IsValid};
};

constexpr char kSizeNoun[] = "a power of two";
constexpr char kCountNoun[] = "a number";
constexpr char kTimeNoun[] = "a time";

// A number of bytes; shown with K, M or G.
constexpr const Kind& kPowerOfTwo =
    Number<kSizeNoun, FormatSize, ParseNumber, IsPowerOfTwoInRange>::kKind;
constexpr const Kind& kCount =
    Number<kCountNoun, FormatCount, ParseNumber, IsInRange>::kKind;
// Milliseconds, unless "s" or "ms" follows.
constexpr const Kind& kTime =
    Number<kTimeNoun, FormatMilliseconds, ParseMilliseconds, IsInRange>::kKind;

constexpr Kind kPath = {
    [](const Option&) { return std::string("a path, - or nothing"); },
    [](const Option&, const UringFsOptions& options) {
      return options.stats_file;
    },
    [](const Option&, const std::string& text, UringFsOptions* options) {
      options->stats_file = text;
      return true;
    },
    [](const Option&, const UringFsOptions&) { return true; }};

template <class Value>
struct Named {
  const char* text;
  Value value;
};

constexpr Named<RingHome> kRingHomeNames[] = {{"shared", RingHome::kShared},
                                              {"private", RingHome::kPrivate}};
constexpr Named<DirectIo> kDirectIoNames[] = {{"optional", DirectIo::kOptional},
                                              {"required", DirectIo::kRequired},
                                              {"off", DirectIo::kOff}};
constexpr Named<IoEngine> kIoEngineNames[] = {{"auto", IoEngine::kAuto},
                                              {"uring", IoEngine::kUring},
                                              {"pwrite", IoEngine::kPwrite}};
constexpr Named<WalPreextend> kPreextendNames[] = {
    {"auto", WalPreextend::kAuto},
    {"on", WalPreextend::kOn},
    {"off", WalPreextend::kOff}};
constexpr Named<DataCache> kDataCacheNames[] = {{"auto", DataCache::kAuto},
                                                {"none", DataCache::kNone},
                                                {"all", DataCache::kAll}};

constexpr Named<CompactionReads> kCompactionReadsNames[] = {
    {"direct", CompactionReads::kDirect}, {"cached", CompactionReads::kCached}};

// One of the names.
template <auto kMember, const auto& kNames>
struct Choice {
  static std::string Range(const Option&) {
    std::string list;
    for (const auto& entry : kNames) {
      list += (list.empty() ? "" : "|") + std::string(entry.text);
    }
    return list;
  }
  static std::string Format(const Option&, const UringFsOptions& options) {
    for (const auto& entry : kNames) {
      if (entry.value == options.*kMember) {
        return entry.text;
      }
    }
    return "?";
  }
  static bool Set(const Option&, const std::string& text,
                  UringFsOptions* options) {
    for (const auto& entry : kNames) {
      if (text == entry.text) {
        options->*kMember = entry.value;
        return true;
      }
    }
    return false;
  }
  static bool IsValid(const Option& option, const UringFsOptions& options) {
    return Format(option, options) != "?";
  }
  static constexpr Kind kKind = {&Range, &Format, &Set, &IsValid};
};

template <auto kMember, const auto& kNames>
constexpr const Kind* kOneOf = &Choice<kMember, kNames>::kKind;

// THE table of names and ranges. The defaults are those of UringFsOptions, the
// meanings stand in README.md.
constexpr Option kTable[] = {
    {"wal_buffer_bytes", &kPowerOfTwo, &UringFsOptions::wal_buffer_bytes,
     4 * kKiB, 4 * kMiB},
    {"wal_buffers", &kCount, &UringFsOptions::wal_buffers, 2, 1024},
    {"wal_ring", kOneOf<&UringFsOptions::wal_ring, kRingHomeNames>},
    {"wal_ring_after_bytes", &kCount, &UringFsOptions::wal_ring_after_bytes, 0,
     4 * kMiB},
    {"wal_drain_within", &kTime, &UringFsOptions::wal_drain_within, 0, 60000},
    {"wal_durable_within", &kTime, &UringFsOptions::wal_durable_within, 0,
     60000},
    {"wal_preextend", kOneOf<&UringFsOptions::wal_preextend, kPreextendNames>},
    {"wal_preextend_bytes", &kPowerOfTwo, &UringFsOptions::wal_preextend_bytes,
     64 * kKiB, 16 * kMiB},
    {"wal_flush_window_bytes", &kPowerOfTwo,
     &UringFsOptions::wal_flush_window_bytes, 64 * kKiB, 16 * kMiB},
    {"data_cached_bytes", &kCount, &UringFsOptions::data_cached_bytes, 0,
     16 * kMiB},
    {"data_buffer_bytes", &kPowerOfTwo, &UringFsOptions::data_buffer_bytes,
     4 * kKiB, 4 * kMiB},
    {"data_buffers", &kCount, &UringFsOptions::data_buffers, 2, 1024},
    {"data_writes_in_flight", &kCount, &UringFsOptions::data_writes_in_flight,
     1, 64},
    {"max_buffer_bytes", &kPowerOfTwo, &UringFsOptions::max_buffer_bytes,
     1 * kMiB, 2048 * kMiB},
    {"data_cache", kOneOf<&UringFsOptions::data_cache, kDataCacheNames>},
    {"compaction_reads",
     kOneOf<&UringFsOptions::compaction_reads, kCompactionReadsNames>},
    {"direct_io", kOneOf<&UringFsOptions::direct_io, kDirectIoNames>},
    {"io_engine", kOneOf<&UringFsOptions::io_engine, kIoEngineNames>},
    {"stats_file", &kPath},
};

Status BadValue(const Option& option, const std::string& value) {
  return Status::InvalidArgument(
      "uringfs: option '" + std::string(option.name) + "' cannot be '" + value +
      "'; it is " + option.kind->range(option));
}

}  // namespace

Status SetFsOption(const std::string& name, const std::string& value,
                   UringFsOptions* options) {
  std::string known;
  for (const Option& option : kTable) {
    if (name == option.name) {
      return option.kind->set(option, value, options) ? Status::Ok()
                                                      : BadValue(option, value);
    }
    known += (known.empty() ? "" : ", ") + std::string(option.name);
  }
  return Status::InvalidArgument("uringfs: there is no option '" + name +
                                 "'; there are " + known);
}

Status ValidateFsOptions(const UringFsOptions& options) {
  for (const Option& option : kTable) {
    if (!option.kind->is_valid(option, options)) {
      return BadValue(option, option.kind->format(option, options));
    }
  }
  if (options.max_buffer_bytes / options.data_buffer_bytes < 2) {
    return Status::InvalidArgument(
        "uringfs: max_buffer_bytes must hold at least two flush buffers of "
        "data_buffer_bytes");
  }
  Status status = WalLogOptions(options).Validate();
  return status.ok() ? DataLogOptions(options).Validate() : status;
}

std::string FormatFsOptions(const UringFsOptions& options) {
  std::string text;
  for (const Option& option : kTable) {
    text += std::string(text.empty() ? "" : ";") + option.name + "=" +
            option.kind->format(option, options);
  }
  return text;
}

LogOptions WalLogOptions(const UringFsOptions& options) {
  LogOptions log;
  log.write_mode = WriteMode::kSerialised;
  log.ring_home = options.wal_ring;
  log.shared_ring_after_bytes = options.wal_ring_after_bytes;
  log.drain_within_ms = options.wal_drain_within;
  log.durable_within_ms = options.wal_durable_within;
  log.max_extend_bytes = options.wal_preextend == WalPreextend::kOff
                             ? 0
                             : options.wal_preextend_bytes;
  log.flush_window_bytes = options.wal_flush_window_bytes;
  log.direct_io = options.direct_io;
  log.io_engine = options.io_engine;
  log.buffer_bytes = options.wal_buffer_bytes;
  log.buffers_count = options.wal_buffers;
  return options.wal_ring == RingHome::kPrivate ? WithoutSideFile(log) : log;
}

LogOptions WithoutSideFile(LogOptions log) {
  log.ring_home = RingHome::kPrivate;
  if (log.direct_io == DirectIo::kOptional) {
    log.direct_io = DirectIo::kOff;
  }
  return log;
}

LogOptions DataLogOptions(const UringFsOptions& options) {
  LogOptions log;
  log.write_mode = WriteMode::kTailLocalised;
  log.direct_io = options.direct_io;
  log.io_engine = options.io_engine;
  log.cached_bytes = options.data_cached_bytes;
  log.buffer_bytes = options.data_buffer_bytes;
  log.buffers_count = options.data_buffers;
  log.writes_in_flight = options.data_writes_in_flight;
  return log;
}

}  // namespace uringfs
