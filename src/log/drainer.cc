// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/drainer.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <system_error>
#include <thread>

#include "src/base/fork_count.h"

namespace uringfs {
namespace {

// Empty looks in a row before it sleeps: a log that is written and synced all
// the time should not have to wake it each time.
constexpr int kTicksBeforeSleep = 50;

}  // namespace

Drainer& Drainer::OfProcess() {
  // Never destroyed: the thread outlives statics.
  static std::atomic<Drainer*> current{nullptr};
  Drainer* drainer = current.load(std::memory_order_acquire);
  while (drainer == nullptr || drainer->forks_ != ForkCount()) {
    auto made = std::unique_ptr<Drainer>(new Drainer(ForkCount()));
    if (current.compare_exchange_strong(drainer, made.get(),
                                        std::memory_order_acq_rel)) {
      return *made.release();
    }
  }
  return *drainer;
}

Status Drainer::Add(Drainable* log) {
  const MutexLock lock(&mutex_);
  Status status = is_started_ ? Status::Ok() : Start();
  if (status.ok()) {
    logs_.push_back(log);
  }
  return status;
}

void Drainer::Remove(Drainable* log) {
  const MutexLock lock(&mutex_);
  logs_.erase(std::remove(logs_.begin(), logs_.end(), log), logs_.end());
  // Those behind it have moved: one may have been passed over.
  was_changed_ = true;
  while (visited_ == log) {
    changed_.Wait(&mutex_);
  }
}

Status Drainer::Start() {
  // The host's signal handlers are not to run on a thread it does not know.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
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

void Drainer::Wake() {
  const MutexLock lock(&mutex_);
  is_asleep_.store(false, std::memory_order_seq_cst);
  changed_.NotifyAll();
}

void Drainer::Run() {
  ::pthread_setname_np(::pthread_self(), "uringfs-drain");
  int empty_ticks = 0;
  while (true) {
    std::this_thread::sleep_for(kTick);
    empty_ticks = TickAll() ? 0 : empty_ticks + 1;
    if (empty_ticks < kTicksBeforeSleep) {
      continue;
    }
    empty_ticks = 0;
    // seq_cst: partner of the load in WakeIfAsleep().
    is_asleep_.store(true, std::memory_order_seq_cst);
    if (TickAll()) {
      is_asleep_.store(false, std::memory_order_seq_cst);
      continue;
    }
    const MutexLock lock(&mutex_);
    while (is_asleep_.load(std::memory_order_seq_cst)) {
      changed_.Wait(&mutex_);
    }
  }
}

// Whether any log has something left to be written.
bool Drainer::TickAll() {
  const MutexLock lock(&mutex_);
  bool has_more = false;
  was_changed_ = false;
  for (size_t i = 0; i < logs_.size(); ++i) {
    Drainable* const log = logs_[i];
    visited_ = log;
    {
      const MutexUnlock unlocked(&mutex_);
      has_more = log->DrainTick(std::chrono::steady_clock::now()) || has_more;
    }
    visited_ = nullptr;
    changed_.NotifyAll();
  }
  return has_more || was_changed_;
}

}  // namespace uringfs
