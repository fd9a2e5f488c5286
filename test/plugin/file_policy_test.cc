// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "plugin/file_policy.h"

#include "gtest/gtest.h"

namespace uringfs {
namespace {

rdb::FileOptions Tagged(rdb::IOType type) {
  rdb::FileOptions options;
  options.io_options.type = type;
  return options;
}

TEST(FilePolicyTest, ManifestsByTagOrName) {
  EXPECT_TRUE(IsManifest("/db/any", Tagged(rdb::IOType::kManifest)));
  EXPECT_TRUE(IsManifest("/db/MANIFEST-000009", Tagged(rdb::IOType::kUnknown)));
  EXPECT_FALSE(
      IsManifest("/MANIFEST-1/CURRENT", Tagged(rdb::IOType::kUnknown)));
}

TEST(FilePolicyTest, TheTagDecides) {
  EXPECT_EQ(Classify("/db/x", Tagged(rdb::IOType::kWAL)), FileKind::kWal);
  EXPECT_EQ(Classify("/db/x", Tagged(rdb::IOType::kData)), FileKind::kData);
  EXPECT_EQ(Classify("/db/1.log", Tagged(rdb::IOType::kData)), FileKind::kData);
  EXPECT_EQ(Classify("/db/1.sst", Tagged(rdb::IOType::kManifest)),
            FileKind::kBase);
}

TEST(FilePolicyTest, WithoutATagTheNameDecides) {
  const rdb::FileOptions none;
  for (const char* wal :
       {"000004.log", "/db/000004.log", "/db/archive/9.log", "/x.sst/1.log"}) {
    EXPECT_EQ(Classify(wal, none), FileKind::kWal) << wal;
  }
  for (const char* data : {"/db/000007.sst", "7.ldb", "/out/any name.sst",
                           "/b/shared/00_s1_9.sst"}) {
    EXPECT_EQ(Classify(data, none), FileKind::kData) << data;
  }
  for (const char* base :
       {"/db/MANIFEST-000001", "/db/CURRENT", "/db/LOG", "/db/LOG.old.1",
        "/db/000002.dbtmp", "/db/OPTIONS-000003", "/db/IDENTITY", "/db/LOCK",
        "/db/7.sst.trash", "/db/7.sst.tmp", "/db/a1.log", "/db/.log",
        "/db/1a.log", "/db/.sst", "/db/000007.blob", "/db/1.log/x", "",
        "/db/"}) {
    EXPECT_EQ(Classify(base, none), FileKind::kBase) << base;
  }
}

TEST(FilePolicyTest, WhatJobsWriteNobodyReadsBeforeItIsSynced) {
  EXPECT_TRUE(IsReadOnlyOnceSynced(Tagged(rdb::IOType::kData)));
  EXPECT_FALSE(IsReadOnlyOnceSynced(rdb::FileOptions()));
  EXPECT_FALSE(IsReadOnlyOnceSynced(Tagged(rdb::IOType::kWAL)));
}

#if URINGFS_ROCKSDB_GE(11, 5)
TEST(FilePolicyTest, WhoPromisesNotToReadIsTakenAtHisWord) {
  using Contract = rdb::FileOpenContract;
  rdb::FileOptions options;
  options.open_contract = Contract::kNoReopenForWrite;
  EXPECT_FALSE(IsReadOnlyOnceSynced(options));
  options.open_contract |= Contract::kNoReadersWhileOpenForWrite;
  EXPECT_TRUE(IsReadOnlyOnceSynced(options));
}
#endif

TEST(FilePolicyTest, ABlobFileIsOursIfAJobWritesIt) {
  EXPECT_EQ(Classify("/db/1.blob", Tagged(rdb::IOType::kData)),
            FileKind::kData);
  EXPECT_EQ(Classify("/db/1.blob", rdb::FileOptions()), FileKind::kBase);
}

TEST(FilePolicyTest, OtherTagsLeaveItToTheName) {
  EXPECT_EQ(Classify("/db/1.log", Tagged(rdb::IOType::kMetadata)),
            FileKind::kWal);
  EXPECT_EQ(Classify("/db/x", Tagged(rdb::IOType::kLog)), FileKind::kBase);
}

TEST(FilePolicyTest, MmapWritesGoToTheBase) {
  rdb::FileOptions options = Tagged(rdb::IOType::kData);
  options.use_mmap_writes = true;
  EXPECT_EQ(Classify("/db/1.sst", options), FileKind::kBase);
}

TEST(FilePolicyTest, SideFilesAreTheBasesWhateverTheTag) {
  rdb::FileOptions options;
  EXPECT_EQ(Classify("/x/000004.log.uringfs", options), FileKind::kBase);
  options.io_options.type = rdb::IOType::kWAL;
  EXPECT_EQ(Classify("/x/000004.log.uringfs", options), FileKind::kBase);
}

TEST(FilePolicyTest, NamesOfWalsAndTheirDirectories) {
  EXPECT_TRUE(IsWalName("000004.log"));
  EXPECT_TRUE(IsWalName("/x/4.log"));
  EXPECT_FALSE(IsWalName("/x/LOG"));
  EXPECT_FALSE(IsWalName("/x/.log"));
  EXPECT_FALSE(IsWalName("/4.log/x"));
  EXPECT_TRUE(IsEarlierWal("/x/000009.log", "/x/000010.log"));
  EXPECT_TRUE(IsEarlierWal("/x/999999.log", "/x/1000000.log"));
  EXPECT_FALSE(IsEarlierWal("/x/000010.log", "/x/000010.log"));
  EXPECT_FALSE(IsEarlierWal("/x/000011.log", "/x/000010.log"));
  EXPECT_EQ(DirectoryOf("/x/y"), "/x");
  EXPECT_EQ(DirectoryOf("/x"), "/");
  EXPECT_EQ(DirectoryOf("y"), ".");
}

}  // namespace
}  // namespace uringfs
