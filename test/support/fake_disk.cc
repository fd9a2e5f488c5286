// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "test/support/fake_disk.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/base/assert.h"
#include "src/device/check_write.h"

namespace uringfs::test {
namespace {

std::string Gather(const Write& write) {
  std::string bytes;
  bytes.reserve(write.bytes());
  for (uint32_t i = 0; i < write.segment_count; ++i) {
    bytes.append(write.segments[i].data, write.segments[i].bytes);
  }
  return bytes;
}

}  // namespace

void FakeDisk::Overwrite(std::string* image, uint64_t offset, const char* data,
                         size_t bytes) {
  if (image->size() < offset + bytes) {
    image->resize(offset + bytes, '\0');
  }
  std::memcpy(image->data() + offset, data, bytes);
}

std::shared_ptr<FakeDisk> FakeDisk::Create(const FakeDiskOptions& options,
                                           std::string image) {
  return std::shared_ptr<FakeDisk>(new FakeDisk(options, std::move(image)));
}

FakeDisk::FakeDisk(const FakeDiskOptions& options, std::string image)
    : options_(options),
      random_(options.seed),
      image_(image),
      base_(std::move(image)) {}

std::string FakeDisk::Image() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return image_;
}

uint64_t FakeDisk::size() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return image_.size();
}

uint64_t FakeDisk::operations() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return operations_;
}

uint64_t FakeDisk::writes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return submitted_.size();
}

uint64_t FakeDisk::flushes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return flushes_;
}

uint64_t FakeDisk::resizes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return resizes_;
}

uint64_t FakeDisk::extensions() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return extensions_;
}

uint64_t FakeDisk::cached_writes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return cached_writes_;
}

void FakeDisk::CountCachedWrite() {
  std::lock_guard<std::mutex> lock(mutex_);
  ++cached_writes_;
}

size_t FakeDisk::in_flight() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return in_flight_.size();
}

std::vector<SubmittedRange> FakeDisk::submitted() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return submitted_;
}

void FakeDisk::HoldCompletions(bool hold) {
  std::lock_guard<std::mutex> lock(mutex_);
  hold_ = hold;
}

void FakeDisk::FailWrite(uint64_t k, int error) {
  std::lock_guard<std::mutex> lock(mutex_);
  write_faults_[k] = error;
}

void FakeDisk::FailFlush(uint64_t k, int error) {
  std::lock_guard<std::mutex> lock(mutex_);
  flush_faults_[k] = error;
}

void FakeDisk::FailExtend(uint64_t k, int error) {
  std::lock_guard<std::mutex> lock(mutex_);
  extend_faults_[k] = error;
}

void FakeDisk::FailResize(uint64_t k, int error) {
  std::lock_guard<std::mutex> lock(mutex_);
  resize_faults_[k] = error;
}

void FakeDisk::FailOperation(uint64_t k, int error) {
  std::lock_guard<std::mutex> lock(mutex_);
  operation_faults_[k] = error;
}

void FakeDisk::SetObserver(std::function<void()> observer) {
  observer_ = std::move(observer);
}

void FakeDisk::Observe() const {
  if (observer_) {
    observer_();
  }
}

int FakeDisk::NextFault(const std::map<uint64_t, int>& faults, uint64_t index) {
  const auto any = operation_faults_.find(operations_++);
  const auto own = faults.find(index);
  if (own != faults.end()) {
    return own->second;
  }
  return any != operation_faults_.end() ? any->second : 0;
}

void FakeDisk::Submit(Write* write) {
  CheckWrite(*write);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    URINGFS_CHECK_LT(in_flight_.size(), options_.max_in_flight);
    const uint64_t end = write->offset + write->bytes();
    URINGFS_CHECK_LE(end, extending_from_);
    for (const InFlight& other : in_flight_) {
      const bool apart =
          end <= other.event->offset || other.event->end() <= write->offset;
      URINGFS_CHECK_WITH(apart || !options_.check_overlap, write->offset,
                         other.event->offset);
    }
    auto event = std::make_shared<Event>();
    event->offset = write->offset;
    event->bytes = Gather(*write);
    const int error = NextFault(write_faults_, submitted_.size());
    events_.push_back(event);
    in_flight_.push_back({write, std::move(event), error});
    submitted_.push_back({write->offset, write->bytes(), write->dsync});
  }
  Observe();
}

size_t FakeDisk::PickCompletion() {
  switch (options_.order) {
    case CompletionOrder::kFifo:
      return 0;
    case CompletionOrder::kLifo:
      return in_flight_.size() - 1;
    case CompletionOrder::kRandom:
      break;
  }
  return random_.Below(in_flight_.size());
}

void FakeDisk::Complete(InFlight done) {
  Event& event = *done.event;
  // The caller must not have touched the memory since it was submitted.
  URINGFS_CHECK_WITH(Gather(*done.write) == event.bytes, event.offset,
                     event.bytes.size());
  done.write->error = done.error;
  if (done.error != 0) {
    event.state = State::kFailed;
    return;
  }
  event.state = State::kReaped;
  event.data_durable = done.write->dsync;
  event.changes_size = event.end() > image_.size();
  Overwrite(&image_, event.offset, event.bytes.data(), event.bytes.size());
}

size_t FakeDisk::Reap(size_t min_count, Write** done, size_t capacity) {
  size_t count = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    URINGFS_CHECK_LE(min_count, capacity);
    URINGFS_CHECK_LE(min_count, in_flight_.size());
    size_t target = std::min(capacity, in_flight_.size());
    if (hold_) {
      target = min_count;
    } else if (options_.order == CompletionOrder::kRandom) {
      target = min_count + random_.Below(target - min_count + 1);
    }
    while (count < target) {
      const auto it =
          in_flight_.begin() + static_cast<std::ptrdiff_t>(PickCompletion());
      InFlight picked = std::move(*it);
      in_flight_.erase(it);
      done[count++] = picked.write;
      Complete(std::move(picked));
    }
    FoldDurablePrefix();
  }
  if (count > 0) {
    Observe();
  }
  return count;
}

Status FakeDisk::MakeDurable() {
  int error = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    error = NextFault(flush_faults_, flushes_++);
    for (const auto& event : events_) {
      if (event->state != State::kReaped) {
        continue;
      }
      if (error != 0) {
        event->uncertain = !event->IsDurable();
      } else if (!event->uncertain) {
        event->data_durable = true;
        event->meta_durable = true;
      }
    }
    FoldDurablePrefix();
  }
  Observe();
  return error == 0 ? Status::Ok()
                    : Status::FromErrno(error, "fdatasync", "fake");
}

void FakeDisk::AddResize(uint64_t bytes) {
  auto event = std::make_shared<Event>();
  event->kind = Kind::kResize;
  event->state = State::kReaped;
  event->offset = bytes;
  event->data_durable = true;  // it has none
  events_.push_back(std::move(event));
  image_.resize(bytes, '\0');
}

// Both ways to make space ahead share their faults.
int FakeDisk::BeginExtension(uint64_t from, uint64_t to) {
  URINGFS_CHECK_WITH(image_.size() <= from && from < to, image_.size(), from);
  for (const InFlight& other : in_flight_) {
    URINGFS_CHECK_LE(other.event->end(), from);
  }
  return NextFault(extend_faults_, extensions_++);
}

Status FakeDisk::Allocate(uint64_t from, uint64_t to) {
  int error = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    error = BeginExtension(from, to);
    AddResize(error == 0 ? to : from);
  }
  Observe();
  return error == 0 ? Status::Ok()
                    : Status::FromErrno(error, "fallocate", "fake");
}

Status FakeDisk::Resize(uint64_t bytes) {
  int error = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    URINGFS_CHECK_EQ(in_flight_.size(), 0u);
    URINGFS_CHECK_EQ(extending_from_, UINT64_MAX);
    error = NextFault(resize_faults_, resizes_++);
    if (error == 0) {
      AddResize(bytes);
    }
  }
  Observe();
  return error == 0 ? Status::Ok()
                    : Status::FromErrno(error, "ftruncate", "fake");
}

Status FakeDisk::Extend(uint64_t from, uint64_t to) {
  int error = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    error = BeginExtension(from, to);
    extending_from_ = from;
  }
  Observe();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto event = std::make_shared<Event>();
    event->state = State::kReaped;
    event->offset = from;
    // Half of it, if it fails.
    event->bytes.assign(error == 0 ? to - from : (to - from) / 2, '\0');
    Overwrite(&image_, from, event->bytes.data(), event->bytes.size());
    events_.push_back(std::move(event));
    extending_from_ = UINT64_MAX;
  }
  Observe();
  return error == 0 ? Status::Ok()
                    : Status::FromErrno(error, "fallocate", "fake");
}

Status FakeDisk::Read(uint64_t offset, char* data, size_t bytes, size_t* got) {
  std::lock_guard<std::mutex> lock(mutex_);
  *got = 0;
  if (const int error = NextFault({}, 0)) {
    return Status::FromErrno(error, "pread", "fake");
  }
  if (offset < image_.size()) {
    *got = std::min<uint64_t>(bytes, image_.size() - offset);
    std::memcpy(data, image_.data() + offset, *got);
  }
  return Status::Ok();
}

Status FakeDisk::Close() {
  std::lock_guard<std::mutex> lock(mutex_);
  URINGFS_CHECK_EQ(in_flight_.size(), 0u);
  const int error = NextFault({}, 0);
  return error == 0 ? Status::Ok() : Status::FromErrno(error, "close", "fake");
}

void FakeDisk::FoldDurablePrefix() {
  size_t count = 0;
  for (; count < events_.size() && events_[count]->IsDurable(); ++count) {
    const Event& event = *events_[count];
    if (event.IsWrite()) {
      Overwrite(&base_, event.offset, event.bytes.data(), event.bytes.size());
    } else {
      base_.resize(event.offset, '\0');
    }
  }
  events_.erase(events_.begin(),
                events_.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace uringfs::test
