// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What is read is what the file holds, in whatever way it is read, and whatever
// a ring, the kernel or another thread does meanwhile.

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "src/read/shared_read_rings.h"
#include "test/device/device_maker.h"
#include "test/device/fault_sys.h"
#include "test/log/fake_log.h"
#include "test/support/seed.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

using test::Call;
using test::FaultSys;
using test::Random;
using test::StreamBytes;

constexpr size_t kFileBytes = (size_t{4} << 20) + 1234;
constexpr size_t kRings = 2;

// Requests of one descriptor, and memory for them.
class Batch {
 public:
  Batch(int fd, bool is_direct, size_t count, size_t bytes, Random* random) {
    const size_t unit = is_direct ? 4096 : 1;
    // A child of fork has it too.
    memory_.reset(static_cast<char*>(std::aligned_alloc(4096, count * bytes)));
    std::memset(memory_.get(), '?', count * bytes);
    requests_.resize(count);
    for (size_t i = 0; i < count; ++i) {
      // Some end behind the file, some begin there.
      requests_[i].offset = random->Below(kFileBytes / unit + 3) * unit;
      requests_[i].fd = fd;
      requests_[i].is_direct = is_direct;
      requests_[i].bytes = bytes;
      requests_[i].out = memory_.get() + i * bytes;
    }
  }

  ReadRequest* data() { return requests_.data(); }
  size_t size() const { return requests_.size(); }

  void ExpectContent(const std::string& content) const {
    for (const ReadRequest& request : requests_) {
      const size_t first = std::min<size_t>(request.offset, content.size());
      ASSERT_EQ(request.error, 0) << "at " << request.offset;
      ASSERT_EQ(request.got, std::min(request.bytes, content.size() - first));
      ASSERT_EQ(content.compare(first, request.got, request.out, request.got),
                0)
          << "at " << request.offset;
    }
  }

 private:
  std::unique_ptr<char, decltype(&std::free)> memory_{nullptr, &std::free};
  std::vector<ReadRequest> requests_;
};

class ReadRingsTest : public testing::Test {
 protected:
  void SetUp() override {
    URINGFS_SKIP_WITHOUT_URING();
    std::ofstream(path_) << content_;
    plain_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    direct_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
    ASSERT_GE(plain_, 0);
    ASSERT_GE(direct_, 0);
    ASSERT_EQ(::fdatasync(plain_), 0);  // only what is clean can be dropped
  }
  void TearDown() override {
    ::close(plain_);
    ::close(direct_);
  }

  void MakeCold() const {
    ASSERT_EQ(::posix_fadvise(plain_, 0, 0, POSIX_FADV_DONTNEED), 0);
  }

  Batch MakeBatch(bool is_direct, size_t count) {
    return Batch(is_direct ? direct_ : plain_, is_direct, count, 8192,
                 &random_);
  }

  // Returns how they were read.
  ReadCounts ExpectAll(bool is_direct, size_t count) {
    Batch batch = MakeBatch(is_direct, count);
    const ReadCounts counts = rings_.ReadAll(batch.data(), batch.size());
    batch.ExpectContent(content_);
    EXPECT_EQ(counts.cached + counts.ring + counts.alone, count);
    return counts;
  }

  const test::TempDir dir_;
  const std::string path_ = dir_.File("table");
  const std::string content_ = StreamBytes(0, kFileBytes);
  Random random_{test::SeedOr(1)};
  FaultSys sys_;
  SharedReadRings rings_{kRings, &sys_};
  int plain_ = -1;
  int direct_ = -1;
};

TEST_F(ReadRingsTest, WhatThePageCacheHasNeedsNoRing) {
  EXPECT_EQ(ExpectAll(false, 64).cached, 64u);
  EXPECT_EQ(sys_.calls(Call::kRingSetup), 0u);
}

TEST_F(ReadRingsTest, WhatIsMissingComesFromTheDeviceTogether) {
  MakeCold();
  const uint64_t before = sys_.calls(Call::kRingSubmit);
  EXPECT_GT(ExpectAll(false, 64).ring, 0u);
  EXPECT_EQ(sys_.calls(Call::kRingSubmit), before + 1);
}

TEST_F(ReadRingsTest, DirectReadsDoNotAskThePageCache) {
  EXPECT_EQ(ExpectAll(true, 64).ring, 64u);
  EXPECT_EQ(sys_.calls(Call::kPreadCached), 0u);
}

TEST_F(ReadRingsTest, OneAloneIsASystemCall) {
  EXPECT_EQ(ExpectAll(true, 1).alone, 1u);
}

TEST_F(ReadRingsTest, MoreThanARingHolds) {
  EXPECT_EQ(ExpectAll(true, 500).ring, 500u);
}

// As some kernels say in the middle of a file.
TEST_F(ReadRingsTest, NothingIsCachedIsNoEndOfTheFile) {
  for (const int answer : {0, 100, -EAGAIN, -EOPNOTSUPP, -EIO}) {
    sys_.ScriptNext(Call::kPreadCached, answer, 64);
    EXPECT_EQ(ExpectAll(false, 64).cached, 0u) << answer;
  }
}

TEST_F(ReadRingsTest, WithoutARing) {
  for (const int refusal : {-EPERM, -ENOSYS, -ENOMEM, -EMFILE}) {
    FaultSys sys;
    SharedReadRings rings(kRings, &sys);
    sys.Script(Call::kRingSetup, 0, refusal, 100);
    Batch batch = MakeBatch(true, 64);
    EXPECT_EQ(rings.ReadAll(batch.data(), batch.size()).alone, 64u);
    batch.ExpectContent(content_);
    // It is not asked for at each read.
    EXPECT_EQ(sys.calls(Call::kRingSetup), 1u);
  }
}

TEST_F(ReadRingsTest, TheKernelTakesNothing) {
  for (const int refusal : {-EAGAIN, -EBUSY, -ENOMEM}) {
    sys_.ScriptNext(Call::kRingSubmit, refusal, 20 * 4);
    EXPECT_EQ(ExpectAll(true, 20).alone, 20u);
    // What was prepared then is never read, and the ring goes on when it has
    // got rid of it.
    EXPECT_GE(ExpectAll(true, 20).ring, 19u);
    EXPECT_EQ(ExpectAll(true, 20).ring, 20u);
  }
}

TEST_F(ReadRingsTest, TheKernelTakesNothingForAMoment) {
  for (const uint64_t times : {1, 3, 4, 9}) {
    sys_.ScriptNext(Call::kRingSubmit, -EAGAIN, times);
    ExpectAll(true, 20);
    EXPECT_EQ(ExpectAll(true, 20).ring, 20u);
  }
}

TEST_F(ReadRingsTest, ShortAndFailedCompletionsAreReadAgain) {
  for (const int answer : {0, 512, 4096, -EIO, -EAGAIN, -EINTR, -ECANCELED}) {
    for (const bool is_direct : {false, true}) {
      MakeCold();
      sys_.ScriptNext(Call::kRingResult, answer, 7);
      ExpectAll(is_direct, 30);
    }
  }
}

TEST_F(ReadRingsTest, AnErrorIsThatOfItsRequestAlone) {
  sys_.ScriptNext(Call::kRingResult, -EIO, 1);
  sys_.ScriptNext(Call::kPread, -EIO, 1);
  Batch batch = MakeBatch(true, 30);
  for (size_t i = 0; i < batch.size(); ++i) {
    batch.data()[i].offset = i * 8192;
  }
  rings_.ReadAll(batch.data(), batch.size());
  EXPECT_EQ(std::count_if(batch.data(), batch.data() + batch.size(),
                          [](const auto& r) { return r.error == EIO; }),
            1);
  EXPECT_EQ(std::count_if(batch.data(), batch.data() + batch.size(),
                          [](const auto& r) { return r.got == r.bytes; }),
            29);
}

TEST_F(ReadRingsTest, InterruptedWaits) {
  sys_.ScriptNext(Call::kRingWait, -EINTR, 3);
  sys_.ScriptNext(Call::kPread, -EINTR, 3);
  ExpectAll(true, 30);
  EXPECT_EQ(ExpectAll(true, 1).alone, 1u);
}

TEST_F(ReadRingsTest, StartedHereFinishedThere) {
  Batch batch = MakeBatch(true, 100);
  std::thread([&] {
    for (size_t i = 0; i < batch.size(); ++i) {
      rings_.Start(&batch.data()[i]);
    }
  }).join();
  // The thread that started them is gone.
  for (size_t i = batch.size(); i-- > 0;) {
    rings_.Finish(&batch.data()[i]);
  }
  batch.ExpectContent(content_);
}

TEST_F(ReadRingsTest, StartedWhileNothingIsTaken) {
  Batch batch = MakeBatch(true, 1000);
  uint64_t alone = 0;
  for (size_t i = 0; i < batch.size(); ++i) {
    alone += rings_.Start(&batch.data()[i]).alone;
  }
  EXPECT_GT(alone, 0u);
  for (size_t i = 0; i < batch.size(); ++i) {
    rings_.Finish(&batch.data()[i]);
  }
  batch.ExpectContent(content_);
}

size_t OpenDescriptors() {
  size_t count = 0;
  DIR* const folder = ::opendir("/proc/self/fd");
  while (folder != nullptr && ::readdir(folder) != nullptr) {
    ++count;
  }
  ::closedir(folder);
  return count;
}

TEST_F(ReadRingsTest, TwoHundredThreadsShareTheRings) {
  const size_t before = OpenDescriptors();
  std::vector<std::thread> threads;
  for (int i = 0; i < 200; ++i) {
    threads.emplace_back([this, i] {
      Random random(test::SeedOr(1) + static_cast<uint64_t>(i));
      for (int round = 0; round < 5; ++round) {
        const bool is_direct = round % 2 == 0;
        Batch batch(is_direct ? direct_ : plain_, is_direct, 8, 4096, &random);
        if (i % 2 == 0) {
          rings_.ReadAll(batch.data(), batch.size());
        } else {
          for (size_t k = 0; k < batch.size(); ++k) {
            rings_.Start(&batch.data()[k]);
          }
          for (size_t k = 0; k < batch.size(); ++k) {
            rings_.Finish(&batch.data()[k]);
          }
        }
        batch.ExpectContent(content_);
        if (i == 0) {
          MakeCold();
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_LE(OpenDescriptors(), before + kRings);
}

// In the child nothing may touch the parent's rings.
TEST_F(ReadRingsTest, AChildOfFork) {
  ExpectAll(true, 30);
  Batch started = MakeBatch(true, 20);
  for (size_t i = 0; i < started.size(); ++i) {
    rings_.Start(&started.data()[i]);
  }
  ReadRings* const of_parent = ReadRings::OfProcess();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    for (size_t i = 0; i < started.size(); ++i) {
      rings_.Finish(&started.data()[i]);
    }
    started.ExpectContent(content_);
    const ReadCounts counts = ExpectAll(true, 30);
    EXPECT_EQ(counts.alone, 30u);
    EXPECT_NE(ReadRings::OfProcess(), of_parent);
    ::_exit(HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (size_t i = 0; i < started.size(); ++i) {
    rings_.Finish(&started.data()[i]);
  }
  started.ExpectContent(content_);
  EXPECT_EQ(ReadRings::OfProcess(), of_parent);
}

}  // namespace
}  // namespace uringfs
