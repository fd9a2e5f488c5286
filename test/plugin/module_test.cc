// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// liburingfs.so as a program loads it that does not link us: dlopen.

#include <dlfcn.h>
#include <rocksdb/convenience.h>
#include <rocksdb/file_system.h>

#include <memory>

#include "gtest/gtest.h"

namespace {

rocksdb::Status Create(std::shared_ptr<rocksdb::FileSystem>* fs) {
  return rocksdb::FileSystem::CreateFromString(rocksdb::ConfigOptions(),
                                               "uringfs://", fs);
}

TEST(ModuleTest, LoadingItIsEnoughAndClosingItDoesNoHarm) {
  std::shared_ptr<rocksdb::FileSystem> fs;
  // RocksDB answers OK and nothing for a name it does not know.
  ASSERT_TRUE(Create(&fs).ok());
  ASSERT_EQ(fs, nullptr);
  void* const module = ::dlopen(URINGFS_MODULE, RTLD_NOW);
  ASSERT_NE(module, nullptr) << ::dlerror();
  ASSERT_TRUE(Create(&fs).ok());
  ASSERT_NE(fs, nullptr);
  EXPECT_STREQ(fs->Name(), "uringfs");
  fs.reset();
  // The factories stay registered, so their code has to stay too.
  ASSERT_EQ(::dlclose(module), 0);
  ASSERT_TRUE(Create(&fs).ok());
  EXPECT_NE(fs, nullptr);
}

}  // namespace
