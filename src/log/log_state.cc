// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/log/log_state.h"

#include <utility>

#include "src/base/fork_count.h"

namespace uringfs {

LogState::LogState(std::string path)
    : path_(std::move(path)), forks_(ForkCount()) {}

bool LogState::IsForeign() const { return ForkCount() != forks_; }

Status LogState::CheckUsable() const {
  if (IsForeign()) {
    return Status::NotSupported(
        "use of " + path_ +
        " in a child process: a log is not inherited by fork; open another");
  }
  switch (Load()) {
    case State::kOpen:
      return Status::Ok();
    case State::kFailed:
      return error();
    case State::kClosed:
      break;
  }
  return Status::Closed(path_);
}

void LogState::Fail(const Status& error) {
  const MutexLock lock(&mutex_);
  if (error_.ok()) {
    error_ = error;
    // release: the error before the state; partner of Load().
    state_.store(State::kFailed, std::memory_order_release);
  }
}

Status LogState::error() const {
  const MutexLock lock(&mutex_);
  return error_;
}

void LogState::AbandonFrom(uint64_t begin) {
  uint64_t lowest = abandoned_.load(std::memory_order_relaxed);
  // release: partner of the acquire in abandoned().
  while (begin < lowest && !abandoned_.compare_exchange_weak(
                               lowest, begin, std::memory_order_release,
                               std::memory_order_relaxed)) {
  }
}

void LogState::Close(const Status& status, uint64_t size,
                     const IoChoice& choice) {
  const MutexLock lock(&mutex_);
  close_status_ = error_.ok() ? status : error_;
  last_choice_ = choice;
  last_size_.store(size, std::memory_order_relaxed);
  // release: all of the above before the state; partner of Load().
  state_.store(State::kClosed, std::memory_order_release);
}

Status LogState::close_status() const {
  const MutexLock lock(&mutex_);
  return close_status_;
}

IoChoice LogState::last_choice() const {
  const MutexLock lock(&mutex_);
  return last_choice_;
}

}  // namespace uringfs
