// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Many reads or writes of one size, so many of them in flight, through an
// io_uring of its own.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_TRANSFERS_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_TRANSFERS_H_

#include <liburing.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <random>
#include <string>

namespace uringfs::bench {

// One kind of transfer to be measured.
struct Cell {
  bool is_write = false;
  uint32_t bytes = 0;
  uint32_t depth = 0;
  double seconds = 0;
};

inline std::string NameOf(const Cell& cell) {
  return (cell.is_write ? "writes of " : "reads of ") +
         std::to_string(cell.bytes >> 10) + " KiB, " +
         std::to_string(cell.depth) + " at a time";
}

struct Tally {
  uint64_t transfers = 0;
  double seconds = 0;
  int error = 0;  // the first one's errno

  void Add(ssize_t result, uint32_t bytes) {
    if (result == static_cast<ssize_t>(bytes)) {
      ++transfers;
    } else {
      Fail(result < 0 ? static_cast<int>(-result) : EIO);
    }
  }
  void Fail(int number) { error = error != 0 ? error : number; }
};

// Where the transfers of a cell go: one after another through the file, and
// again; or anywhere.
class Places {
 public:
  Places(const Cell& cell, uint64_t file_bytes)
      : bytes_(cell.bytes),
        count_(file_bytes / cell.bytes),
        is_random_(!cell.is_write) {}

  uint64_t Next() {
    return (is_random_ ? random_() % count_ : next_++ % count_) * bytes_;
  }

 private:
  const uint64_t bytes_;
  const uint64_t count_;
  const bool is_random_;
  uint64_t next_ = 0;
  // The same places in every run, so that runs can be compared.
  std::mt19937_64 random_;  // NOLINT: the fixed seed is the point
};

// A ring for the transfers of one file; each has a slot of the memory.
class TransferRing {
 public:
  static constexpr uint32_t kMostDepth = 16;

  TransferRing() = default;
  ~TransferRing() {
    if (is_open_) {
      ::io_uring_queue_exit(&ring_);
    }
  }
  TransferRing(const TransferRing&) = delete;
  TransferRing& operator=(const TransferRing&) = delete;

  // 0 or the errno. A no-op goes round, since a filter of system calls may let
  // a ring be made and nothing be submitted.
  int Open() {
    int result = ::io_uring_queue_init(kMostDepth, &ring_, 0);
    is_open_ = result >= 0;
    if (is_open_) {
      ::io_uring_prep_nop(::io_uring_get_sqe(&ring_));
      result = ::io_uring_submit(&ring_);
    }
    io_uring_cqe* done = nullptr;
    if (result >= 0) {
      result = ::io_uring_wait_cqe(&ring_, &done);
    }
    is_broken_ = result < 0;
    if (!is_broken_) {
      ::io_uring_cqe_seen(&ring_, done);
    }
    return is_broken_ ? -result : 0;
  }

  // False also once the kernel refused to take transfers.
  bool is_usable() const { return is_open_ && !is_broken_; }

  // Keeps cell.depth transfers in flight for as long as `goes_on` says, then
  // waits for the last of them.
  template <typename GoesOn>
  void Run(const Cell& cell, int fd, char* memory, Places* places,
           const GoesOn& goes_on, Tally* tally) {
    for (uint64_t slot = 0; slot < cell.depth; ++slot) {
      Prepare(cell, fd, memory, slot, places, tally);
    }
    while (in_flight_ > NeverTaken()) {
      SubmitAndWait(tally);
      io_uring_cqe* done = nullptr;
      while (in_flight_ > 0 && ::io_uring_peek_cqe(&ring_, &done) == 0) {
        const uint64_t slot = done->user_data;
        tally->Add(done->res, cell.bytes);
        ::io_uring_cqe_seen(&ring_, done);
        --in_flight_;
        if (tally->error == 0 && goes_on()) {
          Prepare(cell, fd, memory, slot, places, tally);
        }
      }
    }
  }

 private:
  void Prepare(const Cell& cell, int fd, char* memory, uint64_t slot,
               Places* places, Tally* tally) {
    io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
    if (entry == nullptr) {
      tally->Fail(EBUSY);
      return;
    }
    char* data = memory + slot * cell.bytes;
    if (cell.is_write) {
      ::io_uring_prep_write(entry, fd, data, cell.bytes, places->Next());
    } else {
      ::io_uring_prep_read(entry, fd, data, cell.bytes, places->Next());
    }
    entry->user_data = slot;
    ++in_flight_;
  }

  // The kernel may write to the memory until the last completion has come, so
  // there is no way out before. Completions come without a call, too.
  void SubmitAndWait(Tally* tally) {
    if (is_broken_) {
      ::usleep(1000);
      return;
    }
    const int result = ::io_uring_submit_and_wait(&ring_, 1);
    if (result < 0 && result != -EINTR) {
      tally->Fail(-result);
      is_broken_ = true;
    }
  }

  uint32_t NeverTaken() const {
    return is_broken_ ? ::io_uring_sq_ready(&ring_) : 0;
  }

  io_uring ring_ = {};
  bool is_open_ = false;
  bool is_broken_ = false;
  uint32_t in_flight_ = 0;  // or about to be submitted
};

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_TRANSFERS_H_
