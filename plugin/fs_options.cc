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

// How the value of an option is written and stored.
enum class Kind : uint8_t {
  kPowerOfTwo,    // a number of bytes, a power of two; shown with K, M or G
  kCount,         // a number
  kMilliseconds,  // a number, of milliseconds unless "s" or "ms" follows
  kRingHome,
  kDirectIo,
  kIoEngine,
  kPreextend,
  kDataCache,
  kCompactionReads,
  kPath,
};

struct Option {
  const char* name;
  Kind kind;
  // For sizes and counts.
  uint32_t UringFsOptions::*number;
  uint64_t low;
  uint64_t high;
  const char* meaning;
};

// THE table. The defaults are those of UringFsOptions.
constexpr Option kTable[] = {
    {"wal_buffer_bytes", Kind::kPowerOfTwo, &UringFsOptions::wal_buffer_bytes,
     4 * kKiB, 4 * kMiB, "flush buffer of a write-ahead log"},
    {"wal_buffers", Kind::kCount, &UringFsOptions::wal_buffers, 2, 1024,
     "flush buffers of each open write-ahead log"},
    {"wal_ring", Kind::kRingHome, nullptr, 0, 0,
     "those buffers: in a file beside the log, or none that outlive a flush"},
    {"wal_ring_after_bytes", Kind::kCount,
     &UringFsOptions::wal_ring_after_bytes, 0, 4 * kMiB,
     "length up to which a log does without that file"},
    {"wal_drain_within", Kind::kMilliseconds, &UringFsOptions::wal_drain_within,
     0, 60000,
     "after that time what was flushed has left that file; 0: as long as the "
     "log is written to, its tail may stay there"},
    {"wal_durable_within", Kind::kMilliseconds,
     &UringFsOptions::wal_durable_within, 0, 60000,
     "after that time what was flushed survives power loss, though nobody "
     "syncs; at least 4ms, or 0: only what is synced"},
    {"wal_preextend", Kind::kPreextend, nullptr, 0, 0,
     "zeros ahead of a synced log's tail, so that a sync is an overwrite"},
    {"wal_preextend_bytes", Kind::kPowerOfTwo,
     &UringFsOptions::wal_preextend_bytes, 64 * kKiB, 16 * kMiB,
     "how far ahead at most"},
    {"wal_flush_window_bytes", Kind::kPowerOfTwo,
     &UringFsOptions::wal_flush_window_bytes, 64 * kKiB, 16 * kMiB,
     "with that: unsynced bytes that bring about a device flush"},
    {"data_cached_bytes", Kind::kCount, &UringFsOptions::data_cached_bytes, 0,
     16 * kMiB,
     "length up to which an SST or blob file goes through the page cache"},
    {"data_buffer_bytes", Kind::kPowerOfTwo, &UringFsOptions::data_buffer_bytes,
     4 * kKiB, 4 * kMiB, "flush buffer of an SST or blob file"},
    {"data_buffers", Kind::kCount, &UringFsOptions::data_buffers, 2, 1024,
     "flush buffers of each SST or blob file that is being written"},
    {"data_writes_in_flight", Kind::kCount,
     &UringFsOptions::data_writes_in_flight, 1, 64,
     "writes of one SST or blob file that may be in flight at once"},
    {"max_buffer_bytes", Kind::kPowerOfTwo, &UringFsOptions::max_buffer_bytes,
     1 * kMiB, 2048 * kMiB, "memory for the flush buffers of all data files"},
    {"data_cache", Kind::kDataCache, nullptr, 0, 0,
     "data files through the page cache: tables of cached inputs, none, all"},
    {"compaction_reads", Kind::kCompactionReads, nullptr, 0, 0,
     "how compactions read: round the page cache and ahead, or as all do"},
    {"direct_io", Kind::kDirectIo, nullptr, 0, 0,
     "O_DIRECT: where possible, or else no file is opened, or never"},
    {"io_engine", Kind::kIoEngine, nullptr, 0, 0,
     "io_uring where possible, or else no file is opened, or pwrite"},
    {"stats_file", Kind::kPath, nullptr, 0, 0,
     "file the statistics are appended to at the end; - is stderr"},
};

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

std::string FormatSize(uint64_t bytes) {
  if (bytes != 0 && bytes % kMiB == 0) {
    return std::to_string(bytes / kMiB) + "M";
  }
  if (bytes != 0 && bytes % kKiB == 0) {
    return std::to_string(bytes / kKiB) + "K";
  }
  return std::to_string(bytes);
}

template <typename Names>
std::string ListNames(const Names& names) {
  std::string list;
  for (const auto& entry : names) {
    list += (list.empty() ? "" : "|") + std::string(entry.text);
  }
  return list;
}

template <typename Names, typename Value>
std::string FormatName(const Names& names, Value value) {
  for (const auto& entry : names) {
    if (entry.value == value) {
      return entry.text;
    }
  }
  return "?";
}

std::string Range(const Option& option) {
  switch (option.kind) {
    case Kind::kPowerOfTwo:
      return "a power of two from " + FormatSize(option.low) + " to " +
             FormatSize(option.high);
    case Kind::kCount:
      return "a number from " + std::to_string(option.low) + " to " +
             std::to_string(option.high);
    case Kind::kMilliseconds:
      return "a time from " + std::to_string(option.low) + "ms to " +
             std::to_string(option.high) + "ms";
    case Kind::kRingHome:
      return ListNames(kRingHomeNames);
    case Kind::kDirectIo:
      return ListNames(kDirectIoNames);
    case Kind::kIoEngine:
      return ListNames(kIoEngineNames);
    case Kind::kPreextend:
      return ListNames(kPreextendNames);
    case Kind::kDataCache:
      return ListNames(kDataCacheNames);
    case Kind::kCompactionReads:
      return ListNames(kCompactionReadsNames);
    case Kind::kPath:
      return "a path, - or nothing";
  }
  return "";
}

std::string FormatValue(const Option& option, const UringFsOptions& options) {
  switch (option.kind) {
    case Kind::kPowerOfTwo:
      return FormatSize(options.*option.number);
    case Kind::kCount:
      return std::to_string(options.*option.number);
    case Kind::kMilliseconds:
      return std::to_string(options.*option.number) + "ms";
    case Kind::kRingHome:
      return FormatName(kRingHomeNames, options.wal_ring);
    case Kind::kDirectIo:
      return FormatName(kDirectIoNames, options.direct_io);
    case Kind::kIoEngine:
      return FormatName(kIoEngineNames, options.io_engine);
    case Kind::kPreextend:
      return FormatName(kPreextendNames, options.wal_preextend);
    case Kind::kDataCache:
      return FormatName(kDataCacheNames, options.data_cache);
    case Kind::kCompactionReads:
      return FormatName(kCompactionReadsNames, options.compaction_reads);
    case Kind::kPath:
      return options.stats_file;
  }
  return "?";
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

bool InRange(const Option& option, uint64_t value) {
  return value >= option.low && value <= option.high &&
         (option.kind != Kind::kPowerOfTwo || (value & (value - 1)) == 0);
}

template <typename Names, typename Value>
bool FindName(const Names& names, const std::string& text, Value* value) {
  for (const auto& entry : names) {
    if (text == entry.text) {
      *value = entry.value;
      return true;
    }
  }
  return false;
}

bool SetValue(const Option& option, const std::string& text,
              UringFsOptions* options) {
  uint64_t number = 0;
  switch (option.kind) {
    case Kind::kPowerOfTwo:
    case Kind::kCount:
    case Kind::kMilliseconds: {
      const auto parse = option.kind == Kind::kMilliseconds ? &ParseMilliseconds
                                                            : &ParseNumber;
      if (!parse(text, &number) || !InRange(option, number)) {
        return false;
      }
      options->*option.number = static_cast<uint32_t>(number);
      return true;
    }
    case Kind::kRingHome:
      return FindName(kRingHomeNames, text, &options->wal_ring);
    case Kind::kDirectIo:
      return FindName(kDirectIoNames, text, &options->direct_io);
    case Kind::kIoEngine:
      return FindName(kIoEngineNames, text, &options->io_engine);
    case Kind::kPreextend:
      return FindName(kPreextendNames, text, &options->wal_preextend);
    case Kind::kDataCache:
      return FindName(kDataCacheNames, text, &options->data_cache);
    case Kind::kCompactionReads:
      return FindName(kCompactionReadsNames, text, &options->compaction_reads);
    case Kind::kPath:
      options->stats_file = text;
      return true;
  }
  return false;
}

Status BadValue(const Option& option, const std::string& value) {
  return Status::InvalidArgument("uringfs: option '" +
                                 std::string(option.name) + "' cannot be '" +
                                 value + "'; it is " + Range(option));
}

}  // namespace

Status SetFsOption(const std::string& name, const std::string& value,
                   UringFsOptions* options) {
  std::string known;
  for (const Option& option : kTable) {
    if (name == option.name) {
      return SetValue(option, value, options) ? Status::Ok()
                                              : BadValue(option, value);
    }
    known += (known.empty() ? "" : ", ") + std::string(option.name);
  }
  return Status::InvalidArgument("uringfs: there is no option '" + name +
                                 "'; there are " + known);
}

Status ValidateFsOptions(const UringFsOptions& options) {
  for (const Option& option : kTable) {
    if (option.number != nullptr && !InRange(option, options.*option.number)) {
      return BadValue(option, std::to_string(options.*option.number));
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
            FormatValue(option, options);
  }
  return text;
}

std::string DescribeFsOptions() {
  const UringFsOptions defaults;
  std::string text;
  for (const Option& option : kTable) {
    text += std::string(option.name) + ": " + Range(option) + "; default '" +
            FormatValue(option, defaults) + "'; " + option.meaning + "\n";
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
