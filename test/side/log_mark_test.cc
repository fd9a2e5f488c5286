// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A log says that it was left with a side file, and with which: what becomes of
// it without that, and of one of which it may not be taken back.

#include "src/side/log_mark.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "src/base/file_identity.h"
#include "test/log/fake_log.h"
#include "test/side/shared_rings.h"
#include "test/side/side_image.h"
#include "test/support/child_process.h"
#include "test/support/forbid.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "uringfs/log_store.h"
#include "uringfs/recovery.h"

namespace uringfs {
namespace {

using test::ChildProcess;
using test::DirectoryForAll;
using test::Exists;
using test::InodeOf;
using test::ReadWholeFile;
using test::RegisterChild;
using test::SharedRing;
using test::SideImage;
using test::StreamBytes;
using test::TempDir;

constexpr uid_t kNobody = 65534;

std::unique_ptr<LogStore> Open(const std::string& path) {
  std::unique_ptr<LogStore> log;
  const Status status = LogStore::Open(path, SharedRing(), &log);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return log;
}

bool BecomeNobody() { return ::setgid(kNobody) == 0 && ::setuid(kNobody) == 0; }

// Makes a log with a umask, and closes and renames it as somebody else.
int CloseAsNobody(const std::vector<std::string>& args) {
  const std::string& path = args.at(0);
  const bool may_read = args.at(2) == "022";
  ::umask(may_read ? 022 : 077);
  const auto log = Open(path);
  RecoveryReport report;
  const bool is_closed = log->Append(StreamBytes(0, 5000)).ok() &&
                         log->Flush().ok() && BecomeNobody() &&
                         log->Close().ok() && !LacksSideFile(path);
  const bool is_removed =
      !may_read || (RecoverLog(path, RecoveryOptions(), &report).ok() &&
                    report.outcome == RecoveryOutcome::kRemoved);
  return is_closed && is_removed &&
                 std::rename(path.c_str(), args.at(1).c_str()) == 0
             ? 0
             : 1;
}
const RegisterChild kCloseAsNobody("close as nobody", &CloseAsNobody);

// Makes and closes a log where the calls fail with an errno.
int CloseWithoutMarks(const std::vector<std::string>& args) {
  const std::string& path = args.at(0);
  for (const unsigned call : {SYS_fsetxattr, SYS_getxattr, SYS_fgetxattr,
                              SYS_removexattr, SYS_fremovexattr}) {
    if (!test::Forbid(call, std::stoul(args.at(1)))) {
      return 1;
    }
  }
  const auto log = Open(path);
  return log->Append(StreamBytes(0, 1000)).ok() && log->Flush().ok() &&
                 Exists(SideFilePath(path)) && log->Close().ok()
             ? 0
             : 1;
}
const RegisterChild kCloseWithoutMarks("close without marks",
                                       &CloseWithoutMarks);

class LogMarkTest : public testing::Test {
 protected:
  void SetUp() override {
    URINGFS_SKIP_WITHOUT_SHARED_RINGS(dir_.path());
    log_ = Open(path_);
    ASSERT_NE(log_, nullptr);
    ASSERT_TRUE(log_->Append(StreamBytes(0, 1000)).ok());
    ASSERT_TRUE(log_->Flush().ok());
    if (!MayHaveMark(path_)) {
      GTEST_SKIP() << "no extended attributes in " << dir_.path();
    }
  }

  // As `cp -a` of the log alone makes it.
  void CopyLog() const {
    ASSERT_EQ(std::system(("cp -a " + path_ + " " + copy_).c_str()), 0);
    ASSERT_TRUE(LacksSideFile(copy_));
  }
  SideFileInfo Inspected(const std::string& path) const {
    SideFileInfo info;
    EXPECT_TRUE(InspectLog(path, nullptr, &info).ok());
    return info;
  }
  RecoveryReport Recovered(const std::string& path,
                           Unusable unusable = Unusable::kLeave) const {
    RecoveryOptions options;
    options.unusable = unusable;
    RecoveryReport report;
    const Status status = RecoverLog(path, options, &report);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return report;
  }
  // The side file of another log: the newest of that is in its ring only, or
  // nothing.
  std::string OfAnotherLog(bool has_newest = false) const {
    const std::string path = dir_.File("other.log");
    auto log = Open(path);
    EXPECT_TRUE(log->Append(StreamBytes(5, 900)).ok());
    EXPECT_TRUE((has_newest ? log->Flush() : log->Sync()).ok());
    const SideImage image(path);
    EXPECT_TRUE(log->Close().ok());
    std::filesystem::remove(path);
    return image.bytes;
  }
  static std::string Idle(std::string side) {
    side.replace(kSideStateAt, sizeof(kSideIdle),
                 reinterpret_cast<const char*>(&kSideIdle), sizeof(kSideIdle));
    return side;
  }
  // Runs it in a process of its own, where no thread can be started; whether it
  // returned true.
  template <class Body>
  static bool AsChild(const Body& body) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::_exit(body() ? 0 : 1);
    }
    int status = -1;
    return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.log");
  const std::string copy_ = dir_.File("b.log");
  std::unique_ptr<LogStore> log_;  // lives
};

// Whoever moves the log alone is told so.
TEST_F(LogMarkTest, ALogThatWasPartedFromItsSideFile) {
  for (const Unusable choice : {Unusable::kAccept, Unusable::kDiscard}) {
    CopyLog();
    const std::string link = dir_.File("link.log");
    std::filesystem::create_symlink(copy_, link);
    EXPECT_TRUE(LacksSideFile(link)) << "by a symbolic link too";
    std::filesystem::remove(link);
    EXPECT_TRUE(Inspected(copy_).is_parted);
    EXPECT_FALSE(Inspected(copy_).knows_stake);
    EXPECT_EQ(Recovered(copy_).outcome, RecoveryOutcome::kUnusable);
    EXPECT_NE(Recovered(copy_, choice).outcome, RecoveryOutcome::kUnusable);
    EXPECT_FALSE(LacksSideFile(copy_));
  }
}

// Its owner has all, whatever becomes of the file, and of the log.
TEST_F(LogMarkTest, TheOwnerTakesItOffWhereverTheLogIs) {
  std::filesystem::remove(SideFilePath(path_));
  EXPECT_TRUE(LacksSideFile(path_));
  std::filesystem::rename(path_, copy_);
  EXPECT_TRUE(LacksSideFile(copy_));
  std::filesystem::create_hard_link(copy_, dir_.File("c.log"));
  EXPECT_FALSE(LacksSideFile(copy_)) << "of another name it may be";
  std::filesystem::remove(dir_.File("c.log"));
  ASSERT_TRUE(log_->Close().ok());
  EXPECT_FALSE(LacksSideFile(copy_));
  EXPECT_EQ(ReadWholeFile(copy_), StreamBytes(0, 1000));
}

TEST_F(LogMarkTest, NoOtherSideFileStandsInForItsOwn) {
  const std::string live = OfAnotherLog();
  for (const Unusable choice : {Unusable::kAccept, Unusable::kDiscard}) {
    for (const std::string& other :
         {std::string(), live, Idle(live), OfAnotherLog(true)}) {
      CopyLog();
      std::ofstream(SideFilePath(copy_), std::ios::binary) << other;
      EXPECT_TRUE(Inspected(copy_).is_parted) << Inspected(copy_).reason;
      EXPECT_EQ(Recovered(copy_).outcome, RecoveryOutcome::kUnusable);
      const std::string bytes = ReadWholeFile(copy_);
      const RecoveryReport report = Recovered(copy_, choice);
      EXPECT_EQ(ReadWholeFile(copy_), bytes) << report.message;
      EXPECT_EQ(report.kept_path.empty(), other.empty()) << report.message;
      EXPECT_THAT(report.message,
                  testing::AllOf(testing::HasSubstr("an unknown number"),
                                 testing::Not(testing::HasSubstr("back"))));
      EXPECT_FALSE(Inspected(copy_).is_parted);
      ASSERT_TRUE(ClearSideFile(copy_).ok());
    }
  }
}

// A copy of the side file, made before that was live, and a later one of the
// log.
TEST_F(LogMarkTest, AnEarlierCopyOfItsOwnDoesNotStandInEither) {
  CopyLog();
  std::string early = Idle(SideImage(path_).bytes);
  for (const size_t at : {kSideWrittenAt, kSideFilledAt}) {
    early.replace(at, sizeof(uint64_t), sizeof(uint64_t), '\0');
  }
  std::ofstream(SideFilePath(copy_), std::ios::binary) << early;
  EXPECT_EQ(Recovered(copy_).outcome, RecoveryOutcome::kUnusable);
}

// In the same mount it is not power loss that takes the header.
TEST_F(LogMarkTest, AFirstPageThatIsGone) {
  const SideHeader original = SideImage(path_).header;
  const std::string live = SideImage(path_).bytes;
  enum Marked { kHere, kInAnotherMount, kAndCopied };
  for (const size_t cut_bytes : {sizeof(SideHeader), kSideRingOffset}) {
    for (const Marked marked : {kHere, kInAnotherMount, kAndCopied}) {
      CopyLog();
      SideHeader header = original;
      header.mount_epoch += marked == kHere ? 0 : 1;
      const int copy = ::open(copy_.c_str(), O_RDONLY | O_CLOEXEC);
      ASSERT_GE(copy, 0);
      if (marked != kAndCopied) {
        header.log_inode = InodeOf(copy_);
        // Perhaps its owner could not ask for it.
        header.log_birth = marked == kInAnotherMount
                               ? 0
                               : BirthOf(AT_FDCWD, copy_, AT_SYMLINK_NOFOLLOW);
      }
      ASSERT_TRUE(MarkLog(copy, header));
      ::close(copy);
      std::string bytes = live;
      bytes.replace(0, cut_bytes, cut_bytes, '\0');
      bytes.replace(kSideTagAt, sizeof(uint64_t), sizeof(uint64_t), '\0');
      std::ofstream(SideFilePath(copy_), std::ios::binary) << bytes;
      EXPECT_EQ(Recovered(copy_).outcome == RecoveryOutcome::kUnusable,
                marked == kAndCopied ||
                    (marked == kHere && original.mount_epoch != 0))
          << cut_bytes << " " << marked;
      EXPECT_NE(Recovered(copy_, Unusable::kDiscard).outcome,
                RecoveryOutcome::kUnusable);
      ASSERT_TRUE(ClearSideFile(copy_).ok());
    }
  }
}

// Where births are not known.
TEST_F(LogMarkTest, ACopyIsToldByTheFileSystemToo) {
  bool is_marked = false;
  LogMark mark;
  ASSERT_EQ(FindMark(path_, &is_marked, &mark), 0);
  ASSERT_TRUE(is_marked);
  EXPECT_FALSE(IsCopy(mark, path_, mark.log_inode, mark.log_birth));
  EXPECT_TRUE(IsCopy(mark, path_, mark.log_inode + 1, mark.log_birth));
  EXPECT_EQ(IsCopy(mark, path_, mark.log_inode, mark.log_birth + 1),
            mark.log_birth != 0);
  mark.log_birth = 0;
  EXPECT_FALSE(IsCopy(mark, path_, mark.log_inode, 7));
  mark.file_system += 1;
  EXPECT_EQ(IsCopy(mark, path_, mark.log_inode, 7), mark.file_system != 1);
  EXPECT_FALSE(IsCopy(mark, "/no/such/file", mark.log_inode, 7));
}

// A disk that does not tell is no log without a mark.
TEST_F(LogMarkTest, AMarkThatCannotBeRead) {
  CopyLog();
  EXPECT_TRUE(AsChild([&] {
    RecoveryReport report;
    return test::Forbid(SYS_getxattr, EIO) && LacksSideFile(copy_) &&
           RecoverLog(copy_, RecoveryOptions(), &report).error_number() == EIO;
  }));
  EXPECT_TRUE(LacksSideFile(copy_));
}

// A copy of both is as good as the two, though nothing ties them.
TEST_F(LogMarkTest, ACopyOfBothThatHasNothingIsNotRefused) {
  const std::string path = dir_.File("empty.log");
  const auto log = Open(path);
  ASSERT_TRUE(MayHaveMark(path));
  ASSERT_EQ(std::system(("cp -a " + path + " " + copy_ + " && cp -a " +
                         SideFilePath(path) + " " + SideFilePath(copy_))
                            .c_str()),
            0);
  EXPECT_NE(Recovered(copy_).outcome, RecoveryOutcome::kUnusable);
}

// A choice that could not be carried out has changed nothing: the side file may
// not be renamed, or the mark may not be taken off.
TEST_F(LogMarkTest, AChoiceThatFailsLeavesItRefused) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can be somebody else";
  }
  const std::string other = OfAnotherLog();
  for (const bool may_rename : {false, true}) {
    CopyLog();
    const std::string log =
        (may_rename ? DirectoryForAll(dir_) : dir_.path()) + "/d.log";
    std::filesystem::rename(copy_, log);
    std::ofstream(SideFilePath(log), std::ios::binary) << other;
    ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
    ASSERT_EQ(::chmod(log.c_str(), may_rename ? 0644 : 0666), 0);
    ASSERT_EQ(::chmod(SideFilePath(log).c_str(), 0666), 0);
    EXPECT_TRUE(AsChild([&] {
      RecoveryOptions options;
      options.unusable = Unusable::kDiscard;
      RecoveryReport report;
      return BecomeNobody() && !RecoverLog(log, options, &report).ok() &&
             report.kept_path.empty();
    }));
    EXPECT_TRUE(ReadWholeFile(SideFilePath(log)) == other);
    EXPECT_TRUE(Inspected(log).is_parted);
  }
}

// Of a log that somebody else has made: it is whole, so nothing is refused,
// wherever it is moved.
TEST_F(LogMarkTest, AMarkThatMayNotBeTakenOff) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can be somebody else";
  }
  const std::string path = DirectoryForAll(dir_) + "/a.log";
  const std::string moved = DirectoryForAll(dir_) + "/moved.log";
  for (const char* mask : {"022", "077"}) {
    ChildProcess child("close as nobody", {path, moved, mask});
    EXPECT_EQ(child.Wait(), 0);
    TakeSideFileAlong(path, moved);
    EXPECT_EQ(Recovered(moved).outcome, RecoveryOutcome::kRemoved);
    EXPECT_TRUE(ReadWholeFile(moved) == StreamBytes(0, 5000));
    EXPECT_FALSE(Exists(SideFilePath(moved)));
    EXPECT_FALSE(Exists(SideFilePath(path)));
  }
}

// A container that forbids the calls has no marks, and needs none.
TEST_F(LogMarkTest, WhereTheCallsAreForbidden) {
  for (const unsigned error : {ENOSYS, EPERM}) {
    const std::string path = dir_.File("c.log");
    ChildProcess child("close without marks", {path, std::to_string(error)});
    EXPECT_EQ(child.Wait(), 0);
    EXPECT_FALSE(Exists(SideFilePath(path)));
    // And one that was made outside is recovered there.
    std::filesystem::copy(path_, path,
                          std::filesystem::copy_options::overwrite_existing);
    std::filesystem::copy(SideFilePath(path_), SideFilePath(path));
    EXPECT_TRUE(AsChild([&] {
      for (const unsigned call : {SYS_getxattr, SYS_removexattr}) {
        if (!test::Forbid(call, error)) {
          return false;
        }
      }
      RecoveryReport report;
      return RecoverLog(path, RecoveryOptions(), &report).ok();
    }));
  }
}

}  // namespace
}  // namespace uringfs
