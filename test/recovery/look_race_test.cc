// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What happens to a log between a reader's look at its side file and his look
// at its lock. flock is this program's own.

#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>

#include "test/side/side_builder.h"
#include "test/support/temp_dir.h"

#include "gtest/gtest.h"
#include "uringfs/recovery.h"

namespace {
std::function<void()>* before_lock = nullptr;
}  // namespace

extern "C" int flock(int fd, int operation) {
  if (before_lock != nullptr && (operation & LOCK_UN) == 0) {
    std::function<void()>* const once = before_lock;
    before_lock = nullptr;
    (*once)();
  }
  return static_cast<int>(::syscall(SYS_flock, fd, operation));
}

namespace uringfs {
namespace {

class LookRaceTest : public testing::Test {
 protected:
  // The owner goes on, and is killed.
  void OwnerGoesOn() {
    built_.filled = 16000;
    built_.PrepareSide();
    built_.WriteSide();
  }

  test::TempDir dir_;
  test::SideBuilder built_{dir_.File("000007.log")};
  std::function<void()> step_;
};

TEST_F(LookRaceTest, AnOwnerThatGoesOnAndDies) {
  built_.Build();
  step_ = [this] { OwnerGoesOn(); };
  before_lock = &step_;
  std::unique_ptr<LogView> view;
  const Status status = LogView::Open(built_.log_path, nullptr, &view);
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_EQ(before_lock, nullptr) << "nothing is tested here";
  uint64_t size = 0;
  ASSERT_TRUE(view->Size(&size).ok());
  EXPECT_EQ(size, built_.filled);
  std::string bytes(size, '?');
  size_t got = 0;
  ASSERT_TRUE(view->Read(0, size, bytes.data(), &got).ok());
  EXPECT_TRUE(bytes == built_.whole());
}

TEST_F(LookRaceTest, InspectionOfAnOwnerThatGoesOnAndDies) {
  built_.Build();
  step_ = [this] { OwnerGoesOn(); };
  before_lock = &step_;
  SideFileInfo info;
  ASSERT_TRUE(InspectLog(built_.log_path, nullptr, &info).ok());
  ASSERT_EQ(before_lock, nullptr) << "nothing is tested here";
  EXPECT_EQ(info.state, SideState::kWhole) << info.reason;
  EXPECT_EQ(info.filled, built_.filled);
}

TEST_F(LookRaceTest, AnOwnerThatCloses) {
  built_.Build();
  step_ = [this] {
    test::WriteWholeFile(built_.log_path, built_.whole(), 0644);
    ::unlink(built_.side_path().c_str());
  };
  before_lock = &step_;
  std::unique_ptr<LogView> view;
  ASSERT_TRUE(LogView::Open(built_.log_path, nullptr, &view).ok());
  uint64_t size = 0;
  ASSERT_TRUE(view->Size(&size).ok());
  EXPECT_EQ(size, built_.filled);
}

}  // namespace
}  // namespace uringfs
