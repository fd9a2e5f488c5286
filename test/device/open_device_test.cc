// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/device/open_device.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "src/device/io_context.h"
#include "test/device/device_maker.h"
#include "test/device/fault_sys.h"
#include "test/support/temp_dir.h"

namespace uringfs::test {
namespace {

namespace fs = std::filesystem;

void Put(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

class OpenDeviceTest : public testing::Test {
 protected:
  OpenDeviceTest() { options_.io_engine = IoEngine::kPwrite; }

  Status Open(const std::string& path) {
    return OpenDevice(path, options_, &context_, &opened_);
  }
  bool Mentions(const std::string& what) const {
    return opened_.device->choice().reason.find(what) != std::string::npos;
  }

  TempDir dir_;
  LogOptions options_;
  IoContext context_{nullptr, 0};
  OpenedDevice opened_;
};

TEST_F(OpenDeviceTest, CreateMakesAFileThatOthersMayRead) {
  const std::string path = dir_.File("new");
  ASSERT_TRUE(Open(path).ok());
  EXPECT_EQ(opened_.size_bytes, 0u);
  struct stat found = {};
  ASSERT_EQ(::stat(path.c_str(), &found), 0);
  EXPECT_EQ(opened_.identity.inode, found.st_ino);
  EXPECT_EQ(opened_.identity.device, found.st_dev);
  EXPECT_EQ(found.st_mode & 0600, 0600u);
  EXPECT_EQ(found.st_mode & 0111, 0u);
}

TEST_F(OpenDeviceTest, CreateOverAFileMakesANewInode) {
  const std::string path = dir_.File("old");
  Put(path, "old bytes");
  const int old = ::open(path.c_str(), O_RDWR);  // a late writer
  struct stat found = {};
  ASSERT_EQ(::fstat(old, &found), 0);
  ASSERT_TRUE(Open(path).ok());
  EXPECT_NE(opened_.identity.inode, found.st_ino);
  EXPECT_EQ(opened_.size_bytes, 0u);
  ASSERT_EQ(::pwrite(old, "late", 4, 0), 4);
  ::close(old);
  EXPECT_EQ(ReadWholeFile(path), "");
}

TEST_F(OpenDeviceTest, AnOpenThatFailsLeavesTheOldFile) {
#ifdef URINGFS_UNDER_SANITIZER
  GTEST_SKIP() << "without descriptors UBSan cannot look at objects and "
                  "reports them as broken";
#endif
  const std::string path = dir_.File("old");
  Put(path, "old bytes");
  struct rlimit limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlim_t old_limit = limit.rlim_cur;
  limit.rlim_cur = 0;  // every open fails with EMFILE
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  const Status status = Open(path);
  limit.rlim_cur = old_limit;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(status.error_number(), EMFILE);
  EXPECT_NE(status.ToString().find("ulimit -n"), std::string::npos);
  EXPECT_EQ(ReadWholeFile(path), "old bytes");
}

TEST_F(OpenDeviceTest, CreateFollowsASymlinkAndTruncatesItsTarget) {
  Put(dir_.File("target"), "old bytes");
  fs::create_symlink("target", dir_.File("link"));
  ASSERT_TRUE(Open(dir_.File("link")).ok());
  EXPECT_TRUE(fs::is_symlink(dir_.File("link")));
  EXPECT_EQ(ReadWholeFile(dir_.File("target")), "");
  struct stat found = {};
  ASSERT_EQ(::stat(dir_.File("target").c_str(), &found), 0);
  EXPECT_EQ(opened_.identity.inode, found.st_ino);
}

TEST_F(OpenDeviceTest, ADanglingSymlinkGetsItsTarget) {
  fs::create_symlink("target", dir_.File("link"));
  ASSERT_TRUE(Open(dir_.File("link")).ok());
  EXPECT_TRUE(fs::exists(dir_.File("target")));
}

TEST_F(OpenDeviceTest, ResumeKeepsTheFileAndTellsItsSize) {
  const std::string path = dir_.File("old");
  Put(path, std::string(5000, 'x'));
  options_.open_mode = OpenMode::kResume;
  ASSERT_TRUE(Open(path).ok());
  EXPECT_EQ(opened_.size_bytes, 5000u);
  EXPECT_EQ(ReadWholeFile(path), std::string(5000, 'x'));
  ASSERT_TRUE(Open(dir_.File("missing")).ok());
  EXPECT_EQ(opened_.size_bytes, 0u);
}

TEST_F(OpenDeviceTest, OnlyRegularFiles) {
  for (const OpenMode mode : {OpenMode::kCreate, OpenMode::kResume}) {
    options_.open_mode = mode;
    EXPECT_EQ(Open(dir_.path()).error_number(), EISDIR);
    const std::string fifo = dir_.File("fifo");
    ::mkfifo(fifo.c_str(), 0600);
    EXPECT_EQ(Open(fifo).code(), Status::Code::kInvalidArgument);
    EXPECT_TRUE(fs::is_fifo(fifo));
    EXPECT_EQ(Open("/dev/null").code(), Status::Code::kInvalidArgument);
  }
  EXPECT_EQ(Open(dir_.File("no/such/directory")).error_number(), ENOENT);
}

// In a child, since root may do everything. Exit code 0: as expected.
template <typename Function>
int AsNobody(Function function) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) {
      ::_exit(100);
    }
    ::_exit(function());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

TEST_F(OpenDeviceTest, WithoutTheRightToUnlinkTheFileIsTruncated) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root, to become nobody";
  }
  const std::string path = dir_.File("given");
  Put(path, "old bytes");
  ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  if (AsNobody([&] { return ::access(path.c_str(), W_OK); }) != 0) {
    GTEST_SKIP() << "nobody cannot reach " << path;
  }
  struct stat before = {};
  struct stat after = {};
  ASSERT_EQ(::stat(path.c_str(), &before), 0);
  EXPECT_EQ(AsNobody([&] { return Open(path).ok() ? 0 : 1; }), 0);
  ASSERT_EQ(::stat(path.c_str(), &after), 0);
  EXPECT_EQ(after.st_size, 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(
      AsNobody([&] { return Open(dir_.File("not allowed")).error_number(); }),
      EACCES);
}

TEST_F(OpenDeviceTest, DirectUnlessItIsSwitchedOff) {
  ASSERT_TRUE(Open(dir_.File("direct")).ok());
  if (!opened_.device->choice().uses_direct_io) {
    GTEST_SKIP() << opened_.device->choice().reason;
  }
  EXPECT_EQ(opened_.device->choice().reason, "");
  options_.direct_io = DirectIo::kOff;
  ASSERT_TRUE(Open(dir_.File("buffered")).ok());
  EXPECT_FALSE(opened_.device->choice().uses_direct_io);
  EXPECT_EQ(opened_.device->choice().reason, "");
}

class OpenOnTmpfs : public OpenDeviceTest {
 protected:
  void SetUp() override {
    char name[] = "/dev/shm/uringfs_test.XXXXXX";
    if (::mkdtemp(name) == nullptr) {
      GTEST_SKIP() << "/dev/shm cannot be written";
    }
    tmpfs_ = name;
  }
  void TearDown() override {
    if (!tmpfs_.empty()) {
      fs::remove_all(tmpfs_);
    }
  }
  std::string tmpfs_;
};

TEST_F(OpenOnTmpfs, IsBufferedAndByPwriteAndSaysWhy) {
  options_.io_engine = IoEngine::kAuto;
  ASSERT_TRUE(Open(tmpfs_ + "/file").ok());
  const IoChoice choice = opened_.device->choice();
  EXPECT_FALSE(choice.uses_direct_io);
  EXPECT_FALSE(choice.uses_io_uring);
  EXPECT_TRUE(Mentions("tmpfs: there is no device below")) << choice.reason;
  IoChoice probed;
  ASSERT_TRUE(ProbeIo(tmpfs_, options_, &probed).ok());
  EXPECT_EQ(probed.ToString(), choice.ToString());
}

TEST_F(OpenOnTmpfs, RequiredDirectIoIsRefused) {
  options_.direct_io = DirectIo::kRequired;
  Put(tmpfs_ + "/file", "old bytes");
  const Status status = Open(tmpfs_ + "/file");
  EXPECT_EQ(ReadWholeFile(tmpfs_ + "/file"), "old bytes") << "refused in time";
  EXPECT_EQ(status.code(), Status::Code::kNotSupported);
  EXPECT_NE(status.ToString().find("tmpfs"), std::string::npos);
  IoChoice probed;
  EXPECT_EQ(ProbeIo(tmpfs_, options_, &probed).code(),
            Status::Code::kNotSupported);
}

TEST_F(OpenDeviceTest, ProbeTellsWhatOpenDoesAndLeavesNothing) {
  options_.io_engine = IoEngine::kAuto;
  IoChoice probed;
  ASSERT_TRUE(ProbeIo(dir_.path(), options_, &probed).ok());
  EXPECT_TRUE(fs::is_empty(dir_.path()));
  AlignedBuffer memory;
  ASSERT_TRUE(AlignedBuffer::Allocate(1 << 20, &memory).ok());
  IoContext context(memory.data(), memory.bytes());
  OpenedDevice opened;
  ASSERT_TRUE(OpenDevice(dir_.File("file"), options_, &context, &opened).ok());
  EXPECT_EQ(probed.ToString(), opened.device->choice().ToString());

  EXPECT_EQ(ProbeIo(dir_.File("none"), options_, &probed).error_number(),
            ENOENT);
  options_.buffers_count = 0;
  EXPECT_EQ(ProbeIo(dir_.path(), options_, &probed).code(),
            Status::Code::kInvalidArgument);
}

TEST_F(OpenDeviceTest, ARefusedRingFallsBackOnlyWhereThatIsAllowed) {
  for (const int error : {EPERM, ENOSYS, ENOMEM, EINVAL, EMFILE}) {
    FaultSys sys;
    sys.Script(Call::kRingSetup, 0, -error, 1000);
    IoContext context(nullptr, 0, &sys);
    options_.io_engine = IoEngine::kAuto;
    const std::string path = dir_.File("file");
    ASSERT_TRUE(OpenDevice(path, options_, &context, &opened_).ok());
    EXPECT_FALSE(opened_.device->choice().uses_io_uring);
    EXPECT_TRUE(Mentions("io_uring_setup"));
    // A refusal may pass, so the next file asks again.
    ASSERT_TRUE(OpenDevice(path, options_, &context, &opened_).ok());
    EXPECT_EQ(sys.calls(Call::kRingSetup), 2u);
    opened_.device.reset();

    Put(path, "kept");
    options_.io_engine = IoEngine::kUring;
    const Status status = OpenDevice(path, options_, &context, &opened_);
    EXPECT_EQ(status.code(), Status::Code::kNotSupported);
    EXPECT_EQ(ReadWholeFile(path), "kept");
  }
}

TEST_F(OpenDeviceTest, RefusedRegistrationIsSaidAndTheRingUsed) {
  URINGFS_SKIP_WITHOUT_URING();
  FaultSys sys;
  sys.Script(Call::kRingRegister, 0, -ENOMEM);
  AlignedBuffer memory;
  ASSERT_TRUE(AlignedBuffer::Allocate(4096, &memory).ok());
  IoContext context(memory.data(), memory.bytes(), &sys);
  options_.io_engine = IoEngine::kUring;
  ASSERT_TRUE(OpenDevice(dir_.File("file"), options_, &context, &opened_).ok());
  EXPECT_TRUE(opened_.device->choice().uses_io_uring);
  EXPECT_FALSE(opened_.device->choice().uses_registered_buffers);
  EXPECT_TRUE(Mentions("ulimit -l"));
  opened_.device.reset();
}

}  // namespace
}  // namespace uringfs::test
