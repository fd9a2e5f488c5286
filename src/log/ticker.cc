// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/ticker.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <memory>
#include <system_error>
#include <thread>

#include "src/base/fork_count.h"

namespace uringfs {
namespace {

// Empty looks before it sleeps: a log that is written and synced all the time
// should not have to wake it each time.
constexpr std::chrono::milliseconds kBeforeSleep{200};
constexpr uint64_t kNoDevice = UINT64_MAX;

// No lock: a child of fork might find it held for ever. What is in there is
// never destroyed: the threads outlive statics.
class Tickers {
 public:
  std::atomic<Ticker*>* Of(uint64_t device) {
    for (Slot& slot : slots_) {
      // Relaxed: of the slot nothing but this number is known by it.
      uint64_t known = kNoDevice;
      if (slot.device.compare_exchange_strong(known, device,
                                              std::memory_order_relaxed) ||
          known == device) {
        return &slot.ticker;
      }
    }
    return &slots_[device % slots_.size()].ticker;
  }

 private:
  struct Slot {
    std::atomic<uint64_t> device{kNoDevice};
    std::atomic<Ticker*> ticker{nullptr};
  };
  std::array<Slot, 16> slots_;
};

}  // namespace

Ticker::Ticker(const char* name, std::chrono::milliseconds tick)
    : name_(name), tick_(tick), forks_(ForkCount()) {}

Ticker& Ticker::OfProcess(std::atomic<Ticker*>* current, const char* name,
                          std::chrono::milliseconds tick) {
  Ticker* found = current->load(std::memory_order_acquire);
  while (found == nullptr || found->forks_ != ForkCount()) {
    auto made = std::unique_ptr<Ticker>(new Ticker(name, tick));
    if (current->compare_exchange_strong(found, made.get(),
                                         std::memory_order_acq_rel)) {
      return *made.release();
    }
  }
  return *found;
}

Ticker& Ticker::ForDrains(uint64_t device) {
  static constinit Tickers all;
  return OfProcess(all.Of(device), "uringfs-drain", kDrainTick);
}

Ticker& Ticker::ForSyncs(uint64_t device) {
  static constinit Tickers all;
  return OfProcess(all.Of(device), "uringfs-sync", kSyncTick);
}

Status Ticker::Add(const Look* look) {
  const MutexLock lock(&mutex_);
  Status status = is_started_ ? Status::Ok() : Start();
  if (status.ok()) {
    looks_.push_back(look);
  }
  return status;
}

void Ticker::Remove(const Look* look) {
  const MutexLock lock(&mutex_);
  looks_.erase(std::remove(looks_.begin(), looks_.end(), look), looks_.end());
  // Those behind it have moved: one may have been passed over.
  was_changed_ = true;
  while (current_ == look) {
    changed_.Wait(&mutex_);
  }
}

Status Ticker::Start() {
  // The host's signal handlers are not to run on a thread it does not know.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  awake_since_ = Clock::now();
  try {
    std::thread([this] { Run(); }).detach();
    is_started_ = true;
  } catch (const std::system_error& refused) {
    error = refused.code().value();
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return error == 0 ? Status::Ok()
                    : Status::FromErrno(error, "start a thread", "");
}

void Ticker::Wake() {
  const MutexLock lock(&mutex_);
  if (is_asleep_.load(std::memory_order_relaxed)) {
    awake_since_ = Clock::now();
    is_asleep_.store(false, std::memory_order_seq_cst);
    changed_.NotifyAll();
  }
}

void Ticker::Run() {
  ::pthread_setname_np(::pthread_self(), name_);
  const auto ticks_before_sleep = kBeforeSleep / tick_;
  auto empty_ticks = 0 * ticks_before_sleep;
  while (true) {
    std::this_thread::sleep_for(tick_);
    empty_ticks = LookAtAll() ? 0 : empty_ticks + 1;
    if (empty_ticks < ticks_before_sleep) {
      continue;
    }
    empty_ticks = 0;
    // seq_cst: partner of the load in WakeIfAsleep().
    is_asleep_.store(true, std::memory_order_seq_cst);
    if (LookAtAll()) {
      is_asleep_.store(false, std::memory_order_seq_cst);
      continue;
    }
    const MutexLock lock(&mutex_);
    while (is_asleep_.load(std::memory_order_seq_cst)) {
      changed_.Wait(&mutex_);
    }
  }
}

// Whether any log has something left to be done.
bool Ticker::LookAtAll() {
  const MutexLock lock(&mutex_);
  bool has_more = false;
  was_changed_ = false;
  for (size_t i = 0; i < looks_.size(); ++i) {
    const Look* const look = looks_[i];
    current_ = look;
    {
      const Clock::time_point awake_since = awake_since_;
      const MutexUnlock unlocked(&mutex_);
      has_more = (*look)({Clock::now(), awake_since}) || has_more;
    }
    current_ = nullptr;
    changed_.NotifyAll();
  }
  return has_more || was_changed_;
}

}  // namespace uringfs
