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
// To clang it is a lock: a step or a body that touches what the gate guards
// says AssertLed() first, and does not wait for the same gate again.
//
// Whoever wants to run alone goes first: a thread that leads step after step
// would otherwise take the lead again before anybody else is awake.

#ifndef URINGFS_LOG_LEADER_GATE_H_
#define URINGFS_LOG_LEADER_GATE_H_

#include <cstdint>

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {

class URINGFS_CAPABILITY("gate") LeaderGate {
 public:
  // Until done(): runs step(), or sleeps while another thread runs one.
  // done() may change only by steps and bodies of this gate, or by what the
  // caller polls for in its step.
  template <class Done, class Step>
  void Await(const Done& done, const Step& step) URINGFS_EXCLUDES(this) {
    const MutexLock lock(&mutex_);
    while (!done()) {
      if (is_led_ || claims_ > 0) {
        Sleep();
      } else {
        Lead(step);
      }
    }
  }

  // Runs `body` alone.
  template <class Body>
  void Exclusive(const Body& body) URINGFS_EXCLUDES(this) {
    const MutexLock lock(&mutex_);
    ++claims_;
    while (is_led_) {
      Sleep();
    }
    --claims_;
    Lead(body);
  }

  // Runs `body` unless another thread leads. False: it did not run, and need
  // not have: whoever leads or waits next does the same work.
  template <class Body>
  bool TryExclusive(const Body& body) URINGFS_EXCLUDES(this) {
    if (!mutex_.TryLock()) {
      return false;
    }
    const MutexLock lock(&mutex_, std::adopt_lock);
    if (is_led_ || claims_ > 0) {
      return false;
    }
    Lead(body);
    return true;
  }

  // In a step or a body of this gate.
  void AssertLed() const URINGFS_ASSERT_CAPABILITY() {}

 private:
  void Sleep() URINGFS_REQUIRES(mutex_) {
    ++sleepers_;
    changed_.Wait(&mutex_);
    --sleepers_;
  }

  // An exception out of a body would leave the gate led for ever.
  template <class Body>
  static void RunOrDie(const Body& body) noexcept {
    body();
  }

  template <class Body>
  void Lead(const Body& body) URINGFS_REQUIRES(mutex_) {
    is_led_ = true;
    {
      const MutexUnlock unlocked(&mutex_);
      RunOrDie(body);
    }
    is_led_ = false;
    if (sleepers_ > 0) {
      changed_.NotifyAll();
    }
  }

  Mutex mutex_;
  CondVar changed_;
  bool is_led_ URINGFS_GUARDED_BY(mutex_) = false;
  uint32_t sleepers_ URINGFS_GUARDED_BY(mutex_) = 0;
  // Calls of Exclusive that wait.
  uint32_t claims_ URINGFS_GUARDED_BY(mutex_) = 0;
};

}  // namespace uringfs

#endif  // URINGFS_LOG_LEADER_GATE_H_
