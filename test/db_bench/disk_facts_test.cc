// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What is told of disks and machines, from make-believe trees of /proc and
// /sys as kernels of several kinds lay them out.

#include "db_bench_ext/judge/disk_facts.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "test/support/temp_dir.h"

namespace uringfs::test {
namespace {

using bench::CountersOf;
using bench::DiskCounters;
using bench::DiskFacts;
using bench::FactsAt;

class DiskFactsTest : public testing::Test {
 protected:
  void Put(const std::string& path, const std::string& text) {
    const std::string file = dir_.path() + path;
    std::filesystem::create_directories(
        std::filesystem::path(file).parent_path());
    std::ofstream(file) << text;
  }

  void Link(const std::string& path, const std::string& target) {
    const std::string file = dir_.path() + path;
    std::filesystem::create_directories(
        std::filesystem::path(file).parent_path());
    std::filesystem::create_directory_symlink(target, file);
  }

  void PutMounts(const std::string& lines) {
    Put("/proc/self/mountinfo",
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n" +
            lines);
  }

  // A disk "vda" 254:0 of 1 GiB with a partition "vda1" 254:1.
  void PutDisk(const std::string& write_cache) {
    const std::string disk = "/sys/devices/pci0/virtio1/block/vda";
    Put(disk + "/size", "2097152\n");
    Put(disk + "/queue/write_cache", write_cache + "\n");
    Put(disk + "/queue/scheduler", "none [mq-deadline] kyber bfq\n");
    Put(disk + "/queue/fua", "1\n");
    Put(disk + "/queue/rotational", "1\n");
    Put(disk + "/device/model", "  Slow Disk 3000   \n");
    Put(disk + "/stat", "1 2 3 4 50 6 70 8 0 9 10 11 12 13 14 160 17\n");
    Put(disk + "/vda1/partition", "1\n");
    Put(disk + "/vda1/size", "2048\n");
    Link("/sys/dev/block/254:0", "../../devices/pci0/virtio1/block/vda");
    Link("/sys/dev/block/254:1", "../../devices/pci0/virtio1/block/vda/vda1");
    Link("/sys/class/block/vda1", "../../devices/pci0/virtio1/block/vda/vda1");
    Link("/sys/block/vda", "../devices/pci0/virtio1/block/vda");
  }

  const std::string& root() const { return dir_.path(); }

 private:
  TempDir dir_;
};

TEST_F(DiskFactsTest, WholeDisk) {
  PutMounts("");
  PutDisk("write back");
  const DiskFacts facts = FactsAt("/data/db", makedev(254, 0), root());
  EXPECT_EQ(facts.file_system, "ext4");
  EXPECT_EQ(facts.mount_options, "rw,relatime,discard");
  EXPECT_EQ(facts.device, "vda");
  EXPECT_EQ(facts.model, "Slow Disk 3000");
  EXPECT_EQ(facts.write_cache, "write back");
  EXPECT_EQ(facts.scheduler, "mq-deadline");
  EXPECT_TRUE(facts.has_fua);
  EXPECT_TRUE(facts.is_rotational);
  EXPECT_EQ(facts.size_bytes, uint64_t{1} << 30);
  EXPECT_FALSE(IsNoDisk(facts));
}

TEST_F(DiskFactsTest, PartitionTellsItsDisk) {
  PutMounts("30 27 254:1 / /data rw,noatime - xfs /dev/vda1 rw,noquota\n");
  PutDisk("write back");
  const DiskFacts facts = FactsAt("/data/db", makedev(254, 1), root());
  EXPECT_EQ(facts.file_system, "xfs");
  EXPECT_EQ(facts.mount_options, "rw,noatime,noquota");
  EXPECT_EQ(facts.device, "vda");
  EXPECT_EQ(facts.size_bytes, uint64_t{1} << 30);
  EXPECT_TRUE(CountersOf(facts, root()).known);
}

TEST_F(DiskFactsTest, WriteThrough) {
  PutMounts("");
  PutDisk("write through");
  EXPECT_EQ(FactsAt("/data", makedev(254, 0), root()).write_cache,
            "write through");
}

TEST_F(DiskFactsTest, DeviceMapperStaysAsItIs) {
  PutMounts("30 27 253:0 / /data rw - ext4 /dev/mapper/vg-data rw\n");
  Put("/sys/devices/virtual/block/dm-0/dm/name", "vg-data\n");
  Put("/sys/devices/virtual/block/dm-0/queue/scheduler", "none\n");
  Link("/sys/dev/block/253:0", "../../devices/virtual/block/dm-0");
  const DiskFacts facts = FactsAt("/data", makedev(253, 0), root());
  EXPECT_EQ(facts.device, "dm-0");
  EXPECT_EQ(facts.model, "vg-data");
  EXPECT_EQ(facts.scheduler, "none");
  EXPECT_EQ(facts.write_cache, "");
  EXPECT_FALSE(facts.has_fua);
}

// btrfs has a device number of its own, in a subvolume one that no mount has.
TEST_F(DiskFactsTest, BtrfsByTheSourceOfItsMount) {
  PutMounts("30 27 0:40 /sub /data rw - btrfs /dev/vda1 rw,space_cache\n");
  PutDisk("write back");
  Put("/dev/vda1", "");
  for (const unsigned number : {40, 41}) {
    const DiskFacts facts = FactsAt("/data/db", makedev(0, number), root());
    EXPECT_EQ(facts.file_system, "btrfs") << number;
    EXPECT_EQ(facts.device, "vda") << number;
    EXPECT_FALSE(IsNoDisk(facts));
  }
}

TEST_F(DiskFactsTest, OverlayHasNoDisk) {
  PutMounts(
      "30 27 0:50 / /box rw,relatime - overlay overlay "
      "rw,lowerdir=/a:/b,upperdir=/c\n");
  PutDisk("write back");
  const DiskFacts facts = FactsAt("/box/data", makedev(0, 50), root());
  EXPECT_EQ(facts.file_system, "overlay");
  EXPECT_EQ(facts.device, "");
  EXPECT_EQ(facts.size_bytes, 0u);
  EXPECT_TRUE(IsNoDisk(facts));
  EXPECT_FALSE(CountersOf(facts, root()).known);
}

// A memory file system may be mounted with any source.
TEST_F(DiskFactsTest, TmpfsHasNoDisk) {
  PutMounts("30 27 0:25 / /dev/shm rw,nosuid - tmpfs /dev/vda1 rw,size=1k\n");
  PutDisk("write back");
  Put("/dev/vda1", "");
  const DiskFacts facts = FactsAt("/dev/shm", makedev(0, 25), root());
  EXPECT_EQ(facts.file_system, "tmpfs");
  EXPECT_EQ(facts.mount_options, "rw,nosuid,size=1k");
  EXPECT_EQ(facts.device, "");
  EXPECT_TRUE(IsNoDisk(facts));
}

TEST_F(DiskFactsTest, MemoryPosesAsDisk) {
  DiskFacts facts;
  facts.file_system = "ext4";
  facts.device = "zram0";
  EXPECT_TRUE(IsNoDisk(facts));
  facts.device = "nvme0n1";
  EXPECT_FALSE(IsNoDisk(facts));
  facts.file_system = "fuse.sshfs";
  EXPECT_TRUE(IsNoDisk(facts));
}

TEST_F(DiskFactsTest, EscapedMountPoint) {
  PutMounts(
      "30 27 254:1 / /mnt/my\\040disk\\134a rw shared:1 master:2 - xfs "
      "/dev/vda1 rw\n"
      "31 27 0:60 / /mnt/my rw - tmpfs none rw\n");
  PutDisk("write back");
  const DiskFacts facts =
      FactsAt("/mnt/my disk\\a/db", makedev(254, 1), root());
  EXPECT_EQ(facts.file_system, "xfs");
  EXPECT_EQ(facts.device, "vda");
}

// The later of two mounts at one point hides the other.
TEST_F(DiskFactsTest, LastOfEqualMounts) {
  PutMounts(
      "30 27 254:0 / /data rw - ext4 /dev/vda rw\n"
      "31 30 254:0 / /data ro - ext4 /dev/vda rw\n");
  PutDisk("write back");
  EXPECT_EQ(FactsAt("/data", makedev(254, 0), root()).mount_options, "ro,rw");
}

TEST_F(DiskFactsTest, NothingKnown) {
  const DiskFacts facts = FactsAt("/data", makedev(254, 0), root());
  EXPECT_EQ(facts.file_system, "");
  EXPECT_EQ(facts.device, "");
  EXPECT_FALSE(IsNoDisk(facts));
  EXPECT_EQ(bench::FactsOf(root() + "/missing").file_system, "");
}

TEST_F(DiskFactsTest, CountersAndTheirDifference) {
  PutDisk("write back");
  DiskFacts facts;
  facts.device = "vda";
  const DiskCounters earlier = CountersOf(facts, root());
  EXPECT_TRUE(earlier.known);
  EXPECT_EQ(earlier.writes, 50u);
  EXPECT_EQ(earlier.written_bytes, 70u * 512);
  EXPECT_TRUE(earlier.counts_flushes);
  EXPECT_EQ(earlier.flushes, 160u);
  Put("/sys/block/vda/stat", "1 2 3 4 55 6 78 8 0 9 10 11 12 13 14 163 17\n");
  const DiskCounters between = CountersOf(facts, root()) - earlier;
  EXPECT_TRUE(between.known);
  EXPECT_EQ(between.writes, 5u);
  EXPECT_EQ(between.written_bytes, 8u * 512);
  EXPECT_EQ(between.flushes, 3u);
  EXPECT_FALSE((between - DiskCounters()).known);
}

TEST_F(DiskFactsTest, CountersWithoutFlushes) {
  PutDisk("write back");
  Put("/sys/block/vda/stat", "1 2 3 4 50 6 70 8 0 9 10 11 12 13 14\n");
  DiskFacts facts;
  facts.device = "vda";
  const DiskCounters counters = CountersOf(facts, root());
  EXPECT_TRUE(counters.known);
  EXPECT_EQ(counters.written_bytes, 70u * 512);
  EXPECT_FALSE(counters.counts_flushes);
  EXPECT_EQ(counters.flushes, 0u);
  Put("/sys/block/vda/stat", "nothing\n");
  EXPECT_FALSE(CountersOf(facts, root()).known);
}

TEST_F(DiskFactsTest, Machine) {
  Put("/proc/cpuinfo",
      "processor\t: 0\nmodel name\t: Fast CPU 9\n\n"
      "processor\t: 1\nmodel name\t: Fast CPU 9\n");
  Put("/proc/meminfo", "MemTotal:       24683676 kB\nMemFree:  1 kB\n");
  Put("/etc/os-release", "NAME=Some\nPRETTY_NAME=\"Some System 12\"\n");
  const bench::MachineFacts facts = bench::FactsOfMachine(root());
  EXPECT_EQ(facts.cpu, "Fast CPU 9");
  EXPECT_EQ(facts.cpus, 2u);
  EXPECT_EQ(facts.memory_bytes, uint64_t{24683676} * 1024);
  EXPECT_EQ(facts.system, "Some System 12");
  EXPECT_NE(facts.kernel, "");
}

TEST_F(DiskFactsTest, ThisMachine) {
  EXPECT_NE(bench::FactsOf(root()).file_system, "");
  const bench::MachineFacts facts = bench::FactsOfMachine();
  EXPECT_NE(facts.cpu, "");
  EXPECT_LT(0u, facts.cpus);
  EXPECT_LT(0u, facts.memory_bytes);
}

TEST_F(DiskFactsTest, DropPageCache) {
  std::string why_not;
  EXPECT_FALSE(bench::DropPageCache(&why_not, root()));
  EXPECT_NE(why_not.find("drop_caches: No such file"), std::string::npos)
      << why_not;
  Put("/proc/sys/vm/drop_caches", "");
  EXPECT_TRUE(bench::DropPageCache(&why_not, root()));
  EXPECT_EQ(ReadWholeFile(root() + "/proc/sys/vm/drop_caches"), "1");
}

TEST_F(DiskFactsTest, SyncFileSystem) {
  std::string why_not;
  EXPECT_TRUE(bench::SyncFileSystem(root(), &why_not)) << why_not;
  EXPECT_FALSE(bench::SyncFileSystem(root() + "/missing", &why_not));
  EXPECT_NE(why_not.find("missing: No such file"), std::string::npos)
      << why_not;
}

}  // namespace
}  // namespace uringfs::test
