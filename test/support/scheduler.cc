// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "test/support/scheduler.h"

#include <thread>

namespace uringfs::test {
namespace {

struct Current {
  Scheduler* scheduler = nullptr;
  std::function<void()> yield;
};
thread_local Current current;

}  // namespace

void Scheduler::Run(const std::vector<std::function<void()>>& bodies) {
  is_done_.assign(bodies.size(), false);
  left_ = bodies.size();
  turn_.clear();
  turn_.resize(bodies.size());
  running_ = random_.Below(bodies.size());
  std::vector<std::thread> threads;
  threads.reserve(bodies.size());
  for (size_t i = 0; i < bodies.size(); ++i) {
    threads.emplace_back([this, i, &bodies] { RunBody(i, bodies[i]); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

void Scheduler::Point() {
  if (current.scheduler != nullptr) {
    current.yield();
  }
}

void Scheduler::RunBody(size_t self, const std::function<void()>& body) {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    turn_[self].wait(lock, [&] { return running_ == self; });
  }
  current.scheduler = this;
  current.yield = [this, self] { Yield(self); };
  body();
  current.scheduler = nullptr;
  const std::lock_guard<std::mutex> lock(mutex_);
  is_done_[self] = true;
  --left_;
  PickNext();
  turn_[running_].notify_one();
}

void Scheduler::Yield(size_t self) {
  std::unique_lock<std::mutex> lock(mutex_);
  PickNext();
  if (running_ == self) {
    return;
  }
  ++switches_;
  turn_[running_].notify_one();
  turn_[self].wait(lock, [&] { return running_ == self; });
}

void Scheduler::PickNext() {
  if (left_ == 0) {
    return;
  }
  do {
    running_ = random_.Below(is_done_.size());
  } while (is_done_[running_]);
}

}  // namespace uringfs::test
