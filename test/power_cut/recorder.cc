// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A FUSE file system with two files. `device` is a disk image, held in memory:
// a loop device on it is a disk whose every write and flush is logged. What is
// written to `ack` goes into the same log, so the order between what a program
// was told and what its disk was told is exact.
//
//   power_cut_recorder IMAGE LOG DELAY_US SEED MOUNT_POINT
//
// A log entry is a Header and, of writes and acknowledgements, the bytes.
// Writes and flushes are logged twice: when they come in, and before they are
// answered. In between is a random delay, so that many are under way at once.

#define FUSE_USE_VERSION 312

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include <fuse3/fuse.h>

namespace {

struct Header {
  char kind[4];  // "WRIT", "DONE", "FLSH", "SAFE", "ACKN"
  uint32_t length;
  uint64_t offset;
  uint64_t id;     // the same for both entries of one request
  uint64_t at_us;  // of a clock that only goes forward
};
static_assert(sizeof(Header) == 32);

constexpr std::string_view kDevice = "/device";
constexpr std::string_view kAck = "/ack";

class Recorder {
 public:
  bool Open(const char* image, const char* log, long delay_us, uint64_t seed) {
    delay_us_ = delay_us;
    random_.seed(seed);
    log_ = std::fopen(log, "wb");
    const int fd = ::open(image, O_RDONLY | O_CLOEXEC);
    struct stat info = {};
    if (log_ == nullptr || fd < 0 || ::fstat(fd, &info) != 0) {
      return false;
    }
    size_ = static_cast<size_t>(info.st_size);
    void* map =
        ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    ::close(fd);
    bytes_ = static_cast<char*>(map);
    return map != MAP_FAILED;
  }

  void Close() {
    if (std::fclose(log_) != 0) {
      std::perror("log");
      std::abort();
    }
  }

  size_t size() const { return size_; }

  int Read(char* to, size_t length, size_t offset) {
    if (offset >= size_) {
      return 0;
    }
    length = std::min(length, size_ - offset);
    std::lock_guard lock(mutex_);
    std::memcpy(to, bytes_ + offset, length);
    return static_cast<int>(length);
  }

  int Write(const char* from, size_t length, size_t offset) {
    if (offset > size_ || length > size_ - offset) {
      return -ENOSPC;
    }
    uint64_t id = 0;
    {
      std::lock_guard lock(mutex_);
      id = Log("WRIT", from, length, offset, 0);
      std::memcpy(bytes_ + offset, from, length);
    }
    Delay(1);
    std::lock_guard lock(mutex_);
    Log("DONE", nullptr, 0, 0, id);
    return static_cast<int>(length);
  }

  int Flush() {
    uint64_t id = 0;
    {
      std::lock_guard lock(mutex_);
      id = Log("FLSH", nullptr, 0, 0, 0);
    }
    Delay(4);
    std::lock_guard lock(mutex_);
    Log("SAFE", nullptr, 0, 0, id);
    return 0;
  }

  int Acknowledge(const char* text, size_t length) {
    std::lock_guard lock(mutex_);
    Log("ACKN", text, length, 0, 0);
    return static_cast<int>(length);
  }

 private:
  uint64_t Log(const char* kind, const char* bytes, size_t length,
               size_t offset, uint64_t id) {
    Header header = {};
    std::memcpy(header.kind, kind, sizeof(header.kind));
    header.length = static_cast<uint32_t>(length);
    header.offset = offset;
    header.id = id != 0 ? id : ++last_id_;
    header.at_us = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(
            std::chrono::steady_clock::now().time_since_epoch())
            .count());
    if (std::fwrite(&header, sizeof(header), 1, log_) != 1 ||
        (length > 0 && std::fwrite(bytes, length, 1, log_) != 1)) {
      std::perror("log");
      std::abort();
    }
    return header.id;
  }

  void Delay(long times) {
    if (delay_us_ == 0) {
      return;
    }
    long us = 0;
    {
      std::lock_guard lock(mutex_);
      us = static_cast<long>(random_() %
                             static_cast<uint64_t>(delay_us_ * times + 1));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(us));
  }

  std::mutex mutex_;
  std::FILE* log_ = nullptr;
  char* bytes_ = nullptr;
  size_t size_ = 0;
  uint64_t last_id_ = 0;
  long delay_us_ = 0;
  std::mt19937_64 random_;
};

Recorder recorder;

int GetAttributes(const char* path, struct stat* info, fuse_file_info*) {
  *info = {};
  const bool directory = std::string_view(path) == "/";
  if (!directory && path != kDevice && path != kAck) {
    return -ENOENT;
  }
  info->st_mode = directory ? S_IFDIR | 0700 : S_IFREG | 0600;
  info->st_nlink = directory ? 2 : 1;
  info->st_blksize = 4096;
  if (path == kDevice) {
    info->st_size = static_cast<off_t>(recorder.size());
  }
  return 0;
}

int List(const char*, void* to, fuse_fill_dir_t fill, off_t, fuse_file_info*,
         fuse_readdir_flags) {
  for (const char* name : {".", "..", "device", "ack"}) {
    fill(to, name, nullptr, 0, fuse_fill_dir_flags{});
  }
  return 0;
}

int OpenFile(const char* path, fuse_file_info* file) {
  if (path != kDevice && path != kAck) {
    return -ENOENT;
  }
  // Each write of an acknowledgement comes here before it returns.
  file->direct_io = path == kAck ? 1 : 0;
  return 0;
}

int ReadFile(const char* path, char* to, size_t length, off_t offset,
             fuse_file_info*) {
  return path == kDevice
             ? recorder.Read(to, length, static_cast<size_t>(offset))
             : 0;
}

int WriteFile(const char* path, const char* from, size_t length, off_t offset,
              fuse_file_info*) {
  return path == kDevice
             ? recorder.Write(from, length, static_cast<size_t>(offset))
             : recorder.Acknowledge(from, length);
}

int SyncFile(const char* path, int, fuse_file_info*) {
  return path == kDevice ? recorder.Flush() : 0;
}

int CutFile(const char* path, off_t, fuse_file_info*) {
  return path == kAck ? 0 : -EPERM;
}

void* Initialise(fuse_conn_info* connection, fuse_config*) {
  connection->max_background = 128;
  connection->congestion_threshold = 128;
  return nullptr;
}

fuse_operations Operations() {
  fuse_operations operations = {};
  operations.getattr = GetAttributes;
  operations.readdir = List;
  operations.open = OpenFile;
  operations.read = ReadFile;
  operations.write = WriteFile;
  operations.fsync = SyncFile;
  operations.truncate = CutFile;
  operations.init = Initialise;
  return operations;
}

// Enters a mount namespace without the file system, and so without what will
// be mounted on it: a server that holds the last namespace would have to
// unmount, on its way out, what waits for its answers.
bool LeaveNamespace(const char* mount_point) {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::umount2(mount_point, MNT_DETACH) == 0;
}

// Whoever started this is gone, and its namespace with it: that is unmounted
// now, which ends this process. If not, it ends all the same.
void OnOrphaned(int) { ::alarm(5); }

int Serve(char* program, const char* mount_point) {
  char* arguments[] = {program, nullptr};
  fuse_args args = FUSE_ARGS_INIT(1, arguments);
  const fuse_operations operations = Operations();
  fuse* server = fuse_new(&args, &operations, sizeof(operations), nullptr);
  if (server == nullptr || fuse_mount(server, mount_point) != 0) {
    return 1;
  }
  if (!LeaveNamespace(mount_point)) {
    std::perror("a mount namespace");
    return 1;
  }
  fuse_loop_config* config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_max_threads(config, 32);
  fuse_loop_cfg_set_idle_threads(config, 32);
  const int result = fuse_loop_mt(server, config);
  fuse_loop_cfg_destroy(config);
  fuse_destroy(server);
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6 || !recorder.Open(argv[1], argv[2], std::atol(argv[3]),
                                  std::strtoull(argv[4], nullptr, 10))) {
    std::fprintf(stderr,
                 "usage: power_cut_recorder IMAGE LOG DELAY_US SEED "
                 "MOUNT_POINT\n");
    return 2;
  }
  std::signal(SIGUSR1, OnOrphaned);
  ::prctl(PR_SET_PDEATHSIG, SIGUSR1);
  const int result = Serve(argv[0], argv[5]);
  recorder.Close();
  return result;
}
