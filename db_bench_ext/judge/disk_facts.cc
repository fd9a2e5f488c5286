// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/disk_facts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

#include "db_bench_ext/judge/text.h"

namespace uringfs::bench {
namespace {

// The unit of /sys/block/*/size and of the counters, whatever the disk's is.
constexpr uint64_t kSectorBytes = 512;

// The first line without blanks around it; "" if there is no such file.
std::string ReadLine(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return Trim(line);
}

uint64_t ReadNumber(const std::string& path) {
  return std::strtoull(ReadLine(path).c_str(), nullptr, 10);
}

bool Exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

// Without symbolic links; "" if there is no such file.
std::string RealPath(const std::string& path) {
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  const std::unique_ptr<char, Free> real(::realpath(path.c_str(), nullptr));
  return real == nullptr ? "" : real.get();
}

std::string LastName(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// Fields are divided by one blank each; a field may be empty.
std::vector<std::string> Split(const std::string& text, char divider) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, divider);) {
    parts.push_back(part);
  }
  return parts;
}

bool IsOctal(char c) { return '0' <= c && c <= '7'; }

// The kernel writes blanks, line ends and backslashes of names as \040.
std::string Unescape(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && IsOctal(text[i + 1]) &&
        IsOctal(text[i + 2]) && IsOctal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 +
                                 (text[i + 2] - '0') * 8 + text[i + 3] - '0');
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

struct Mount {
  std::string device;  // "254:0"
  std::string point;
  std::string options;
  std::string file_system;
  std::string source;
};

// What both lists name ("rw") is told once.
std::string JoinOptions(const std::string& of_mount,
                        const std::string& of_file_system) {
  std::string joined = of_mount;
  const std::vector<std::string> known = Split(of_mount, ',');
  for (const std::string& option : Split(of_file_system, ',')) {
    if (std::find(known.begin(), known.end(), option) == known.end()) {
      joined += (joined.empty() ? "" : ",") + option;
    }
  }
  return joined;
}

// A line is: id parent major:minor root point options [tag...] - type source
// options. False if it is none.
bool ParseMount(const std::string& line, Mount* mount) {
  const std::vector<std::string> fields = Split(line, ' ');
  const auto dash = std::find(fields.begin(), fields.end(), "-");
  if (dash - fields.begin() < 6 || fields.end() - dash < 3) {
    return false;
  }
  mount->device = fields[2];
  mount->point = Unescape(fields[4]);
  mount->file_system = dash[1];
  mount->source = Unescape(dash[2]);
  mount->options =
      Unescape(JoinOptions(fields[5], fields.end() - dash > 3 ? dash[3] : ""));
  return true;
}

bool IsBelow(const std::string& path, const std::string& point) {
  return point == "/" || path == point || path.starts_with(point + "/");
}

// The mount that holds `path`: the longest point above it, of equal ones the
// last, since it hides the others. A mount of the same device goes before:
// others may be hidden by a mount above them. btrfs has none of the same
// device when `path` is in a subvolume.
Mount MountOf(const std::string& path, const std::string& device,
              const std::string& root) {
  std::ifstream in(root + "/proc/self/mountinfo");
  Mount best;
  for (std::string line; std::getline(in, line);) {
    Mount mount;
    if (!ParseMount(line, &mount) || !IsBelow(path, mount.point)) {
      continue;
    }
    const bool is_same = mount.device == device;
    const bool was_same = best.device == device;
    if (is_same != was_same ? is_same
                            : mount.point.size() >= best.point.size()) {
      best = mount;
    }
  }
  return best;
}

bool IsOneOf(std::string_view name, const auto& names) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool HidesDisk(const std::string& file_system) {
  constexpr std::array<std::string_view, 15> without = {
      "tmpfs",    "ramfs", "devtmpfs", "hugetlbfs", "rootfs",
      "overlay",  "aufs",  "nfs",      "nfs4",      "cifs",
      "virtiofs", "9p",    "ceph",     "smb3",      "fuse"};
  // "fuseblk" has a disk.
  return IsOneOf(file_system, without) || file_system.starts_with("fuse.");
}

std::string NumbersOf(dev_t device) {
  return std::to_string(major(device)) + ":" + std::to_string(minor(device));
}

// Where /sys describes the device a mount names as its source. A make-believe
// tree has no device files: there the name alone has to do.
std::string SysOfSource(const std::string& source, const std::string& root) {
  if (!source.starts_with("/")) {
    return "";
  }
  struct stat file = {};
  if (::stat((root + source).c_str(), &file) == 0 && S_ISBLK(file.st_mode)) {
    return RealPath(root + "/sys/dev/block/" + NumbersOf(file.st_rdev));
  }
  const std::string real = RealPath(root + source);
  return real.empty() ? ""
                      : RealPath(root + "/sys/class/block/" + LastName(real));
}

// The folder of the whole disk below /sys; "" if there is none. A partition is
// a folder in its disk's. A device mapper's device is told as it is: what it
// stands on may be many disks.
std::string SysOfDisk(dev_t device, const Mount& mount,
                      const std::string& root) {
  std::string sys = RealPath(root + "/sys/dev/block/" + NumbersOf(device));
  if (sys.empty() && !HidesDisk(mount.file_system)) {
    sys = SysOfSource(mount.source, root);
  }
  if (!sys.empty() && Exists(sys + "/partition")) {
    sys.resize(sys.rfind('/'));
  }
  return sys;
}

// SCSI and NVMe tell a model, memory cards and device mappers a name.
std::string ModelOf(const std::string& sys) {
  for (const char* name : {"/device/model", "/device/name", "/dm/name"}) {
    std::string model = ReadLine(sys + name);
    if (!model.empty()) {
      return model;
    }
  }
  return "";
}

// Of "none [mq-deadline] kyber" the one in brackets.
std::string ChosenOf(const std::string& choices) {
  const size_t open = choices.find('[');
  const size_t close = choices.find(']');
  if (open == std::string::npos || close == std::string::npos || close < open) {
    return choices;
  }
  return choices.substr(open + 1, close - open - 1);
}

// The value of "key : value" or key="value" in the first line that has it.
std::string ValueOf(const std::string& path, const std::string& key,
                    char divider) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const size_t at = line.find(divider);
    if (at != std::string::npos && Trim(line.substr(0, at)) == key) {
      return Trim(line.substr(at + 1));
    }
  }
  return "";
}

std::string WithoutQuotes(const std::string& text) {
  const bool is_quoted = text.size() >= 2 &&
                         (text.front() == '"' || text.front() == '\'') &&
                         text.back() == text.front();
  return is_quoted ? text.substr(1, text.size() - 2) : text;
}

uint32_t CountCpus(const std::string& root) {
  std::ifstream in(root + "/proc/cpuinfo");
  uint32_t count = 0;
  for (std::string line; std::getline(in, line);) {
    count += line.starts_with("processor") ? 1 : 0;
  }
  return count > 0 ? count : std::thread::hardware_concurrency();
}

}  // namespace

DiskFacts FactsOf(const std::string& directory, const std::string& root) {
  const std::string path = RealPath(directory);
  struct stat file = {};
  if (path.empty() || ::stat(path.c_str(), &file) != 0) {
    return DiskFacts();
  }
  return FactsAt(path, file.st_dev, root);
}

DiskFacts FactsAt(const std::string& path, dev_t device,
                  const std::string& root) {
  const Mount mount = MountOf(path, NumbersOf(device), root);
  DiskFacts facts;
  facts.file_system = mount.file_system;
  facts.mount_options = mount.options;
  const std::string sys = SysOfDisk(device, mount, root);
  if (sys.empty()) {
    return facts;
  }
  facts.device = LastName(sys);
  facts.model = ModelOf(sys);
  facts.write_cache = ReadLine(sys + "/queue/write_cache");
  facts.scheduler = ChosenOf(ReadLine(sys + "/queue/scheduler"));
  facts.has_fua = ReadNumber(sys + "/queue/fua") != 0;
  facts.is_rotational = ReadNumber(sys + "/queue/rotational") != 0;
  facts.size_bytes = ReadNumber(sys + "/size") * kSectorBytes;
  return facts;
}

bool IsNoDisk(const DiskFacts& facts) {
  // "ram0" and "zram0" are memory that poses as a disk.
  return HidesDisk(facts.file_system) || facts.device.starts_with("ram") ||
         facts.device.starts_with("zram");
}

DiskCounters CountersOf(const DiskFacts& facts, const std::string& root) {
  DiskCounters counters;
  if (facts.device.empty()) {
    return counters;
  }
  std::ifstream in(root + "/sys/block/" + facts.device + "/stat");
  std::vector<uint64_t> fields;
  for (uint64_t field = 0; in >> field;) {
    fields.push_back(field);
  }
  // The kernel's text counts fields from 1: writes are 5, sectors written 7,
  // flushes 16.
  if (fields.size() < 7) {
    return counters;
  }
  counters.known = true;
  counters.writes = fields[4];
  counters.written_bytes = fields[6] * kSectorBytes;
  counters.counts_flushes = fields.size() >= 16;
  counters.flushes = counters.counts_flushes ? fields[15] : 0;
  return counters;
}

DiskCounters operator-(const DiskCounters& later, const DiskCounters& earlier) {
  DiskCounters between;
  between.known = later.known && earlier.known;
  if (!between.known) {
    return between;
  }
  between.writes = later.writes - earlier.writes;
  between.written_bytes = later.written_bytes - earlier.written_bytes;
  between.counts_flushes = later.counts_flushes && earlier.counts_flushes;
  between.flushes =
      between.counts_flushes ? later.flushes - earlier.flushes : 0;
  return between;
}

MachineFacts FactsOfMachine(const std::string& root) {
  MachineFacts facts;
  utsname name = {};
  if (::uname(&name) == 0) {
    facts.kernel = std::string(name.release) + " " + name.machine;
  }
  facts.cpu = ValueOf(root + "/proc/cpuinfo", "model name", ':');
  if (facts.cpu.empty()) {
    facts.cpu = name.machine;  // arm64 tells no model
  }
  facts.cpus = CountCpus(root);
  const std::string kib = ValueOf(root + "/proc/meminfo", "MemTotal", ':');
  facts.memory_bytes = std::strtoull(kib.c_str(), nullptr, 10) * 1024;
  facts.system =
      WithoutQuotes(ValueOf(root + "/etc/os-release", "PRETTY_NAME", '='));
  return facts;
}

bool SyncFileSystem(const std::string& directory, std::string* why_not) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool is_done = fd >= 0 && ::syncfs(fd) == 0;
  if (!is_done && why_not != nullptr) {
    *why_not = ErrnoText("sync of " + directory, errno);
  }
  if (fd >= 0) {
    ::close(fd);
  }
  return is_done;
}

bool DropPageCache(std::string* why_not, const std::string& root) {
  const std::string path = root + "/proc/sys/vm/drop_caches";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    *why_not = ErrnoText(path, errno);
    return false;
  }
  const bool is_done = ::write(fd, "1", 1) == 1;
  if (!is_done) {
    *why_not = ErrnoText("write to " + path, errno);
  }
  ::close(fd);
  return is_done;
}

}  // namespace uringfs::bench
