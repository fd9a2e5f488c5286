// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/side/side_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <utility>

#include "src/base/align.h"
#include "src/base/assert.h"
#include "src/base/file_size_limit.h"
#include "src/base/mount_epoch.h"
#include "src/base/posix_file.h"
#include "src/side/log_mark.h"
#include "src/side/side_format.h"
#include "src/side/side_reader.h"

#include "uringfs/internal/crc32c.h"

namespace uringfs {
namespace {

static_assert(std::atomic<uint64_t>::is_always_lock_free,
              "the words are shared with other processes");

// Elsewhere a page of the mapping may need a new block when it is written
// again, and a full disk then answers with SIGBUS: file systems that write each
// block anew, or after a snapshot.
bool IsFit(const struct statfs& file_system) {
  switch (static_cast<uint32_t>(file_system.f_type)) {
    case EXT4_SUPER_MAGIC:  // ext2 and ext3 have no fallocate, which tells
    case XFS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
      return true;
    default:
      return false;
  }
}

const char* const kUnfitReason =
    "private ring: on this file system a full disk could kill a process that "
    "writes to a mapping (fit are ext4, xfs and tmpfs, also below overlayfs)";
const char* const kNoBootIdReason =
    "private ring: the kernel's boot id cannot be read (is /proc mounted?)";

// Only btrfs knows this flag: it is below an overlayfs that accepts it.
bool HasCow(int fd) {
  int flags = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) {
    return false;
  }
  flags |= FS_NOCOW_FL;
  return ::ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

// Tells one life of a side file from the next.
uint64_t NextGeneration() {
  static std::atomic<uint64_t> count{0};
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  // relaxed: only has to differ.
  return (static_cast<uint64_t>(now) << 8) +
         count.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

SideFile::SideFile(int fd, std::string path, const LogOptions& options)
    : fd_(fd),
      path_(std::move(path)),
      log_fd_(
          ::open(LogPathOf(path_).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)),
      id_(static_cast<uint32_t>(NextGeneration() * 0x9e3779b97f4a7c15u >> 32)),
      buffer_bytes_(options.buffer_bytes),
      buffers_count_(options.buffers_count) {}

SideFile::~SideFile() {
  if (memory_ != nullptr) {
    ::munmap(memory_, MappedBytes());
  }
  ::close(fd_);
  if (log_fd_ >= 0) {
    ::close(log_fd_);
  }
}

size_t SideFile::MappedBytes() const {
  return kSideRingOffset + size_t{buffer_bytes_} * buffers_count_;
}

std::string SideFile::Refusal(const std::string& directory) {
  struct statfs file_system = {};
  if (BootId().empty()) {
    return kNoBootIdReason;
  }
  return ::statfs(directory.c_str(), &file_system) == 0 && !IsFit(file_system)
             ? kUnfitReason
             : "";
}

std::string SideFile::RefusalBeside(const std::string& log_path) {
  return Refusal(DirectoryPrefixOf(log_path));
}

Status SideFile::Create(const std::string& log_path,
                        const std::string& distrust, const LogOptions& options,
                        std::unique_ptr<SideFile>* side) {
  if (!distrust.empty()) {
    return Status::NotSupported("private ring: " + log_path + distrust);
  }
  if (BootId().empty()) {
    return Status::NotSupported(kNoBootIdReason);
  }
  Status status = ClearSideOf(log_path);
  if (!status.ok()) {
    return status;
  }
  const std::string path = SidePathOf(log_path);
  const int fd = ::open(
      path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) {
    return Status::FromErrno(errno, "create the side file", path);
  }
  std::unique_ptr<SideFile> made(new SideFile(fd, path, options));
  made->ShareModeOf(log_path);
  status = made->Allocate();
  if (status.ok()) {
    *side = std::move(made);
  } else {
    (void)::unlink(path.c_str());
  }
  return status;
}

void SideFile::ShareModeOf(const std::string& log_path) const {
  struct stat log = {};
  if (::lstat(log_path.c_str(), &log) == 0 && S_ISREG(log.st_mode)) {
    // Best effort: else it is for its owner alone.
    (void)::fchmod(fd_, log.st_mode & 0666);
  }
}

Status SideFile::Allocate() {
  struct statfs file_system = {};
  if (::fstatfs(fd_, &file_system) != 0) {
    return Status::FromErrno(errno, "fstatfs", path_);
  }
  if (!IsFit(file_system) || HasCow(fd_)) {
    return Status::NotSupported(kUnfitReason);
  }
  const size_t bytes = MappedBytes();
  if (!MayBecome(fd_, bytes)) {
    return Status::FromErrno(EFBIG, "allocate the side file", path_);
  }
  int result = 0;
  do {
    result = ::fallocate(fd_, 0, 0, static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    return Status::FromErrno(errno, "allocate the side file", path_);
  }
  void* memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (memory == MAP_FAILED) {
    return Status::FromErrno(errno, "map the side file", path_);
  }
  // Best effort: a child of fork has no use for it.
  (void)::madvise(memory, bytes, MADV_DONTFORK);
  memory_ = static_cast<char*>(memory);
  // Before there is a byte in the ring: bytes without a header are what a file
  // system leaves that went down, and never what a kill does.
  struct stat made = {};
  if (::fstat(fd_, &made) != 0) {
    return Status::FromErrno(errno, "fstat", path_);
  }
  // In front of the header, which is never seen without it.
  Word(kSideStateAt)->store(kSideIdle, std::memory_order_release);
  WriteHeader(HeaderOfNoLog(made.st_dev));
  return Status::Ok();
}

bool SideFile::IsInPlace() const {
  struct stat ours = {};
  struct stat there = {};
  return ::fstat(fd_, &ours) == 0 && ::lstat(path_.c_str(), &there) == 0 &&
         IsSameFile(ours, there);
}

Status SideFile::Unlink() {
  URINGFS_CHECK(!is_armed_);
  if (!IsInPlace()) {
    return Status::Ok();  // somebody has replaced or removed it
  }
  if (is_marked_) {
    // It could not be taken off: see Remove.
    return Status::FromErrno(EPERM, "take the mark off", LogPathOf(path_));
  }
  const bool is_gone = ::unlink(path_.c_str()) == 0 || errno == ENOENT;
  return is_gone ? Status::Ok()
                 : Status::FromErrno(errno, "remove the side file", path_);
}

Status SideFile::Remove() {
  if (Unlink().ok()) {
    return Status::Ok();
  }
  const bool is_cut = ::ftruncate(fd_, kSideRingOffset) == 0;
  // xfs may have needed that space to take the mark off.
  is_marked_ = is_marked_ && UnmarkLog(log_fd_) != 0;
  const Status status = Unlink();
  return is_cut ? Status::Ok() : status;
}

std::atomic<uint64_t>* SideFile::Word(size_t at) const {
  // The mapping is page-aligned zeros or words of this layout.
  return reinterpret_cast<std::atomic<uint64_t>*>(memory_ + at);
}

void SideFile::Touch() {
  tail_bytes_ = (tail_bytes_ + 1) % kSideTailLimit;
  const size_t bytes = MappedBytes() + tail_bytes_;
  if (!MayBecome(fd_, bytes) ||
      ::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) {
    (void)::futimens(fd_, nullptr);
  }
}

char* SideFile::ring() const { return memory_ + kSideRingOffset; }

SideHeader SideFile::HeaderOfNoLog(dev_t device) const {
  SideHeader header = {};
  std::memcpy(header.magic, kSideMagic, sizeof(header.magic));
  header.version = kSideVersion;
  const std::string& boot_id = BootId();
  std::memcpy(header.boot_id, boot_id.data(),
              std::min(boot_id.size(), sizeof(header.boot_id) - 1));
  header.file_system = FileSystemIdOf(path_);
  header.log_device = device;
  header.mount_epoch = MountEpochOf(device);
  header.generation = NextGeneration();
  header.owner_pid = static_cast<uint32_t>(::getpid());
  header.owner_start = ProcessStart(header.owner_pid);
  header.owner_image = ImageId();
  header.buffer_bytes = buffer_bytes_;
  header.buffers_count = buffers_count_;
  header.file_id = id_;
  return header;
}

void SideFile::WriteHeader(SideHeader header) {
  header.checksum = SideChecksum(header);
  std::memcpy(memory_, &header, sizeof(header));
  Word(kSideTagAt)
      ->store(SideTagOf(header.mount_epoch), std::memory_order_relaxed);
  header_ = header;
}

void SideFile::Arm(const FileIdentity& log, uint64_t origin, uint64_t end) {
  Forget();
  SideHeader header = HeaderOfNoLog(log.device);
  header.log_inode = log.inode;
  header.log_birth = log.birth;
  header.log_name = NameHashOf(LogPathOf(path_));
  header.origin = origin;
  header.sum_begin = origin + AlignDown(end - origin, buffer_bytes_);
  WriteHeader(header);
  std::memset(memory_ + kSideSumsAt, 0, kSideSums * sizeof(SideSum));
  {
    const MutexLock lock(&sum_mutex_);
    summed_end_ = header_.sum_begin;
    sum_ = header_.checksum;
    Sum(end);
    NoteSum();
  }
  // relaxed: published by the next line.
  Word(kSideWrittenAt)->store(SealWord(end), std::memory_order_relaxed);
  Word(kSideFilledAt)->store(SealWord(end), std::memory_order_relaxed);
  // Behind the words: without any it is a copy that was made before.
  struct stat marked = {};
  const bool is_it = ::fstat(log_fd_, &marked) == 0 &&
                     marked.st_ino == log.inode && marked.st_dev == log.device;
  is_marked_ = (is_it && MarkLog(log_fd_, header_)) || is_marked_;
  // [S1] release: the header and the words before "live". The partner is
  // whoever reads the file: another process, or the one after a kill.
  Word(kSideStateAt)->store(kSideLive, std::memory_order_release);
  is_armed_ = true;
}

Status SideFile::MakeHeaderDurable() const {
  URINGFS_CHECK(is_armed_);
  // Not all of the file: the ring's pages are worth nothing after a reboot.
  if (::msync(memory_, kSideRingOffset, MS_SYNC) != 0) {
    return Status::FromErrno(errno, "msync the side file", path_);
  }
  return SyncDirectoryOf(path_);
}

void SideFile::Disarm() {
  // [S1] release, and the cut of the file before it.
  Word(kSideStateAt)->store(kSideIdle, std::memory_order_release);
  is_armed_ = false;
  is_marked_ = is_marked_ && UnmarkLog(log_fd_) != 0;
}

void SideFile::Forget() {
  URINGFS_CHECK(!is_armed_);
  // acq_rel, of an exchange: neither before the state says idle nor behind the
  // header that Arm writes next. A word of zeros is no word.
  Word(kSideFilledAt)->exchange(0, std::memory_order_acq_rel);
  Word(kSideWrittenAt)->exchange(0, std::memory_order_acq_rel);
}

// Takes what is in the ring up to `end` into the running sum.
void SideFile::Sum(uint64_t end) {
  while (summed_end_ < end) {
    const uint64_t at = (summed_end_ - header_.origin) % SideRingBytes(header_);
    const uint64_t bytes =
        std::min(end - summed_end_, SideRingBytes(header_) - at);
    sum_ = Crc32c(ring() + at, static_cast<size_t>(bytes), sum_);
    summed_end_ += bytes;
  }
}

// In turn, so that a kill leaves the one that goes with the word.
void SideFile::NoteSum() {
  const size_t slot = kSideSumsAt + next_sum_ * sizeof(SideSum);
  next_sum_ = (next_sum_ + 1) % kSideSums;
  // relaxed, both: published by [S2].
  Word(slot + offsetof(SideSum, offset))
      ->store(summed_end_, std::memory_order_relaxed);
  Word(slot + offsetof(SideSum, crc32c))
      ->store(sum_, std::memory_order_relaxed);
}

void SideFile::SumUpTo(uint64_t end) {
  const MutexLock lock(&sum_mutex_);
  Sum(end);
}

void SideFile::PublishFilled(uint64_t end) {
  const MutexLock lock(&sum_mutex_);
  std::atomic<uint64_t>* const word = Word(kSideFilledAt);
  // relaxed: stored under the same mutex.
  if ((word->load(std::memory_order_relaxed) & kMaxSealedOffset) >= end) {
    return;
  }
  Sum(end);
  // Else the sum of `end` is gone, and the file has all that is below it.
  if (summed_end_ == end) {
    NoteSum();
  }
  // [S2] release: the sum, and the writers' bytes, acquired by the caller
  // through [R2] or by the one who summed them, before the promise. seq_cst
  // besides: see Ticker::WakeIfAsleep.
  word->store(SealWord(end), std::memory_order_seq_cst);
}

void SideFile::PublishWritten(uint64_t end) {
  // [S3] release: the completion that was reaped before the word; and the word
  // is there before the slot's Recycle [R3] lets anybody overwrite its bytes.
  Word(kSideWrittenAt)->store(SealWord(end), std::memory_order_release);
}

uint64_t SideFile::written() const {
  return Word(kSideWrittenAt)->load(std::memory_order_relaxed) &
         kMaxSealedOffset;
}

uint64_t SideFile::filled() const {
  return Word(kSideFilledAt)->load(std::memory_order_seq_cst) &
         kMaxSealedOffset;
}

}  // namespace uringfs
