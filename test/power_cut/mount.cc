// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Runs a command with a disk image mounted, in a mount namespace of its own:
//
//   power_cut_mount --fs=ext4 --image=FILE --at=DIR COMMAND [ARGUMENT...]
//
// What is mounted is a copy of the image in memory. Nothing is left behind,
// however this process ends. Exit code: the command's; 121 if the image
// cannot be mounted, 122 if something else cannot be had.
//
//   power_cut_mount --stay --fs=ext4 --image=FILE --at=DIR
//
// mounts the image itself, for the caller's namespace, and prints the loop
// device. That one goes when it is unmounted, or the namespace ends.

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "gflags/gflags.h"

DEFINE_string(fs, "ext4", "file system of the image");
DEFINE_string(image, "", "disk image; stays as it is");
DEFINE_string(at, "", "directory to mount it at");
DEFINE_string(loop, "", "loop device to use if nobody else does");
DEFINE_string(options, "", "for the file system");
DEFINE_bool(stay, false, "mount the image itself, and leave it mounted");
DEFINE_string(boot_id, "", "file with the boot id that the command sees");

namespace {

constexpr int kCannotMount = 121;
constexpr int kCannotStart = 122;

[[noreturn]] void Die(const std::string& what, int code = kCannotStart) {
  std::fprintf(stderr, "power_cut_mount: %s: %s\n", what.c_str(),
               std::strerror(errno));
  std::exit(code);
}

// A file in memory with the bytes of the image and its holes.
int CopyOfImage() {
  const int from = ::open(FLAGS_image.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info = {};
  if (from < 0 || ::fstat(from, &info) != 0) {
    Die(FLAGS_image);
  }
  const int to = ::memfd_create("image", MFD_CLOEXEC);
  if (to < 0 || ::ftruncate(to, info.st_size) != 0) {
    Die("memfd_create");
  }
  std::vector<char> bytes(1 << 20);
  off_t at = 0;
  while ((at = ::lseek(from, at, SEEK_DATA)) >= 0) {
    const off_t end = ::lseek(from, at, SEEK_HOLE);
    while (at < end) {
      const size_t want = std::min(bytes.size(), static_cast<size_t>(end - at));
      const ssize_t got = ::pread(from, bytes.data(), want, at);
      if (got <= 0 ||
          ::pwrite(to, bytes.data(), static_cast<size_t>(got), at) != got) {
        Die("copy of " + FLAGS_image);
      }
      at += got;
    }
  }
  ::close(from);
  return to;
}

bool Attach(const std::string& name, int image, int* device) {
  *device = ::open(name.c_str(), O_RDWR | O_CLOEXEC);
  if (*device < 0) {
    return false;
  }
  loop_config config = {};
  config.fd = static_cast<__u32>(image);
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  if (FLAGS_stay) {  // many requests at once, as a disk has them
    config.info.lo_flags |= LO_FLAGS_DIRECT_IO;
  }
  if (::ioctl(*device, LOOP_CONFIGURE, &config) == 0) {
    return true;
  }
  ::close(*device);
  return false;
}

// The device's name. It goes when it is unmounted and *device is closed.
std::string AttachAny(int image, int* device) {
  if (!FLAGS_loop.empty() && Attach(FLAGS_loop, image, device)) {
    return FLAGS_loop;
  }
  const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  for (int tries = 0; tries < 200; ++tries) {
    const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
    const std::string name = "/dev/loop" + std::to_string(number);
    if (number >= 0 && Attach(name, image, device)) {
      ::close(control);
      return name;
    }
    ::usleep(10000);  // somebody else was faster
  }
  Die("no loop device");
}

// Returns the name of the loop device.
std::string Mount(int image) {
  int device = -1;
  const std::string name = AttachAny(image, &device);
  ::close(image);
  std::string options = FLAGS_options;
  if (FLAGS_fs == "xfs") {
    options += options.empty() ? "nouuid" : ",nouuid";
  }
  if (::mount(name.c_str(), FLAGS_at.c_str(), FLAGS_fs.c_str(), 0,
              options.c_str()) != 0) {
    Die("mount of " + FLAGS_image, kCannotMount);
  }
  ::close(device);
  return name;
}

int Stay() {
  const int image = ::open(FLAGS_image.c_str(), O_RDWR | O_CLOEXEC);
  if (image < 0) {
    Die(FLAGS_image);
  }
  std::printf("%s\n", Mount(image).c_str());
  return 0;
}

int RunCommand(char** command) {
  const pid_t child = ::fork();
  if (child < 0) {
    Die("fork");
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::execvp(command[0], command);
    std::perror(command[0]);
    ::_exit(kCannotStart);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  if (FLAGS_stay) {
    return Stay();
  }
  if (argc < 2) {
    std::fprintf(stderr, "power_cut_mount: no command\n");
    return kCannotStart;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    Die("a mount namespace");
  }
  if (!FLAGS_boot_id.empty() &&
      ::mount(FLAGS_boot_id.c_str(), "/proc/sys/kernel/random/boot_id", nullptr,
              MS_BIND, nullptr) != 0) {
    Die("another boot id");
  }
  Mount(CopyOfImage());
  const int code = RunCommand(argv + 1);
  if (::umount2(FLAGS_at.c_str(), 0) != 0) {
    Die("umount");
  }
  return code;
}
