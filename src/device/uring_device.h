// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// UringDevice: the Device over io_uring.
//
// A write's life:
//
//   Submit -> [slot] -> kernel -> completion -> Finish -> Reap
//                ^                    |
//                +---- reissue -------+--> pwrite -> Finish
//
// A write whose request the kernel gives back undone, or does not take, is
// finished by pwrite from the thread that finds out. So a thread that submits
// and exits loses nothing: its requests may be cancelled, its writes are not.
//
// THREADS: as Device.

#ifndef URINGFS_DEVICE_URING_DEVICE_H_
#define URINGFS_DEVICE_URING_DEVICE_H_

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "src/device/file_device.h"
#include "src/device/uring_queue.h"

namespace uringfs {

class UringDevice : public FileDevice {
 public:
  // `queue` is borrowed and has nothing in flight.
  UringDevice(std::unique_ptr<DirectFile> file, UringQueue* queue,
              const IoChoice& choice);

  void Submit(Write* write) override;
  size_t Reap(size_t min_count, Write** done, size_t capacity) override;

 private:
  // One write that is not finished. The kernel may read `vectors` until the
  // completion.
  struct Slot {
    Write* write = nullptr;  // null: free
    iovec vectors[Write::kMaxSegments] = {};
  };

  // Hands what is left of the slot's write to the kernel, or finishes it.
  void Issue(Slot* slot);
  // Submits what is prepared; false if the kernel cannot be made to take it.
  bool Push();
  // Takes all completions there are now.
  void Harvest();
  // Decides about one completion.
  void Settle(Slot* slot, int result);
  void ReissueAll();
  void WaitForCompletion();
  void FinishByPwrite(Slot* slot);
  void Free(Slot* slot);
  // In a child of fork: the parent's writes are not ours to wait for.
  void AbandonAll();

  UringQueue* const queue_;
  std::array<Slot, kMaxInFlight> slots_;
  std::vector<Slot*> free_;
  std::vector<Slot*> to_reissue_;
};

static_assert(FileDevice::kMaxInFlight * 2 <= UringQueue::kEntries,
              "writes and withdrawn no-ops must fit the completion queue");

}  // namespace uringfs

#endif  // URINGFS_DEVICE_URING_DEVICE_H_
