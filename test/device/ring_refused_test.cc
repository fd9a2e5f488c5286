// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Real refusals: a seccomp filter as in a container, the limit of locked
// memory, and a child of fork that inherits a ring. Each in a child process of
// its own, since none of them can be taken back.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>

#include "test/device/device_maker.h"
#include "test/support/forbid.h"

namespace uringfs::test {
namespace {

// Runs `body` in a child; it returns "" or what is wrong. Sanitizers' leak
// checks do not run in a child that ends by _exit.
std::string InChild(const std::function<std::string()>& body) {
  int ends[2];
  if (::pipe(ends) != 0) {
    return "pipe";
  }
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string wrong = body();
    const ssize_t ignored = ::write(ends[1], wrong.data(), wrong.size());
    (void)ignored;
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string wrong;
  char buffer[512];
  ssize_t got = 0;
  while ((got = ::read(ends[0], buffer, sizeof(buffer))) > 0) {
    wrong.append(buffer, static_cast<size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    wrong += " child died: " + std::to_string(status);
  }
  return wrong;
}

// Opens a file, writes to it, and tells what is wrong with the outcome.
std::string WriteAndCheck(const std::string& path, const LogOptions& options,
                          bool expect_uring, const std::string& reason) {
  AlignedBuffer memory;
  if (!AlignedBuffer::Allocate(1 << 20, &memory).ok()) {
    return "no memory";
  }
  FillPattern(memory.data(), memory.bytes(), 5);
  IoContext context(memory.data(), memory.bytes());
  OpenedDevice opened;
  const Status status = OpenDevice(path, options, &context, &opened);
  if (!status.ok()) {
    return status.ToString();
  }
  Write write;
  write.segments[0] = {memory.data(), 64 * 1024};
  write.segment_count = 1;
  opened.device->Submit(&write);
  Write* done = nullptr;
  opened.device->Reap(1, &done, 1);
  const IoChoice choice = opened.device->choice();
  if (write.error != 0 || !opened.device->MakeDurable(SyncKind::kData).ok() ||
      ReadWholeFile(path) != std::string(memory.data(), 64 * 1024)) {
    return "the write failed";
  }
  if (choice.uses_io_uring != expect_uring ||
      choice.reason.find(reason) == std::string::npos) {
    return choice.ToString();
  }
  return "";
}

TEST(RingRefused, BySeccompFallsBackToPwriteAndSaysWhy) {
  TempDir dir;
  for (const int error : {EPERM, ENOSYS}) {
    EXPECT_EQ(InChild([&]() -> std::string {
                if (!Forbid(__NR_io_uring_setup, error)) {
                  return "no seccomp";
                }
                return WriteAndCheck(
                    dir.File("file"), LogOptions(), false,
                    error == EPERM ? "seccomp" : "no io_uring");
              }),
              "");
  }
}

TEST(RingRefused, BySeccompIsAnErrorWhereTheRingIsRequired) {
  TempDir dir;
  LogOptions options;
  options.io_engine = IoEngine::kUring;
  const std::string told = InChild([&]() -> std::string {
    return Forbid(__NR_io_uring_setup, EPERM)
               ? WriteAndCheck(dir.File("file"), options, true, "")
               : "no seccomp";
  });
  EXPECT_NE(told.find("kernel.io_uring_disabled"), std::string::npos) << told;
}

TEST(RingRefused, AFilterThatComesLateOnlyCostsTheRing) {
  URINGFS_SKIP_WITHOUT_URING();
  EXPECT_EQ(InChild([]() -> std::string {
              DeviceMaker maker(DeviceKind::kUringRegistered);
              Write write = maker.Make(0, 0, 65536);
              if (maker.WriteNow(&write) != 0) {
                return "the first write failed";
              }
              if (!Forbid(__NR_io_uring_enter, EPERM)) {
                return "no seccomp";
              }
              write = maker.Make(65536, 65536, 65536);
              if (maker.WriteNow(&write) != 0) {
                return "the second write failed";
              }
              return maker.Content() == std::string(maker.memory(), 131072)
                         ? ""
                         : "wrong content";
            }),
            "");
}

TEST(RingRefused, RegistrationByTheLimitOfLockedMemory) {
  URINGFS_SKIP_WITHOUT_URING();
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root, to become an unprivileged user";
  }
  TempDir dir;
  ASSERT_EQ(::chown(dir.path().c_str(), 61234, 61234), 0);
  for (const rlim_t limit : {rlim_t{0}, rlim_t{65536}}) {
    const std::string wrong = InChild([&]() -> std::string {
      const rlimit locked = {limit, limit};
      if (::setrlimit(RLIMIT_MEMLOCK, &locked) != 0 || ::setgid(61234) != 0 ||
          ::setuid(61234) != 0) {
        return "cannot become unprivileged";
      }
      // Not every kernel counts the ring itself: 0 may or may not refuse it.
      IoContext probe(nullptr, 0);
      UringQueue* queue = nullptr;
      const bool has_ring = probe.Queue(&queue).ok();
      return WriteAndCheck(dir.File("file"), LogOptions(), has_ring,
                           "ulimit -l");
    });
    if (wrong.find("Permission denied") != std::string::npos) {
      GTEST_SKIP() << "an unprivileged user cannot reach " << dir.path();
    }
    EXPECT_EQ(wrong, "") << limit;
  }
}

TEST(RingRefused, AChildOfForkNeverUsesTheParentsRing) {
  URINGFS_SKIP_WITHOUT_URING();
  DeviceMaker maker(DeviceKind::kUringRegistered);
  Write parents = maker.Make(0, 0, 65536);
  maker.device().Submit(&parents);
  EXPECT_EQ(InChild([&]() -> std::string {
              // Aligned memory is not inherited: the child needs its own.
              AlignedBuffer memory;
              if (!AlignedBuffer::Allocate(4096, &memory).ok()) {
                return "no memory";
              }
              Write write;
              write.offset = 65536;
              write.segments[0] = {memory.data(), 4096};
              write.segment_count = 1;
              maker.device().Submit(&write);
              Write* done[2];
              if (maker.device().Reap(2, done, 2) != 2 || write.error != 0 ||
                  parents.error != ECANCELED) {
                return "not abandoned";
              }
              return "";
            }),
            "");
  Write* done = nullptr;
  EXPECT_EQ(maker.device().Reap(1, &done, 1), 1u);
  EXPECT_EQ(parents.error, 0);
  EXPECT_EQ(maker.Content(),
            std::string(maker.memory(), 65536) + std::string(4096, '\0'));
}

}  // namespace
}  // namespace uringfs::test
