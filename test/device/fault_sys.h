// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// FaultSys: the real system calls, but for those a test has scripted.
//
// Each kind of call has a queue of answers, used up one by one from its k-th
// call on. A negative answer is returned instead of the call. A positive
// answer n to a write lets it write n bytes at most; 0 is a transfer of
// nothing. For kRingResult the write has been done, and only what is said of
// it changes: a caller must come to the same file by what it was told.
//
// THREADS: thread-safe.

#ifndef URINGFS_TEST_DEVICE_FAULT_SYS_H_
#define URINGFS_TEST_DEVICE_FAULT_SYS_H_

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>

#include "src/device/sys.h"

namespace uringfs::test {

enum class Call {
  kPwrite,
  kPread,
  kPreadCached,
  kTruncate,
  kAllocate,
  kDataSync,
  kFullSync,
  kClose,
  kRingSetup,
  kRingRegister,
  kRingSubmit,
  kRingWait,
  kRingResult,
  kCount,
};

class FaultSys : public Sys {
 public:
  // Calls number k, k + 1, ... k + times - 1 of this kind get `answer`.
  void Script(Call call, uint64_t k, int answer, uint64_t times = 1) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (uint64_t i = 0; i < times; ++i) {
      answers_[{call, k + i}] = answer;
    }
  }
  // As Script, counted from the next call.
  void ScriptNext(Call call, int answer, uint64_t times = 1) {
    Script(call, calls(call), answer, times);
  }
  uint64_t calls(Call call) const {
    std::lock_guard<std::mutex> lock(mutex_);
    return calls_[static_cast<size_t>(call)];
  }

  ssize_t Pwritev2(int fd, const iovec* vectors, int count, off_t offset,
                   int flags) override {
    const std::optional<int> answer = Next(Call::kPwrite);
    if (!answer) {
      return Sys::Pwritev2(fd, vectors, count, offset, flags);
    }
    if (*answer <= 0) {
      return *answer;
    }
    // By a descriptor with O_DIRECT less than a block cannot be written, so a
    // short transfer is one that is told short.
    const ssize_t real = Sys::Pwritev2(fd, vectors, count, offset, flags);
    return std::min<ssize_t>(real, *answer);
  }
  ssize_t Pread(int fd, char* data, size_t bytes, off_t offset) override {
    const std::optional<int> answer = Next(Call::kPread);
    const ssize_t real =
        answer && *answer < 0 ? *answer : Sys::Pread(fd, data, bytes, offset);
    return answer ? std::min<ssize_t>(real, *answer) : real;
  }
  ssize_t PreadCached(int fd, char* data, size_t bytes, off_t offset) override {
    const std::optional<int> answer = Next(Call::kPreadCached);
    const ssize_t real = answer && *answer < 0
                             ? *answer
                             : Sys::PreadCached(fd, data, bytes, offset);
    return answer ? std::min<ssize_t>(real, *answer) : real;
  }
  int Fallocate(int fd, int mode, off_t offset, off_t bytes) override {
    const std::optional<int> answer = Next(Call::kAllocate);
    return answer ? *answer : Sys::Fallocate(fd, mode, offset, bytes);
  }
  int Ftruncate(int fd, off_t bytes) override {
    const std::optional<int> answer = Next(Call::kTruncate);
    return answer ? *answer : Sys::Ftruncate(fd, bytes);
  }
  int Fdatasync(int fd) override {
    const std::optional<int> answer = Next(Call::kDataSync);
    return answer ? *answer : Sys::Fdatasync(fd);
  }
  int Fsync(int fd) override {
    const std::optional<int> answer = Next(Call::kFullSync);
    return answer ? *answer : Sys::Fsync(fd);
  }
  int Close(int fd) override {
    const int real = Sys::Close(fd);  // Linux closes even when it fails
    const std::optional<int> answer = Next(Call::kClose);
    return answer ? *answer : real;
  }
  int RingSetup(unsigned entries, io_uring* ring) override {
    const std::optional<int> answer = Next(Call::kRingSetup);
    return answer ? *answer : Sys::RingSetup(entries, ring);
  }
  int RingRegister(io_uring* ring, const iovec* vectors,
                   unsigned count) override {
    const std::optional<int> answer = Next(Call::kRingRegister);
    return answer ? *answer : Sys::RingRegister(ring, vectors, count);
  }
  int RingSubmit(io_uring* ring) override {
    const std::optional<int> answer = Next(Call::kRingSubmit);
    return answer ? *answer : Sys::RingSubmit(ring);
  }
  int RingWait(io_uring* ring) override {
    const std::optional<int> answer = Next(Call::kRingWait);
    return answer ? *answer : Sys::RingWait(ring);
  }
  int RingResult(int result) override {
    const std::optional<int> answer = Next(Call::kRingResult);
    return answer ? std::min(result, *answer) : result;
  }

 private:
  std::optional<int> Next(Call call) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto it = answers_.find({call, calls_[static_cast<size_t>(call)]++});
    return it == answers_.end() ? std::nullopt : std::optional(it->second);
  }

  mutable std::mutex mutex_;
  std::array<uint64_t, static_cast<size_t>(Call::kCount)> calls_{};
  std::map<std::pair<Call, uint64_t>, int> answers_;
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_DEVICE_FAULT_SYS_H_
