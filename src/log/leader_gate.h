// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// LeaderGate: of all threads that wait for something, one does the work and
// the others sleep. There is no thread of our own: whoever needs progress
// makes it, for everybody.
//
// Invariant: at most one thread is inside a step or an exclusive body, and
// each sees everything the one before it did. What a step touches is therefore
// single-owner.
//
// Whoever wants to run alone goes first: a thread that leads step after step
// would otherwise take the lead again before anybody else is awake.

#ifndef URINGFS_LOG_LEADER_GATE_H_
#define URINGFS_LOG_LEADER_GATE_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace uringfs {

class LeaderGate {
 public:
  // Until done(): runs step(), or sleeps while another thread runs one.
  // done() may change only by steps and bodies of this gate, or by what the
  // caller polls for in its step.
  template <class Done, class Step>
  void Await(const Done& done, const Step& step) {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!done()) {
      if (is_led_ || claims_ > 0) {
        Sleep(&lock);
      } else {
        Lead(&lock, step);
      }
    }
  }

  // Runs `body` alone.
  template <class Body>
  void Exclusive(const Body& body) {
    std::unique_lock<std::mutex> lock(mutex_);
    ++claims_;
    while (is_led_) {
      Sleep(&lock);
    }
    --claims_;
    Lead(&lock, body);
  }

  // Runs `body` unless another thread leads. False: it did not run, and need
  // not have: whoever leads or waits next does the same work.
  template <class Body>
  bool TryExclusive(const Body& body) {
    std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock() || is_led_ || claims_ > 0) {
      return false;
    }
    Lead(&lock, body);
    return true;
  }

 private:
  void Sleep(std::unique_lock<std::mutex>* lock) {
    ++sleepers_;
    changed_.wait(*lock);
    --sleepers_;
  }

  // An exception out of a body would leave the gate led for ever.
  template <class Body>
  static void RunOrDie(const Body& body) noexcept {
    body();
  }

  template <class Body>
  void Lead(std::unique_lock<std::mutex>* lock, const Body& body) {
    is_led_ = true;
    lock->unlock();
    RunOrDie(body);
    lock->lock();
    is_led_ = false;
    if (sleepers_ > 0) {
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_led_ = false;    // guarded by mutex_
  uint32_t sleepers_ = 0;  // guarded by mutex_
  uint32_t claims_ = 0;    // guarded by mutex_; calls of Exclusive that wait
};

}  // namespace uringfs

#endif  // URINGFS_LOG_LEADER_GATE_H_
