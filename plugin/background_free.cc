// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "background_free.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "one_per_process.h"

namespace uringfs {
namespace {

constexpr uint64_t kStatBlockBytes = 512;
// Nobody's shutdown waits longer for a disk that hangs.
constexpr auto kMaxWait = std::chrono::seconds(2);

// File systems where a handle of a file changes nothing but when its blocks
// come back.
bool IsFit(const struct statfs& disk) {
  // The field's type differs between machines.
  switch (static_cast<uint32_t>(disk.f_type)) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
      return true;
    default:
      return false;
  }
}

uint64_t BytesOnDisk(const struct stat& file) {
  return static_cast<uint64_t>(file.st_blocks) * kStatBlockBytes;
}

bool IsPutOff(const struct stat& file) {
  return S_ISREG(file.st_mode) && file.st_nlink == 1 &&
         BytesOnDisk(file) >= BackgroundFree::kMinBytes;
}

}  // namespace

BlockHandle& BlockHandle::operator=(BlockHandle&& other) noexcept {
  std::swap(owner_, other.owner_);
  std::swap(fd_, other.fd_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void BlockHandle::LetGo() {
  if (owner_ == nullptr) {
    return;
  }
  // Somebody may have closed all descriptors, and this one be another file's,
  // perhaps on the same inode; but hardly a path handle.
  struct stat stat = {};
  const int flags = ::fcntl(fd_, F_GETFL);
  if (flags >= 0 && (flags & O_PATH) != 0 && ::fstat(fd_, &stat) == 0 &&
      stat.st_dev == device_ && stat.st_ino == inode_) {
    ::close(fd_);
  }
  std::exchange(owner_, nullptr)->Release(bytes_);
}

BackgroundFree& BackgroundFree::OfProcess() {
  // The thread outlives statics.
  static OnePerProcess<BackgroundFree> object;
  return object.Get();
}

bool BackgroundFree::Reserve(uint64_t bytes, uint64_t available) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (held_ == kMaxHeld || available < min_space_ ||
      (held_bytes_ + bytes) > available / kSpacePerByte) {
    return false;
  }
  ++held_;
  held_bytes_ += bytes;
  return true;
}

void BackgroundFree::Release(uint64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  --held_;
  held_bytes_ -= bytes;
}

BlockHandle BackgroundFree::Hold(const std::string& path) {
  BlockHandle file;
  // A path handle is enough to keep the blocks.
  const int fd = ::open(path.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    return file;
  }
  struct stat stat = {};
  struct statfs disk = {};
  const bool is_put_off = ::fstat(fd, &stat) == 0 && IsPutOff(stat) &&
                          ::fstatfs(fd, &disk) == 0 && IsFit(disk);
  const uint64_t bytes = BytesOnDisk(stat);
  const uint64_t available = static_cast<uint64_t>(disk.f_bavail) *
                             static_cast<uint64_t>(disk.f_bsize);
  if (!is_put_off || !Reserve(bytes, available)) {
    ::close(fd);
    return file;
  }
  file.owner_ = this;
  file.fd_ = fd;
  file.device_ = stat.st_dev;
  file.inode_ = stat.st_ino;
  file.bytes_ = bytes;
  return file;
}

void BackgroundFree::Free(BlockHandle&& file) {
  BlockHandle mine = std::move(file);
  if (mine.is_empty()) {
    return;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  is_started_ = is_started_ || start_([this] { Run(); });
  if (is_started_) {
    waiting_.push_back(std::move(mine));
    ++handed_over_;
    changed_.notify_all();
  }
}

bool BackgroundFree::Wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  const uint64_t until = handed_over_;
  return changed_.wait_for(
      lock, kMaxWait, [&] { return handed_over_ - waiting_.size() >= until; });
}

uint64_t BackgroundFree::WaitingOn(const std::string& path) const {
  struct stat stat = {};
  uint64_t bytes = 0;
  if (::stat(path.c_str(), &stat) == 0) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const BlockHandle& file : waiting_) {
      bytes += file.device_ == stat.st_dev ? file.bytes_ : 0;
    }
  }
  return bytes;
}

uint64_t BackgroundFree::handed_over() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return handed_over_;
}

void BackgroundFree::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return !waiting_.empty(); });
    // Others add behind it.
    BlockHandle& next = waiting_.front();
    lock.unlock();
    next.LetGo();
    lock.lock();
    waiting_.pop_front();
    changed_.notify_all();
  }
}

}  // namespace uringfs
