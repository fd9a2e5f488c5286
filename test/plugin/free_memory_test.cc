// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "plugin/free_memory.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "test/support/temp_dir.h"

#include "gtest/gtest.h"

namespace uringfs::test {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

class FreeMemoryTest : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = dir_.File(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  void WriteGroup(const std::string& group, const std::string& limit,
                  uint64_t used, uint64_t file) {
    Write("cgroup" + group + "/memory.max", limit + "\n");
    Write("cgroup" + group + "/memory.current", std::to_string(used) + "\n");
    Write("cgroup" + group + "/memory.stat",
          "anon 77\nfile " + std::to_string(file) + "\nfile_mapped 5\n");
  }

  void WriteMachine() {
    Write("proc/meminfo",
          "MemTotal:  4096 kB\nMemFree:      1024 kB\nMemAvailable: 3072 kB\n"
          "HugePages_Total:   0\n");
  }

  const TempDir dir_;
  const FreeMemory memory_{dir_.File("proc"), dir_.File("cgroup")};
};

TEST_F(FreeMemoryTest, WhereNobodySaysNothingIsUnusedAndNothingIsShort) {
  EXPECT_EQ(memory_.Unused(), 0u);
  EXPECT_EQ(memory_.Reclaimable(), UINT64_MAX);
}

TEST_F(FreeMemoryTest, TheMachineAlone) {
  WriteMachine();
  EXPECT_EQ(memory_.Unused(), kMiB);
  EXPECT_EQ(memory_.Reclaimable(), 3 * kMiB);
  Write("proc/self/cgroup", "0::/\n");
  EXPECT_EQ(memory_.Reclaimable(), 3 * kMiB);
}

TEST_F(FreeMemoryTest, EveryGroupAboveCounts) {
  WriteMachine();
  Write("proc/self/cgroup", "4:cpu:/other\n0::/outer/inner\n");
  WriteGroup("/outer/inner", "max", 900 * kMiB, 0);
  EXPECT_EQ(memory_.Reclaimable(), 3 * kMiB);
  // A quarter of it in use, by files all but 100 KiB.
  WriteGroup("/outer", std::to_string(2 * kMiB), kMiB / 2,
             kMiB / 2 - 100 * 1024);
  EXPECT_EQ(memory_.Reclaimable(), 2 * kMiB - 100 * 1024);
  EXPECT_EQ(memory_.Unused(), kMiB);
  WriteGroup("/outer/inner", std::to_string(kMiB), kMiB - 4096, kMiB - 8192);
  EXPECT_EQ(memory_.Reclaimable(), kMiB - 4096);
  EXPECT_EQ(memory_.Unused(), 4096u);
}

TEST_F(FreeMemoryTest, AGroupThatIsOverItsLimitHasNothing) {
  WriteMachine();
  Write("proc/self/cgroup", "0::/full\n");
  WriteGroup("/full", std::to_string(kMiB), 2 * kMiB, 0);
  EXPECT_EQ(memory_.Reclaimable(), 0u);
  EXPECT_EQ(memory_.Unused(), 0u);
}

TEST_F(FreeMemoryTest, TheRealOneSaysSomething) {
  const FreeMemory memory;
  // Neither is bound by the other: the kernel takes reserves off what is
  // available, not off what is free.
  const uint64_t all = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                       static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  for (const uint64_t bytes : {memory.Reclaimable(), memory.Unused()}) {
    EXPECT_GT(bytes, 0u);
    EXPECT_LE(bytes, all);
  }
}

}  // namespace
}  // namespace uringfs::test
