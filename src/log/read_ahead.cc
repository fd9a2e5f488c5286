// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "uringfs/read_ahead.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "src/base/align.h"
#include "src/base/assert.h"
#include "src/base/fork_count.h"
#include "src/device/sys.h"
#include "src/device/uring_queue.h"
#include "src/log/read_ahead_on.h"
#include "src/log/workspace.h"

namespace uringfs {

static_assert(ReadAhead::kMaxWindows * 2 <= UringQueue::kEntries,
              "the ring's queue must hold every window's request");

namespace {

constexpr size_t kBlock = 4096;

// A stretch of the file, and one request to the device: it fills it from Start
// to the completion; then it is read, until it is started anew.
struct Window {
  char* memory = nullptr;
  uint64_t begin = 0;
  uint64_t end = 0;
  bool is_under_way = false;
  bool is_settled = true;
  int result = 0;
  Status status;

  bool Holds(uint64_t offset) const { return begin <= offset && offset < end; }
};

class ReadAheadFile final : public ReadAhead {
 public:
  ReadAheadFile(std::string path, int fd, uint64_t size, size_t window_bytes,
                size_t windows, std::unique_ptr<Workspace> workspace,
                UringQueue* queue)
      : path_(std::move(path)),
        fd_(fd),
        size_(size),
        window_bytes_(window_bytes),
        forks_(ForkCount()),
        workspace_(std::move(workspace)),
        queue_(queue),
        windows_(windows) {
    char* memory = workspace_->ring_memory();
    for (Window& window : windows_) {
      window.memory = memory;
      memory += window_bytes;
    }
  }

  ~ReadAheadFile() override {
    if (IsOurs()) {
      for (Window& window : windows_) {
        Await(&window);
      }
    }
    Workspace::Release(std::move(workspace_));
    ::close(fd_);
  }

  Status Read(uint64_t offset, size_t bytes, char* out, size_t* got) override;

  uint64_t device_bytes() const override { return device_bytes_; }

 private:
  bool IsOurs() const { return forks_ == ForkCount(); }
  Window* Find(uint64_t offset);
  // All windows, from `offset` on.
  void Restart(uint64_t offset);
  // The windows follow each other in the file, from the first one on. REQUIRES:
  // `i` is below their number.
  Window* FromFirst(size_t i) {
    return &windows_[(first_ + i) % windows_.size()];
  }
  // REQUIRES: it is not under way.
  void Start(Window* window, uint64_t begin);
  void Submit(Window* window);
  // Until it is not under way.
  void Await(Window* window);
  // The same, and makes whole what came back in part.
  void Settle(Window* window);
  Status Complete(Window* window);
  // Windows that end at `position` or before go on behind the last one.
  void GoOn(uint64_t position);

  const std::string path_;
  const int fd_;
  const uint64_t size_;
  const size_t window_bytes_;
  const uint32_t forks_;
  std::unique_ptr<Workspace> workspace_;
  UringQueue* const queue_;      // the workspace's
  std::vector<Window> windows_;  // the kernel has pointers to them
  size_t first_ = 0;             // of them
  uint64_t device_bytes_ = 0;
};

Window* ReadAheadFile::Find(uint64_t offset) {
  for (size_t i = 0; i < windows_.size(); ++i) {
    if (FromFirst(i)->Holds(offset)) {
      return FromFirst(i);
    }
  }
  return nullptr;
}

Status ReadAheadFile::Read(uint64_t offset, size_t bytes, char* out,
                           size_t* got) {
  *got = 0;
  if (!IsOurs()) {
    return Status::NotSupported(
        "a file read ahead before a fork cannot be read in the child");
  }
  while (*got < bytes && offset < size_) {
    if (Find(offset) == nullptr) {
      Restart(offset);
    }
    Window* window = Find(offset);
    Settle(window);
    if (!window->status.ok()) {
      Status status = std::exchange(window->status, Status::Ok());
      // The next call tries again.
      window->end = window->begin;
      return status;
    }
    const size_t count = std::min<uint64_t>(bytes - *got, window->end - offset);
    std::memcpy(out + *got, window->memory + (offset - window->begin), count);
    *got += count;
    offset += count;
    GoOn(offset);
  }
  return Status::Ok();
}

void ReadAheadFile::Restart(uint64_t offset) {
  for (Window& window : windows_) {
    Await(&window);
  }
  first_ = 0;
  uint64_t begin = AlignDown(offset, kBlock);
  for (Window& window : windows_) {
    Start(&window, begin);
    begin = window.end;
  }
}

void ReadAheadFile::GoOn(uint64_t position) {
  const size_t last = windows_.size() - 1;
  while (FromFirst(0)->end <= position && FromFirst(last)->end < size_) {
    Window* const first = FromFirst(0);
    Await(first);
    Start(first, FromFirst(last)->end);
    first_ = (first_ + 1) % windows_.size();
  }
}

void ReadAheadFile::Start(Window* window, uint64_t begin) {
  // An earlier read could land on top of the new one.
  URINGFS_CHECK(!window->is_under_way);
  window->begin = std::min(begin, size_);
  window->end = std::min(window->begin + window_bytes_, size_);
  window->status = Status::Ok();
  window->is_settled = window->begin == window->end;
  if (!window->is_settled) {
    Submit(window);
    device_bytes_ += window->end - window->begin;
  }
}

void ReadAheadFile::Submit(Window* window) {
  // What the ring does not take is read when it is needed.
  window->result = -EAGAIN;
  const iovec memory = {window->memory,
                        AlignUp(window->end - window->begin, kBlock)};
  const auto prepare = [&] {
    return queue_->PrepareRead(fd_, memory, window->begin, window);
  };
  // A queue full of requests that the kernel did not take, and that do nothing
  // now, gets empty only if they are submitted once more.
  if (!prepare() && (queue_->Submit() != 0 || !prepare())) {
    return;
  }
  if (queue_->Submit() != 0) {
    queue_->Withdraw();
    return;
  }
  window->is_under_way = true;
}

void ReadAheadFile::Await(Window* window) {
  while (window->is_under_way) {
    void* user = nullptr;
    int result = 0;
    if (queue_->Next(&user, &result)) {
      auto* done = static_cast<Window*>(user);
      done->result = result;
      done->is_under_way = false;
    } else if (queue_->Wait() != 0) {
      // The completion comes all the same, and until then the memory is the
      // kernel's.
      ::sched_yield();
    }
  }
}

void ReadAheadFile::Settle(Window* window) {
  Await(window);
  if (!window->is_settled) {
    window->is_settled = true;
    window->status = Complete(window);
  }
}

// By plain reads, from the last block that is whole: short transfers, requests
// that the ring did not take, and errors, which are told by the second try.
Status ReadAheadFile::Complete(Window* window) {
  const size_t wanted = window->end - window->begin;
  size_t have = window->result > 0 ? static_cast<size_t>(window->result) : 0;
  while (have < wanted) {
    have = AlignDown(have, kBlock);
    const ssize_t got = workspace_->context()->sys()->Pread(
        fd_, window->memory + have, AlignUp(wanted, kBlock) - have,
        static_cast<off_t>(window->begin + have));
    if (got == -EINTR) {
      continue;
    }
    if (got < 0) {
      return Status::FromErrno(static_cast<int>(-got), "pread", path_);
    }
    if (static_cast<size_t>(got) < kBlock &&
        have + static_cast<size_t>(got) < wanted) {
      return Status::FromErrno(EIO, "pread (the file became shorter)", path_);
    }
    have += static_cast<size_t>(got);
  }
  return Status::Ok();
}

}  // namespace

Status ReadAhead::Open(const std::string& path, size_t window_bytes,
                       size_t windows, std::unique_ptr<ReadAhead>* reader) {
  if (window_bytes == 0 || window_bytes % kBlock != 0 ||
      window_bytes > kMaxWindowBytes) {
    return Status::InvalidArgument(
        "a window of " + std::to_string(window_bytes) +
        " bytes: it has to be a multiple of 4096, up to " +
        std::to_string(kMaxWindowBytes));
  }
  if (windows < 2 || windows > kMaxWindows) {
    return Status::InvalidArgument(std::to_string(windows) +
                                   " windows: it takes from 2 to " +
                                   std::to_string(kMaxWindows));
  }
  std::unique_ptr<Workspace> workspace;
  Status status = Workspace::Acquire(windows * window_bytes, &workspace);
  return status.ok() ? OpenReadAheadOn(std::move(workspace), path, window_bytes,
                                       windows, reader)
                     : status;
}

Status OpenReadAheadOn(std::unique_ptr<Workspace> workspace,
                       const std::string& path, size_t window_bytes,
                       size_t windows, std::unique_ptr<ReadAhead>* reader) {
  UringQueue* queue = nullptr;
  Status status = workspace->context()->Queue(&queue);
  if (!status.ok()) {
    return status;
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  struct stat stat = {};
  if (fd < 0 || ::fstat(fd, &stat) != 0) {
    status = errno == EINVAL ? Status::NotSupported("no direct I/O for " + path)
                             : Status::FromErrno(errno, "open", path);
    if (fd >= 0) {
      ::close(fd);
    }
    Workspace::Release(std::move(workspace));
    return status;
  }
  *reader = std::make_unique<ReadAheadFile>(
      path, fd, static_cast<uint64_t>(stat.st_size), window_bytes, windows,
      std::move(workspace), queue);
  return Status::Ok();
}

}  // namespace uringfs
