// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "exit_drain.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "background_thread.h"
#include "live_file.h"

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"

namespace uringfs {
namespace {

using Clock = std::chrono::steady_clock;

// A WAL's drain takes some milliseconds. This is for slow disks, and short
// enough for those who wait for a process whose disk does not answer at all.
constexpr std::chrono::milliseconds kLimit(5000);

std::atomic<bool> gave_up{false};

// What a thread that waits shares with those it waits for, which may go on
// after it.
class Errands {
 public:
  // Runs `run` on a thread of its own or, if there are no more, here.
  static void Start(const std::shared_ptr<Errands>& errands,
                    std::function<bool()> run) {
    {
      const MutexLock lock(&errands->mutex_);
      ++errands->running_;
    }
    const auto body = [errands, run = std::move(run)] { errands->End(run()); };
    if (!StartBackgroundThread(body)) {
      body();
    }
  }

  // False if one has failed, or still runs at `deadline`.
  bool Wait(Clock::time_point deadline) {
    const MutexLock lock(&mutex_);
    bool is_late = false;
    while (running_ != 0 && !is_late) {
      is_late = !changed_.WaitUntil(&mutex_, deadline);
    }
    return running_ == 0 && all_well_;
  }

 private:
  void End(bool is_well) {
    const MutexLock lock(&mutex_);
    --running_;
    all_well_ = all_well_ && is_well;
    changed_.NotifyAll();
  }

  Mutex mutex_;
  CondVar changed_;
  size_t running_ URINGFS_GUARDED_BY(mutex_) = 0;
  bool all_well_ URINGFS_GUARDED_BY(mutex_) = true;
};

// Finding the files takes a lock, so that is done elsewhere too.
bool DrainEach(LiveFiles* files, const FsStats* of,
               std::chrono::milliseconds limit) {
  const Clock::time_point deadline = Clock::now() + limit;
  const auto errands = std::make_shared<Errands>();
  for (const std::shared_ptr<LiveFile>& file : files->WalsToSettle(of)) {
    Errands::Start(errands, [file, limit] {
      // An error is its writer's to hear.
      return file->SettleForGood(limit).error_number() != ETIMEDOUT;
    });
  }
  return errands->Wait(deadline);
}

// Called by exit, on any thread, with other threads running. A child of fork
// has none of its parent's files in its table.
void DrainAllNow() {
  LiveFiles* const files = LiveFiles::IfThereAreAny();
  if (files == nullptr) {
    return;
  }
  files->StartLeaving();
  if (!DrainWals(files, nullptr, kLimit)) {
    gave_up.store(true, std::memory_order_relaxed);
  }
}

}  // namespace

// The handler runs before the destructors of everything that was complete when
// the process opened its first WAL, RocksDB's statics and threads among it, and
// behind those of what came later: a database that is closed there has nothing
// left to drain.
void DrainAtExit() {
  static std::atomic<bool> is_registered{false};
  // relaxed: orders nothing.
  if (is_registered.load(std::memory_order_relaxed) ||
      is_registered.exchange(true, std::memory_order_relaxed)) {
    return;
  }
  // Without memory for that an exit is as a kill.
  static_cast<void>(std::atexit(&DrainAllNow));
  static_cast<void>(std::at_quick_exit(&DrainAllNow));
}

bool DrainWals(LiveFiles* files, const std::shared_ptr<const FsStats>& of,
               std::chrono::milliseconds limit) {
  if (!files->has_wals()) {
    return true;
  }
  const auto errands = std::make_shared<Errands>();
  // A little longer than each of them has.
  Errands::Start(errands, [files, of, limit] {
    return DrainEach(files, of.get(), limit);
  });
  return errands->Wait(Clock::now() + limit + limit / 8);
}

void DrainWalsOf(const std::shared_ptr<const FsStats>& of) {
  LiveFiles* const files = LiveFiles::IfThereAreAny();
  // At exit all that can be done was done.
  if (files != nullptr && !files->is_leaving()) {
    static_cast<void>(DrainWals(files, of, kLimit));
  }
}

bool ExitDrainGaveUp() { return gave_up.load(std::memory_order_relaxed); }

}  // namespace uringfs
