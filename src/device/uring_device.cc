// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/device/uring_device.h"

#include <sched.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "src/base/assert.h"
#include "src/base/file_size_limit.h"
#include "src/device/io_errno.h"

namespace uringfs {

UringDevice::UringDevice(std::unique_ptr<DirectFile> file, UringQueue* queue,
                         const IoChoice& choice)
    : FileDevice(std::move(file), choice), queue_(queue) {
  free_.reserve(slots_.size());
  to_reissue_.reserve(slots_.size());
  for (Slot& slot : slots_) {
    free_.push_back(&slot);
  }
}

void UringDevice::Submit(Write* write) {
  Admit(write);
  URINGFS_CHECK(!free_.empty());
  Slot* slot = free_.back();
  free_.pop_back();
  slot->write = write;
  if (!queue_->IsOurs()) {
    FinishByPwrite(slot);
    return;
  }
  Issue(slot);
}

void UringDevice::Issue(Slot* slot) {
  Write* write = slot->write;
  if (!MayWriteUpTo(write->end())) {
    FinishByPwrite(slot);  // it finds out how much may be written
    return;
  }
  const int count = RemainingVectors(*write, slot->vectors);
  const auto prepare = [&] {
    return queue_->Prepare(file().fd(), slot->vectors, count,
                           write->offset + write->done_bytes, write->dsync,
                           slot);
  };
  bool prepared = prepare();
  if (!prepared) {
    // The queue is full of withdrawn requests. The kernel may take them now;
    // without a try the ring would stay out of use for ever.
    prepared = queue_->Submit() == 0 && prepare();
  }
  if (!prepared || !Push()) {
    FinishByPwrite(slot);
  }
}

bool UringDevice::Push() {
  for (uint32_t attempt = 0;; ++attempt) {
    const int error = queue_->Submit();
    if (error == 0) {
      return true;
    }
    const Verdict verdict = JudgeErrno(IoOp::kRingSubmit, error);
    if (verdict != Verdict::kRetryBounded || attempt >= kMaxRetries) {
      queue_->Withdraw();
      file().AddReason(std::string("some writes went by pwrite: "
                                   "io_uring_enter: ") +
                       std::generic_category().message(error));
      return false;
    }
    Harvest();
    ::sched_yield();
  }
}

void UringDevice::Harvest() {
  void* user = nullptr;
  int result = 0;
  while (queue_->Next(&user, &result)) {
    Settle(static_cast<Slot*>(user), result);
  }
}

void UringDevice::Settle(Slot* slot, int result) {
  URINGFS_CHECK(slot->write != nullptr);
  Write* write = slot->write;
  if (result >= 0) {
    switch (BookTransfer(write, static_cast<uint32_t>(result))) {
      case Progress::kWhole:
        Free(slot);
        Finish(write);
        return;
      case Progress::kContinue:
        to_reissue_.push_back(slot);
        return;
      case Progress::kStuck:
        FinishByPwrite(slot);  // it finds out why
        return;
    }
  }
  switch (JudgeErrno(IoOp::kRingWrite, -result)) {
    case Verdict::kRetry:
      to_reissue_.push_back(slot);
      return;
    case Verdict::kRetryBounded:
      if (++write->attempts <= kMaxRetries) {
        to_reissue_.push_back(slot);
      } else {
        FinishByPwrite(slot);
      }
      return;
    case Verdict::kFallBackToPwrite:
    case Verdict::kDropDirect:
      FinishByPwrite(slot);
      return;
    case Verdict::kFail:
      write->error = -result;
      Free(slot);
      Finish(write);
      return;
    case Verdict::kImpossible:
      break;
  }
  URINGFS_CHECK_WITH(false && "impossible completion", write->offset, -result);
}

void UringDevice::ReissueAll() {
  while (!to_reissue_.empty()) {
    Slot* slot = to_reissue_.back();
    to_reissue_.pop_back();
    Issue(slot);
  }
}

size_t UringDevice::Reap(size_t min_count, Write** done, size_t capacity) {
  URINGFS_CHECK_LE(min_count, capacity);
  URINGFS_CHECK_LE(min_count, in_flight());
  if (!queue_->IsOurs()) {
    AbandonAll();
    return TakeFinished(done, capacity);
  }
  size_t count = 0;
  for (;;) {
    Harvest();
    ReissueAll();
    count += TakeFinished(done + count, capacity - count);
    if (count >= min_count) {
      return count;
    }
    WaitForCompletion();
  }
}

void UringDevice::WaitForCompletion() {
  const int error = queue_->Wait();
  if (error != 0) {
    URINGFS_CHECK_WITH(JudgeErrno(IoOp::kRingWait, error) == Verdict::kRetry,
                       error, in_flight());
    ::sched_yield();
  }
}

void UringDevice::FinishByPwrite(Slot* slot) {
  Write* write = slot->write;
  file().FinishByPwrite(write);
  Free(slot);
  Finish(write);
}

void UringDevice::Free(Slot* slot) {
  slot->write = nullptr;
  free_.push_back(slot);
}

void UringDevice::AbandonAll() {
  to_reissue_.clear();
  for (Slot& slot : slots_) {
    if (slot.write != nullptr) {
      Write* write = slot.write;
      write->error = ECANCELED;
      Free(&slot);
      Finish(write);
    }
  }
}

}  // namespace uringfs
