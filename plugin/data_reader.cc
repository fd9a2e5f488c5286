// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "data_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "io_status.h"

namespace uringfs {
namespace {

// RocksDB's prefetch buffers were written for file systems that answer at once,
// as its own did in nearly all builds. 7.8.3 reuses one whose read is still
// under way (two-level indexes, async_io, Seek and Prev).
constexpr bool kMayAnswerLater = URINGFS_ROCKSDB_GE(11, 0);

}  // namespace

// A handle of ReadAsync. RocksDB keeps it until it has polled or aborted it.
class DataReader::Pending {
 public:
  Pending(const DataReader* file, const rdb::FSReadRequest& request,
          Callback callback, void* argument)
      : file_(file),
        read_(file->RequestFor(request.offset, request.len, request.scratch)),
        callback_(std::move(callback)),
        argument_(argument) {}
  ~Pending() { Wait(); }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;

  ReadCounts Start() { return file_->rings_->Start(&read_); }

  // Both wait, and answer once.
  void Finish() {
    if (Wait()) {
      Answer(file_->StatusOf(read_));
    }
  }
  void Abort() {
    if (Wait()) {
      read_.got = 0;
      Answer(rdb::IOStatus::Aborted());
    }
  }

 private:
  // Whether nobody has waited before.
  bool Wait() {
    if (is_done_) {
      return false;
    }
    file_->rings_->Finish(&read_);
    is_done_ = true;
    return true;
  }

  void Answer(rdb::IOStatus status) {
    rdb::FSReadRequest answer;
    answer.offset = read_.offset;
    answer.len = read_.bytes;
    answer.scratch = read_.out;
    answer.result = rdb::Slice(read_.out, read_.got);
    answer.status = std::move(status);
    callback_(answer, argument_);
  }

  const DataReader* const file_;
  ReadRequest read_;
  const Callback callback_;
  void* const argument_;
  bool is_done_ = false;
};

Status DataReader::Open(const std::string& path,
                        const rdb::FileOptions& options, ReadRings* rings,
                        std::shared_ptr<FsStats> stats,
                        std::unique_ptr<rdb::FSRandomAccessFile>* result) {
  const bool is_direct = options.use_direct_reads;
  const int flags = O_RDONLY | O_CLOEXEC | (is_direct ? O_DIRECT : 0);
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) {
    return Status::FromErrno(errno, "open", path);
  }
  result->reset(new DataReader(path, fd, is_direct, rings, std::move(stats)));
  return Status::Ok();
}

DataReader::DataReader(std::string path, int fd, bool is_direct,
                       ReadRings* rings, std::shared_ptr<FsStats> stats)
    : path_(std::move(path)),
      fd_(fd),
      is_direct_(is_direct),
      rings_(rings),
      stats_(std::move(stats)) {}

DataReader::~DataReader() { ::close(fd_); }

ReadRequest DataReader::RequestFor(uint64_t offset, size_t n, char* out) const {
  ReadRequest read;
  read.fd = fd_;
  read.is_direct = is_direct_;
  read.offset = offset;
  read.bytes = n;
  read.out = out;
  return read;
}

rdb::IOStatus DataReader::StatusOf(const ReadRequest& read) const {
  return read.error == 0
             ? rdb::IOStatus::OK()
             : ToIOStatus(Status::FromErrno(
                   read.error,
                   ("read at " + std::to_string(read.offset)).c_str(), path_));
}

rdb::IOStatus DataReader::Read(uint64_t offset, size_t n, const rdb::IOOptions&,
                               rdb::Slice* result, char* scratch,
                               rdb::IODebugContext*) const {
  ReadRequest read = RequestFor(offset, n, scratch);
  ReadRings::ReadAlone(&read);
  *result = rdb::Slice(scratch, read.error == 0 ? read.got : 0);
  return StatusOf(read);
}

rdb::IOStatus DataReader::MultiRead(rdb::FSReadRequest* requests, size_t count,
                                    const rdb::IOOptions& options,
                                    rdb::IODebugContext* dbg) {
  if (count < 2) {
    return FSRandomAccessFile::MultiRead(requests, count, options, dbg);
  }
  std::vector<ReadRequest> reads;
  reads.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    reads.push_back(
        RequestFor(requests[i].offset, requests[i].len, requests[i].scratch));
  }
  stats_->Reads(rings_->ReadAll(reads.data(), count));
  for (size_t i = 0; i < count; ++i) {
    requests[i].status = StatusOf(reads[i]);
    requests[i].result =
        rdb::Slice(reads[i].out, reads[i].error == 0 ? reads[i].got : 0);
  }
  return rdb::IOStatus::OK();
}

rdb::IOStatus DataReader::ReadAsync(rdb::FSReadRequest& request,
                                    const rdb::IOOptions&, Callback callback,
                                    void* argument, void** handle,
                                    rdb::IOHandleDeleter* deleter,
                                    rdb::IODebugContext*) {
  auto pending =
      std::make_unique<Pending>(this, request, std::move(callback), argument);
  const ReadCounts how = pending->Start();
  stats_->Reads(how);
  if (how.ring == 0 || !kMayAnswerLater) {
    pending->Finish();
    return rdb::IOStatus::OK();
  }
  *handle = pending.release();
  *deleter = [](void* old) { delete static_cast<Pending*>(old); };
  return rdb::IOStatus::OK();
}

rdb::IOStatus DataReader::Poll(const std::vector<void*>& handles) {
  for (void* handle : handles) {
    static_cast<Pending*>(handle)->Finish();
  }
  return rdb::IOStatus::OK();
}

rdb::IOStatus DataReader::Abort(const std::vector<void*>& handles) {
  for (void* handle : handles) {
    static_cast<Pending*>(handle)->Abort();
  }
  return rdb::IOStatus::OK();
}

rdb::IOStatus DataReader::Prefetch(uint64_t offset, size_t n,
                                   const rdb::IOOptions&,
                                   rdb::IODebugContext*) {
  if (is_direct_ || ::readahead(fd_, static_cast<off64_t>(offset), n) == 0) {
    return rdb::IOStatus::OK();
  }
  return ToIOStatus(Status::FromErrno(errno, "readahead", path_));
}

void DataReader::Hint(AccessPattern pattern) {
  if (is_direct_) {
    return;
  }
  const int advice = pattern == kNormal       ? POSIX_FADV_NORMAL
                     : pattern == kRandom     ? POSIX_FADV_RANDOM
                     : pattern == kSequential ? POSIX_FADV_SEQUENTIAL
                     : pattern == kWillNeed   ? POSIX_FADV_WILLNEED
                                              : POSIX_FADV_DONTNEED;
  (void)::posix_fadvise(fd_, 0, 0, advice);
}

rdb::IOStatus DataReader::InvalidateCache(size_t offset, size_t length) {
  const int error =
      is_direct_
          ? 0
          : ::posix_fadvise(fd_, static_cast<off_t>(offset),
                            static_cast<off_t>(length), POSIX_FADV_DONTNEED);
  return error == 0 ? rdb::IOStatus::OK()
                    : ToIOStatus(Status::FromErrno(error, "fadvise", path_));
}

#if URINGFS_ROCKSDB_GE(10, 5)
rdb::IOStatus DataReader::GetFileSize(uint64_t* size) {
  struct stat file = {};
  if (::fstat(fd_, &file) != 0) {
    return ToIOStatus(Status::FromErrno(errno, "fstat", path_));
  }
  *size = static_cast<uint64_t>(file.st_size);
  return rdb::IOStatus::OK();
}
#endif

}  // namespace uringfs
