// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What users see when something is wrong: options, full disks, limits.

#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/utilities/object_registry.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "plugin/register.h"
#include "test/plugin/fs_fixture.h"
#include "test/plugin/scoped_variable.h"
#include "test/plugin/small_disk.h"
#include "test/support/child_process.h"
#include "test/support/file_size_limit.h"

#include "gmock/gmock.h"
#include "uringfs/recovery.h"

namespace uringfs::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

rocksdb::Status FromString(const std::string& text,
                           std::shared_ptr<rocksdb::FileSystem>* fs) {
  rocksdb::ConfigOptions config;
  config.registry->AddLibrary("uringfs", &register_uringfs, "");
  return rocksdb::FileSystem::CreateFromString(config, text, fs);
}

TEST(FsErrorTest, EveryFormOfTheUriMakesAFileSystem) {
  for (const char* text :
       {"uringfs", "uringfs://", "uringfs://?wal_buffers=3&data_buffers=9",
        "id=uringfs;wal_buffers=3;data_buffers=9",
        "id=uringfs://?wal_buffers:3", "uringfs.wal_buffers=3;id=uringfs",
        "id=uringfs;target={id=TimedFS};wal_buffers=3"}) {
    std::shared_ptr<rocksdb::FileSystem> fs;
    const rocksdb::Status status = FromString(text, &fs);
    if (std::string(text).find(':', 12) != std::string::npos) {
      EXPECT_TRUE(status.IsInvalidArgument()) << text;
      continue;
    }
    ASSERT_TRUE(status.ok()) << text << ": " << status.ToString();
    EXPECT_STREQ(fs->Name(), "uringfs");
    const std::string options = fs->GetPrintableOptions();
    EXPECT_EQ(options.find("wal_buffers=3") != std::string::npos,
              std::string(text).find("wal_buffers") != std::string::npos)
        << text << ": " << options;
  }
}

TEST(FsErrorTest, BadOptionsAreInvalidArgumentsThatSayWhatIsAllowed) {
  std::shared_ptr<rocksdb::FileSystem> fs;
  EXPECT_THAT(FromString("uringfs://?wal_bufers=3", &fs).ToString(),
              AllOf(HasSubstr("Invalid argument"), HasSubstr("'wal_bufers'"),
                    HasSubstr("wal_buffers")));
  EXPECT_THAT(FromString("id=uringfs;wal_bufers=3", &fs).ToString(),
              AllOf(HasSubstr("Invalid argument"), HasSubstr("'wal_bufers'")));
  EXPECT_THAT(FromString("id=uringfs;wal_buffers=0", &fs).ToString(),
              AllOf(HasSubstr("Invalid argument"), HasSubstr("2 to 1024")));
  EXPECT_THAT(FromString("uringfs://path", &fs).ToString(),
              AllOf(HasSubstr("Invalid argument"), HasSubstr("://?name=")));
}

TEST(FsErrorTest, ABadEnvironmentVariableIsAnErrorOfEveryUri) {
  const ScopedVariable variable("URINGFS_OPTIONS", "io_engine=fast");
  std::shared_ptr<rocksdb::FileSystem> fs;
  const std::string message = FromString("uringfs://", &fs).ToString();
  EXPECT_THAT(message,
              AllOf(HasSubstr("URINGFS_OPTIONS"), HasSubstr("'io_engine'"),
                    HasSubstr("auto|uring|pwrite")));
}

TEST(FsErrorTest, TheUriWinsOverTheEnvironment) {
  const ScopedVariable variable("URINGFS_OPTIONS",
                                "wal_buffers=5;data_buffers=5");
  std::shared_ptr<rocksdb::FileSystem> fs;
  const rocksdb::Status status = FromString("uringfs://?wal_buffers=6", &fs);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_THAT(fs->GetPrintableOptions(),
              AllOf(HasSubstr(";wal_buffers=6"), HasSubstr(";data_buffers=5")));
}

TEST(FsErrorTest, AStructOutOfRangeIsRefused) {
  UringFsOptions options;
  options.wal_buffer_bytes = 5000;
  std::shared_ptr<rocksdb::FileSystem> fs;
  EXPECT_THAT(NewUringFileSystem(nullptr, options, &fs).ToString(),
              AllOf(HasSubstr("'wal_buffer_bytes'"), HasSubstr("'5000'")));
  EXPECT_EQ(fs, nullptr);
}

TEST(FsErrorTest, ABaseThatChangesPathsIsRefused) {
  std::shared_ptr<rocksdb::FileSystem> fs;
  const std::string message =
      FromString("id=uringfs;target={id=ChrootFS;chroot_dir=/tmp}", &fs)
          .ToString();
  EXPECT_THAT(message, AllOf(HasSubstr("ChrootFS"), HasSubstr("target=")));
}

TEST(FsErrorTest, AnUnknownTargetIsRefused) {
  for (const char* text :
       {"id=uringfs;target=nosuch", "id=uringfs;target={id=nosuch;a=b}"}) {
    std::shared_ptr<rocksdb::FileSystem> fs;
    const rocksdb::Status status = FromString(text, &fs);
    EXPECT_FALSE(status.ok()) << text;
    EXPECT_THAT(status.ToString(), HasSubstr("nosuch"));
  }
}

TEST(FsErrorTest, TheEnvFactoryWorks) {
  rocksdb::ConfigOptions config;
  config.registry->AddLibrary("uringfs", &register_uringfs, "");
  rocksdb::Env* env = nullptr;
  std::shared_ptr<rocksdb::Env> guard;
  const rocksdb::Status status =
      rocksdb::Env::CreateFromString(config, "uringfs://", &env, &guard);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_STREQ(env->GetFileSystem()->Name(), "uringfs");
}

// RocksDB keeps a bare pointer: it must be good for as long as the process.
TEST(FsErrorTest, AnOptionsStringNamesTheEnv) {
  rocksdb::ConfigOptions config;
  config.registry->AddLibrary("uringfs", &register_uringfs, "");
  const rocksdb::DBOptions base;
  for (const bool is_lax : {true, false}) {
    config.ignore_unsupported_options = is_lax;
    rocksdb::DBOptions options;
    rocksdb::Status status = rocksdb::GetDBOptionsFromString(
        config, base, "create_if_missing=true;env=uringfs://", &options);
    ASSERT_TRUE(status.ok()) << status.ToString();
    EXPECT_STREQ(options.env->GetFileSystem()->Name(), "uringfs");
    rocksdb::DBOptions more;
    status = rocksdb::GetDBOptionsFromString(
        config, base, "env={id=uringfs://?wal_buffers=5}", &more);
    ASSERT_TRUE(status.ok()) << status.ToString();
    EXPECT_THAT(more.env->GetFileSystem()->GetPrintableOptions(),
                HasSubstr("wal_buffers=5"));
    EXPECT_NE(more.env, options.env);
    // RocksDB takes that for options of an Env without a name.
    status = rocksdb::GetDBOptionsFromString(
        config, base, "env=uringfs://?wal_buffers=5", &more);
    EXPECT_EQ(status.ok(), is_lax);
    status = rocksdb::GetDBOptionsFromString(config, base,
                                             "env={id=uringfs://?no=1}", &more);
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(status.ToString(), HasSubstr("there is no option 'no'"));
  }
}

// RocksDB configures the object that it was given, and that is everybody's.
TEST(FsErrorTest, NobodyConfiguresThatEnv) {
  rocksdb::ConfigOptions config;
  config.registry->AddLibrary("uringfs", &register_uringfs, "");
  rocksdb::DBOptions options;
  const auto parse = [&](const std::string& env) {
    return rocksdb::GetDBOptionsFromString(config, rocksdb::DBOptions(),
                                           "env=" + env, &options);
  };
  for (const bool is_lax : {true, false}) {
    config.ignore_unsupported_options = is_lax;
    for (const char* more : {"file_system=posix", "target=posix", "no=1"}) {
      const rocksdb::Status status =
          parse(std::string("{id=uringfs://;") + more + "}");
      EXPECT_TRUE(status.IsInvalidArgument()) << status.ToString();
      EXPECT_THAT(status.ToString(), HasSubstr("env={id=uringfs://?"));
    }
    ASSERT_TRUE(parse("uringfs://").ok());
    EXPECT_STREQ(options.env->GetFileSystem()->Name(), "uringfs");
  }
}

// Whether the file holds the first `synced` pieces of 'x', and nothing else.
bool Holds(const std::string& path, size_t synced_bytes) {
  const std::string content = ReadWholeFile(path);
  return content.size() >= synced_bytes &&
         content.find_first_not_of('x') == std::string::npos;
}

// Args: file system, path. Appends beyond the file size limit.
int WriteBeyondTheLimit(const std::vector<std::string>& args) {
  std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit = {1 << 20, 1 << 20};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) {
    return 2;
  }
  const auto fs = MakeFs(args[0]);
  std::unique_ptr<rocksdb::FSWritableFile> file;
  if (!fs->NewWritableFile(args[1], rocksdb::FileOptions(), &file, nullptr)
           .ok()) {
    return 3;
  }
  const std::string piece(100000, 'x');
  size_t synced_bytes = 0;
  rocksdb::IOStatus status;
  for (int i = 0; i < 30 && status.ok(); ++i) {
    status = file->Append(piece, rocksdb::IOOptions(), nullptr);
    if (status.ok()) {
      status = file->Sync(rocksdb::IOOptions(), nullptr);
    }
    synced_bytes += status.ok() ? piece.size() : 0;
  }
  if (!status.IsIOError() || status.IsNoSpace()) {
    return 4;
  }
  // Sticky: nothing is acknowledged after it.
  if (file->Sync(rocksdb::IOOptions(), nullptr).ok()) {
    return 5;
  }
  if (file->Close(rocksdb::IOOptions(), nullptr).ok()) {
    return 6;
  }
  return synced_bytes > 0 && Holds(args[1], synced_bytes) ? 0 : 7;
}
const RegisterChild kWriteBeyondTheLimit("write_beyond_the_limit",
                                         &WriteBeyondTheLimit);

TEST(FsErrorTest, TheFileSizeLimitIsAStickyIoError) {
  const TempDir dir;
  for (const char* fs : {"uringfs_ring", "uringfs_pwrite"}) {
    for (const char* name : {"000004.log", "000007.sst"}) {
      ChildProcess child("write_beyond_the_limit", {fs, dir.File(name)});
      EXPECT_EQ(child.Wait(), 0) << fs << " " << name;
      EXPECT_LE(ReadWholeFile(dir.File(name)).size(), 1u << 20);
    }
  }
}

// Args: file system, path. Appends and syncs until the disk is full.
int FillTheDisk(const std::vector<std::string>& args) {
  const auto fs = MakeFs(args[0]);
  std::unique_ptr<rocksdb::FSWritableFile> file;
  if (!fs->NewWritableFile(args[1], rocksdb::FileOptions(), &file, nullptr)
           .ok()) {
    return 3;
  }
  const std::string piece(1 << 20, 'x');
  size_t synced_bytes = 0;
  rocksdb::IOStatus status;
  for (int i = 0; i < 100 && status.ok(); ++i) {
    status = file->Append(piece, rocksdb::IOOptions(), nullptr);
    if (status.ok()) {
      status = file->Sync(rocksdb::IOOptions(), nullptr);
    }
    synced_bytes += status.ok() ? piece.size() : 0;
  }
  if (!status.IsNoSpace() || !status.GetRetryable()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 4;
  }
  // Ours is sticky; posix forgets.
  const bool forgets = file->Sync(rocksdb::IOOptions(), nullptr).ok();
  if (forgets && args[0] != "posix") {
    return 5;
  }
  file.reset();
  return synced_bytes > 0 && Holds(args[1], synced_bytes) ? 0 : 6;
}
const RegisterChild kFillTheDisk("fill_the_disk", &FillTheDisk);

TEST(FsErrorTest, AFullDiskIsNoSpaceAndRetryable) {
  const TempDir dir;
  const SmallDisk disk(dir);
  if (!disk.mounted()) {
    GTEST_SKIP() << "cannot mount an ext4 image (needs root and mkfs.ext4)";
  }
  for (const char* fs : {"posix", "uringfs_ring", "uringfs_pwrite"}) {
    for (const char* name : {"000004.log", "000007.sst"}) {
      ChildProcess child("fill_the_disk", {fs, disk.File(name)});
      EXPECT_EQ(child.Wait(), 0) << fs << " " << name;
      EXPECT_EQ(::unlink(disk.File(name).c_str()), 0);
      // What was acknowledged and found no space.
      (void)::unlink(SideFilePath(disk.File(name)).c_str());
    }
  }
}

// What was promised and found no place is no end of the log: a checkpoint that
// took it for one would say OK with less.
TEST(FsErrorTest, AWalThatCannotBeWrittenIsNoShorterLog) {
  const TempDir dir;
  const std::string path = dir.File("000004.log");
  const auto fs = MakeFs("uringfs_ring");
  const rocksdb::IOOptions io;
  const rocksdb::FileOptions options;
  std::unique_ptr<rocksdb::FSWritableFile> file;
  ASSERT_TRUE(fs->NewWritableFile(path, options, &file, nullptr).ok());
  uint64_t size = 0;
  std::unique_ptr<rocksdb::FSSequentialFile> earlier;
  ASSERT_TRUE(fs->NewSequentialFile(path, options, &earlier, nullptr).ok());
  {
    const ScopedFileSizeLimit limit(8192);
    ASSERT_TRUE(file->Append(test::Pattern(5000), io, nullptr).ok());
    ASSERT_TRUE(file->Flush(io, nullptr).ok());
    ASSERT_TRUE(file->Append(std::string(9000, 'y'), io, nullptr).ok());
    ASSERT_TRUE(file->Flush(io, nullptr).ok());
    const rocksdb::IOStatus status = fs->GetFileSize(path, io, &size, nullptr);
    EXPECT_THAT(status.ToString(), HasSubstr("RLIMIT_FSIZE"));
    // RocksDB may be told to pass over errors of a read.
    std::unique_ptr<rocksdb::FSSequentialFile> reader;
    EXPECT_THAT(
        fs->NewSequentialFile(path, options, &reader, nullptr).ToString(),
        HasSubstr("RLIMIT_FSIZE"));
    std::string scratch(20000, '\0');
    rocksdb::Slice result;
    EXPECT_FALSE(
        earlier->Read(scratch.size(), io, &result, scratch.data(), nullptr)
            .ok());
  }
  EXPECT_FALSE(file->Close(io, nullptr).ok());
  file.reset();
  // Now there is a place.
  ASSERT_TRUE(fs->GetFileSize(path, io, &size, nullptr).ok());
  EXPECT_EQ(size, 14000u);
}

}  // namespace
}  // namespace uringfs::test
