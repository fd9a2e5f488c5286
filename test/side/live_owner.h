// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// LiveOwner: what an owner does to a log and its side file, step by step and
// with nothing else of an engine.

#ifndef URINGFS_TEST_SIDE_LIVE_OWNER_H_
#define URINGFS_TEST_SIDE_LIVE_OWNER_H_

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "src/base/align.h"
#include "src/side/side_format.h"
#include "test/side/side_builder.h"

namespace uringfs::test {

class LiveOwner {
 public:
  // The log has `end` bytes of the stream.
  LiveOwner(const std::string& log_path, uint32_t buffer_bytes,
            uint32_t buffers_count, uint64_t end)
      : model_(log_path), end_(end), written_(end) {
    static std::atomic<uint64_t> generation{1000};
    log_ = ::open(log_path.c_str(), O_RDWR | O_CLOEXEC);
    model_.buffer_bytes = buffer_bytes;
    model_.buffers_count = buffers_count;
    model_.origin = AlignDown(end, 4096);
    model_.written = end;
    model_.filled = end;
    model_.PrepareSide();
    model_.header.generation = ++generation;
    model_.Sign();
    bytes_ = kSideRingOffset + model_.ring_bytes();
    const std::string side = model_.side_path();
    const int fd = ::open(side.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    void* memory = MAP_FAILED;
    if (log_ >= 0 && fd >= 0 &&
        ::ftruncate(fd, static_cast<off_t>(bytes_)) == 0) {
      memory =
          ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (memory == MAP_FAILED || ::flock(log_, LOCK_EX) != 0) {
      std::abort();
    }
    ::close(fd);
    memory_ = static_cast<char*>(memory);
    model_.state = kSideIdle;
    const std::string image = model_.side_bytes();
    std::memcpy(memory_, image.data(), image.size());
    Store(kSideStateAt, kSideLive);
  }
  ~LiveOwner() {
    ::munmap(memory_, bytes_);
    ::close(log_);
  }

  // Makes the stream `end` bytes long, and flushes.
  void Append(uint64_t end) {
    while (end_ < end) {
      const uint64_t seq = model_.SeqOf(end_);
      if (seq >= model_.SeqOf(written_) + model_.buffers_count) {
        WriteTo(model_.BeginOf(model_.SeqOf(written_) + 1));
      }
      const uint64_t stop = std::min(end, model_.BeginOf(seq + 1));
      char* slot = memory_ + kSideRingOffset +
                   (seq % model_.buffers_count) * model_.buffer_bytes;
      const std::string bytes = Stream(end_, stop);
      std::memcpy(slot + (end_ - model_.BeginOf(seq)), bytes.data(),
                  bytes.size());
      end_ = stop;
      // Before the next one: a full ring must not hold back what was promised.
      Store(kSideFilledAt, SealWord(end_));
    }
  }

  // Writes all there is, with padding behind it.
  void Drain() { WriteTo(end_); }

  void Close() {
    Drain();
    if (::ftruncate(log_, static_cast<off_t>(end_)) != 0) {
      std::abort();
    }
    Store(kSideStateAt, kSideIdle);
    std::filesystem::remove(model_.side_path());
  }

 private:
  void WriteTo(uint64_t end) {
    const uint64_t begin = AlignDown(written_, 4096);
    std::string bytes = Stream(begin, end);
    bytes.resize(AlignUp(end, 4096) - begin);
    if (::pwrite(log_, bytes.data(), bytes.size(), static_cast<off_t>(begin)) !=
        static_cast<ssize_t>(bytes.size())) {
      std::abort();
    }
    written_ = end;
    Store(kSideWrittenAt, SealWord(end));
  }

  void Store(size_t at, uint64_t value) {
    reinterpret_cast<std::atomic<uint64_t>*>(memory_ + at)
        ->store(value, std::memory_order_release);
  }

  SideBuilder model_;
  int log_ = -1;
  char* memory_ = nullptr;
  size_t bytes_ = 0;
  uint64_t end_;
  uint64_t written_;
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_SIDE_LIVE_OWNER_H_
