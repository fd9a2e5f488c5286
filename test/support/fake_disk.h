// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// FakeDisk: the disk below a FakeDevice. It outlives the device, so that a
// test can ask what a machine would find after the power went, or after the
// process died, at any instant.
//
// The model is one list of events (writes and resizes) in submission order on
// top of a base image that is wholly durable:
//
//   data_durable   set for every write that was reaped when a flush succeeded,
//                  and for a DSYNC write when it is reaped (its own bytes only)
//   meta_durable   set for every event that was complete when a flush
//                  succeeded: what it did to the size is on the media. A
//                  DSYNC write that makes the file longer does not see to it:
//                  some kernels lose the size
//
// Everything else may or may not be found after power loss. A flush that
// fails makes the writes before it *uncertain for ever*: a later flush that
// succeeds does not cover them, as in Linux. So does a write that fails.
//
// THREADS: thread-safe; one mutex.

#ifndef URINGFS_TEST_SUPPORT_FAKE_DISK_H_
#define URINGFS_TEST_SUPPORT_FAKE_DISK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "src/device/device.h"
#include "test/support/seed.h"

namespace uringfs::test {

enum class CompletionOrder : uint8_t { kFifo, kLifo, kRandom };

struct FakeDiskOptions {
  size_t max_in_flight = 64;
  CompletionOrder order = CompletionOrder::kFifo;
  uint64_t seed = 1;  // of the completion order
  // Two writes in flight that overlap are a bug of the caller: die.
  bool check_overlap = true;
};

struct SubmittedRange {
  uint64_t offset = 0;
  uint32_t bytes = 0;
  bool dsync = false;
};

class FakeDisk {
 public:
  static constexpr size_t kSectorBytes = 512;

  // A disk whose file holds `image`, durably.
  static std::shared_ptr<FakeDisk> Create(const FakeDiskOptions& options = {},
                                          std::string image = "");

  // --- What can be seen of it.

  // The file as a reader sees it now: reaped writes are there, others not.
  std::string Image() const;
  uint64_t size() const;

  // What is found after power loss at this instant. Every write that is not
  // durable is dropped, kept, or torn at sectors; the size is the durable one
  // or any reached since.
  std::string CrashImage(Random& random) const;

  // What is found after the death of the process at this instant: reaped
  // writes are there, each write in flight is wholly there or not at all.
  std::string KillImage(Random& random) const;

  uint64_t operations() const;  // writes, flushes, resizes, reads and closes
  uint64_t writes() const;
  uint64_t flushes() const;
  uint64_t resizes() const;
  uint64_t extensions() const;
  // Of writes() and resizes(): as many belong to writes through the page cache.
  uint64_t cached_writes() const;
  void CountCachedWrite();
  size_t in_flight() const;
  // Every write ever submitted, in submission order.
  std::vector<SubmittedRange> submitted() const;

  // --- What a test does to it.

  // While held, Reap(0, ...) finds nothing and Reap(n, ...) with n > 0
  // completes exactly n writes, in the chosen order, instead of waiting.
  void HoldCompletions(bool hold);

  // The k-th operation of a kind, counted from 0 since Create, fails with
  // `error`. A failed write leaves any part of its bytes on the media; a
  // failed flush: see above; a failed resize leaves the size as it was.
  void FailWrite(uint64_t k, int error);
  void FailFlush(uint64_t k, int error);
  void FailResize(uint64_t k, int error);
  void FailExtend(uint64_t k, int error);
  // The same, all kinds counted together.
  void FailOperation(uint64_t k, int error);

  // Called after every operation and after every completion, by the thread
  // that made it, without the mutex: a place to take crash images from. Set
  // it before the device is used.
  void SetObserver(std::function<void()> observer);

 private:
  friend class FakeDevice;

  enum class Kind : uint8_t { kWrite, kResize };
  enum class State : uint8_t { kInFlight, kReaped, kFailed };

  struct Event {
    Kind kind = Kind::kWrite;
    State state = State::kInFlight;
    uint64_t offset = 0;  // of a write; the new size of a resize
    std::string bytes;    // of a write, as they were when it was submitted
    bool data_durable = false;
    bool meta_durable = false;
    bool changes_size = true;  // false for a write inside the file
    bool uncertain = false;    // a flush failed after it was reaped

    bool IsWrite() const { return kind == Kind::kWrite; }
    bool IsDurable() const {
      return data_durable && (meta_durable || !changes_size);
    }
    uint64_t end() const { return offset + bytes.size(); }
  };

  struct InFlight {
    Write* write = nullptr;
    std::shared_ptr<Event> event;
    int error = 0;
  };

  FakeDisk(const FakeDiskOptions& options, std::string image);

  // The Device calls, forwarded by FakeDevice.
  void Submit(Write* write);
  size_t Reap(size_t min_count, Write** done, size_t capacity);
  Status MakeDurable();
  Status Resize(uint64_t bytes);
  Status Extend(uint64_t from, uint64_t to);
  Status Allocate(uint64_t from, uint64_t to);
  Status Read(uint64_t offset, char* data, size_t bytes, size_t* got);
  Status Close();
  size_t max_in_flight() const { return options_.max_in_flight; }

  // Puts `bytes` at `offset`; a gap before it reads as zeros.
  static void Overwrite(std::string* image, uint64_t offset, const char* data,
                        size_t bytes);
  // The same, for some of the sectors.
  static void OverwriteTorn(std::string* image, uint64_t offset,
                            const std::string& bytes, Random& random);

  // REQUIRES for those below: mutex_ is held.
  void AddResize(uint64_t bytes);
  int BeginExtension(uint64_t from, uint64_t to);
  int NextFault(const std::map<uint64_t, int>& faults, uint64_t index);
  size_t PickCompletion();
  void Complete(InFlight done);
  void FoldDurablePrefix();

  void Observe() const;

  const FakeDiskOptions options_;
  std::function<void()> observer_;

  mutable std::mutex mutex_;
  // The rest is guarded by mutex_.
  Random random_;
  bool hold_ = false;
  std::string image_;  // as a reader sees it
  std::string base_;   // durable, below all events
  std::vector<std::shared_ptr<Event>> events_;
  std::vector<InFlight> in_flight_;
  std::vector<SubmittedRange> submitted_;
  std::map<uint64_t, int> write_faults_, flush_faults_, resize_faults_;
  std::map<uint64_t, int> extend_faults_;
  std::map<uint64_t, int> operation_faults_;
  uint64_t operations_ = 0;
  uint64_t flushes_ = 0;
  uint64_t resizes_ = 0;
  uint64_t extensions_ = 0;
  uint64_t cached_writes_ = 0;
  // While zeros are written from here on, nothing else may be.
  uint64_t extending_from_ = UINT64_MAX;
};

}  // namespace uringfs::test

#endif  // URINGFS_TEST_SUPPORT_FAKE_DISK_H_
