// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What an append costs without a disk: threads append records of one size to
// one log whose device takes every write at once.
//
//   ring    the log as it is: a latch-free ring of flush buffers
//   mutex   the same buffers, two of them, behind a mutex
//   memcpy  each thread copies into memory of its own: the limit
//
//   append_bench [--benchmark_filter=ring/threads:4] [other flags of
//   Google Benchmark]

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "src/base/aligned_buffer.h"
#include "src/log/log_engine.h"

namespace uringfs {
namespace {

constexpr uint32_t kBufferBytes = 256 * 1024;
constexpr uint32_t kBuffers = 8;

// Takes every write and keeps nothing.
class NullDevice final : public Device {
 public:
  void Submit(Write* write) override { done_.push_back(write); }
  void WriteNow(Write* write) override { Submit(write); }
  size_t Reap(size_t, Write** done, size_t capacity) override {
    const size_t count = std::min(capacity, done_.size());
    std::copy_n(done_.begin(), count, done);
    done_.erase(done_.begin(), done_.begin() + static_cast<ptrdiff_t>(count));
    return count;
  }
  Status MakeDurable(SyncKind) override { return Status::Ok(); }
  Status Resize(uint64_t) override { return Status::Ok(); }
  Status Extend(uint64_t, uint64_t) override { return Status::Ok(); }
  Status Allocate(uint64_t, uint64_t) override { return Status::Ok(); }
  Status Read(uint64_t, char*, size_t, size_t* got) override {
    *got = 0;
    return Status::Ok();
  }
  Status WriteCached(uint64_t, const char*, size_t) override {
    return Status::Ok();
  }
  Status Close() override { return Status::Ok(); }
  void SetLifetimeHint(int) override {}
  size_t in_flight() const override { return done_.size(); }
  size_t max_in_flight() const override { return 64; }
  IoChoice choice() const override { return IoChoice(); }

 private:
  std::vector<Write*> done_;
};

class Ring {
 public:
  Ring() {
    LogOptions options;
    options.write_mode = WriteMode::kTailLocalised;
    options.buffer_bytes = kBufferBytes;
    options.buffers_count = kBuffers;
    LogParts parts;
    Status status =
        Workspace::Acquire(size_t{kBufferBytes} * kBuffers, &parts.workspace);
    parts.opened.device = std::make_unique<NullDevice>();
    if (status.ok()) {
      status = LogEngine::OpenOn(std::move(parts), "null", options, &log_);
    }
    if (!status.ok()) {
      std::abort();
    }
  }
  bool Append(std::string_view record) {
    return log_->AppendBatch(&record, 1, nullptr).ok();
  }

 private:
  std::unique_ptr<LogEngine> log_;
};

// What one would write first: whoever fills a buffer hands it over and goes on
// in the other one.
class Mutexed {
 public:
  Mutexed() {
    for (AlignedBuffer& buffer : buffers_) {
      if (!AlignedBuffer::Allocate(kBufferBytes, &buffer).ok()) {
        std::abort();
      }
    }
  }
  bool Append(std::string_view record) {
    const std::lock_guard<std::mutex> lock(mutex_);
    while (!record.empty()) {
      const size_t piece =
          std::min<size_t>(record.size(), kBufferBytes - filled_);
      std::memcpy(buffers_[current_].data() + filled_, record.data(), piece);
      record.remove_prefix(piece);
      filled_ += piece;
      if (filled_ == kBufferBytes) {
        HandOver();
      }
    }
    return true;
  }

 private:
  void HandOver() {
    write_ = Write();
    write_.offset = offset_;
    write_.segments[0] = {buffers_[current_].data(), kBufferBytes};
    write_.segment_count = 1;
    device_.Submit(&write_);
    Write* done = nullptr;
    (void)device_.Reap(1, &done, 1);
    offset_ += kBufferBytes;
    current_ = 1 - current_;
    filled_ = 0;
  }

  std::mutex mutex_;
  // Guarded by mutex_.
  std::array<AlignedBuffer, 2> buffers_;
  NullDevice device_;
  Write write_;
  uint64_t offset_ = 0;
  size_t current_ = 0;
  size_t filled_ = 0;
};

template <class Log>
void Appends(benchmark::State& state) {
  static std::unique_ptr<Log> log;
  if (state.thread_index() == 0) {
    log = std::make_unique<Log>();
  }
  const std::string record(static_cast<size_t>(state.range(0)), 'r');
  for (auto step : state) {
    if (!log->Append(record)) {
      state.SkipWithError("an append failed");
    }
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
  if (state.thread_index() == 0) {
    log.reset();
  }
}

void Copies(benchmark::State& state) {
  const std::string record(static_cast<size_t>(state.range(0)), 'r');
  std::vector<char> memory(size_t{kBufferBytes} * kBuffers);
  size_t at = 0;
  for (auto step : state) {
    if (at + record.size() > memory.size()) {
      at = 0;
    }
    std::memcpy(memory.data() + at, record.data(), record.size());
    benchmark::ClobberMemory();
    at += record.size();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void AllSizesAndThreads(benchmark::internal::Benchmark* benchmark) {
  benchmark->RangeMultiplier(8)->Range(16, 64 << 10);
  benchmark->ThreadRange(1, 8)->UseRealTime();
}

BENCHMARK(Appends<Ring>)->Name("ring")->Apply(AllSizesAndThreads);
BENCHMARK(Appends<Mutexed>)->Name("mutex")->Apply(AllSizesAndThreads);
BENCHMARK(Copies)->Name("memcpy")->Apply(AllSizesAndThreads);

}  // namespace
}  // namespace uringfs

BENCHMARK_MAIN();
