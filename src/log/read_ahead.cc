// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "uringfs/read_ahead.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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
namespace {

constexpr size_t kBlock = 4096;
// Of one request: larger ones are handed to worker threads.
constexpr size_t kPieceBytes = size_t{256} << 10;

struct Window;

struct Piece {
  Window* window = nullptr;
  iovec memory = {};
  uint64_t offset = 0;
  size_t wanted = 0;  // less than the memory's at the end of the file
  int result = 0;
};

// A stretch of the file. The device fills it from Start to the last
// completion; then it is read, until it is started anew.
struct Window {
  char* memory = nullptr;
  uint64_t begin = 0;
  uint64_t end = 0;
  size_t under_way = 0;  // pieces
  bool is_settled = true;
  Status status;
  std::vector<Piece> pieces;

  bool Holds(uint64_t offset) const { return begin <= offset && offset < end; }
};

class ReadAheadFile final : public ReadAhead {
 public:
  ReadAheadFile(std::string path, int fd, uint64_t size, size_t window_bytes,
                std::unique_ptr<Workspace> workspace, UringQueue* queue)
      : path_(std::move(path)),
        fd_(fd),
        size_(size),
        window_bytes_(window_bytes),
        forks_(ForkCount()),
        workspace_(std::move(workspace)),
        queue_(queue) {
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
  // Both windows, from `offset` on.
  void Restart(uint64_t offset);
  // REQUIRES: nothing is under way in it.
  void Start(Window* window, uint64_t begin);
  void Submit(Piece* piece);
  // Until nothing is under way in it.
  void Await(Window* window);
  // The same, and makes whole what came back in part.
  void Settle(Window* window);
  Status Complete(Piece* piece);
  // Windows that end at `position` or before go on ahead of the other one.
  void GoOn(uint64_t position);

  const std::string path_;
  const int fd_;
  const uint64_t size_;
  const size_t window_bytes_;
  const uint32_t forks_;
  std::unique_ptr<Workspace> workspace_;
  UringQueue* const queue_;  // the workspace's
  std::array<Window, 2> windows_;
  uint64_t device_bytes_ = 0;
};

Window* ReadAheadFile::Find(uint64_t offset) {
  for (Window& window : windows_) {
    if (window.Holds(offset)) {
      return &window;
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
  Start(&windows_[0], AlignDown(offset, kBlock));
  Start(&windows_[1], windows_[0].end);
}

void ReadAheadFile::GoOn(uint64_t position) {
  for (Window& window : windows_) {
    const Window& other = &window == &windows_[0] ? windows_[1] : windows_[0];
    if (window.end <= position && other.end > window.end && other.end < size_) {
      Await(&window);
      Start(&window, other.end);
    }
  }
}

void ReadAheadFile::Start(Window* window, uint64_t begin) {
  // An earlier read could land on top of the new one.
  URINGFS_CHECK_EQ(window->under_way, 0u);
  window->begin = std::min(begin, size_);
  window->end = std::min(window->begin + window_bytes_, size_);
  window->status = Status::Ok();
  window->is_settled = false;
  window->pieces.clear();
  // Reserved: the ring has pointers to them.
  window->pieces.reserve(window_bytes_ / kPieceBytes + 1);
  for (uint64_t at = window->begin; at < window->end; at += kPieceBytes) {
    Piece& piece = window->pieces.emplace_back();
    piece.window = window;
    piece.offset = at;
    piece.wanted = std::min<uint64_t>(kPieceBytes, window->end - at);
    piece.memory = {window->memory + (at - window->begin),
                    AlignUp(piece.wanted, kBlock)};
    Submit(&piece);
  }
  device_bytes_ += window->end - window->begin;
}

void ReadAheadFile::Submit(Piece* piece) {
  // What the ring does not take is read when it is needed.
  piece->result = -EAGAIN;
  const auto prepare = [&] {
    return queue_->PrepareRead(fd_, piece->memory, piece->offset, piece);
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
  ++piece->window->under_way;
}

void ReadAheadFile::Await(Window* window) {
  while (window->under_way > 0) {
    void* user = nullptr;
    int result = 0;
    if (queue_->Next(&user, &result)) {
      auto* piece = static_cast<Piece*>(user);
      piece->result = result;
      --piece->window->under_way;
    } else if (queue_->Wait() != 0) {
      // The completion comes all the same, and until then the memory is the
      // kernel's.
      ::sched_yield();
    }
  }
}

void ReadAheadFile::Settle(Window* window) {
  Await(window);
  if (window->is_settled) {
    return;
  }
  window->is_settled = true;
  for (Piece& piece : window->pieces) {
    Status status = Complete(&piece);
    if (!status.ok() && window->status.ok()) {
      window->status = status;
    }
  }
}

// By plain reads, from the last block that is whole: short transfers, requests
// that the ring did not take, and errors, which are told by the second try.
Status ReadAheadFile::Complete(Piece* piece) {
  size_t have = piece->result > 0 ? static_cast<size_t>(piece->result) : 0;
  while (have < piece->wanted) {
    have = AlignDown(have, kBlock);
    const ssize_t got = workspace_->context()->sys()->Pread(
        fd_, static_cast<char*>(piece->memory.iov_base) + have,
        piece->memory.iov_len - have, static_cast<off_t>(piece->offset + have));
    if (got == -EINTR) {
      continue;
    }
    if (got < 0) {
      return Status::FromErrno(static_cast<int>(-got), "pread", path_);
    }
    if (static_cast<size_t>(got) < kBlock &&
        have + static_cast<size_t>(got) < piece->wanted) {
      return Status::FromErrno(EIO, "pread (the file became shorter)", path_);
    }
    have += static_cast<size_t>(got);
  }
  return Status::Ok();
}

}  // namespace

Status ReadAhead::Open(const std::string& path, size_t window_bytes,
                       std::unique_ptr<ReadAhead>* reader) {
  if (window_bytes == 0 || window_bytes % kBlock != 0 ||
      window_bytes > kMaxWindowBytes) {
    return Status::InvalidArgument(
        "a window of " + std::to_string(window_bytes) +
        " bytes: it has to be a multiple of 4096, up to " +
        std::to_string(kMaxWindowBytes));
  }
  std::unique_ptr<Workspace> workspace;
  Status status = Workspace::Acquire(2 * window_bytes, &workspace);
  return status.ok()
             ? OpenReadAheadOn(std::move(workspace), path, window_bytes, reader)
             : status;
}

Status OpenReadAheadOn(std::unique_ptr<Workspace> workspace,
                       const std::string& path, size_t window_bytes,
                       std::unique_ptr<ReadAhead>* reader) {
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
      path, fd, static_cast<uint64_t>(stat.st_size), window_bytes,
      std::move(workspace), queue);
  return Status::Ok();
}

}  // namespace uringfs
