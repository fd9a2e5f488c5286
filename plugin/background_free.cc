// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "background_free.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "one_per_process.h"

namespace uringfs {
namespace {

constexpr uint64_t kStatBlockBytes = 512;

uint64_t AvailableOn(int fd) {
  struct statvfs disk = {};
  return ::fstatvfs(fd, &disk) == 0
             ? uint64_t{disk.f_bavail} * uint64_t{disk.f_frsize}
             : 0;
}

}  // namespace

BlockHandle& BlockHandle::operator=(BlockHandle&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void BlockHandle::LetGo() {
  if (fd_ >= 0) {
    ::close(fd_);
    fd_ = -1;
  }
}

BackgroundFree& BackgroundFree::OfProcess() {
  // The thread outlives statics.
  static OnePerProcess<BackgroundFree> object;
  return object.Get();
}

BlockHandle BackgroundFree::Hold(const std::string& path) {
  // A path handle is enough to keep the blocks.
  const int fd = ::open(path.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW);
  struct stat stat = {};
  if (fd < 0) {
    return {};
  }
  const bool is_known = ::fstat(fd, &stat) == 0;
  BlockHandle file(fd, static_cast<uint64_t>(stat.st_blocks) * kStatBlockBytes);
  if (!is_known || !S_ISREG(stat.st_mode) || stat.st_nlink != 1 ||
      file.bytes() < kMinBytes) {
    return {};
  }
  const uint64_t available = AvailableOn(fd);
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool is_plenty =
      available >= min_space_ && waiting_bytes_ + file.bytes() <= available / 2;
  return is_plenty && waiting_.size() < kMaxWaiting ? std::move(file)
                                                    : BlockHandle();
}

void BackgroundFree::Free(BlockHandle&& file) {
  BlockHandle mine = std::move(file);
  if (mine.is_empty()) {
    return;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!is_started_) {
    is_started_ = start_([this] { Run(); });
    if (!is_started_) {
      return;
    }
  }
  waiting_bytes_ += mine.bytes();
  ++handed_over_;
  waiting_.push_back(std::move(mine));
  changed_.notify_all();
}

void BackgroundFree::Wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  const uint64_t until = handed_over_;
  changed_.wait(lock, [&] { return given_back_ >= until; });
}

uint64_t BackgroundFree::handed_over() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return handed_over_;
}

void BackgroundFree::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return !waiting_.empty(); });
    BlockHandle next = std::move(waiting_.front());
    waiting_.pop_front();
    const uint64_t bytes = next.bytes();
    lock.unlock();
    next.LetGo();
    lock.lock();
    waiting_bytes_ -= bytes;
    ++given_back_;
    changed_.notify_all();
  }
}

}  // namespace uringfs
