// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// liburingfs.so: what is preloaded. It needs no RocksDB, so that it brings none
// into a program that has another one or none at all. It looks which RocksDB
// the program has and opens the module that was built for that release:
//
//   liburingfs.so
//   uringfs/librocksdb.so.7.8/liburingfs_module.so
//   uringfs/librocksdb.so.9.10/liburingfs_module.so
//
// Where there is none it says so in one line, and the program runs as without
// it. A program without RocksDB hears nothing.

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>

#include "module.h"

// As much of RocksDB as is needed to define Default() once more: a preloaded
// object comes first where symbols are looked up.
namespace rocksdb {
class FileSystem {
 public:
  static std::shared_ptr<FileSystem> Default();
};
}  // namespace rocksdb

namespace uringfs {
namespace {

// std::string GetRocksVersionAsString(bool with_patch).
constexpr char kVersionSymbol[] =
    "_ZN7rocksdb23GetRocksVersionAsStringB5cxx11Eb";
constexpr char kDefaultSymbol[] = "_ZN7rocksdb10FileSystem7DefaultEv";

constexpr char kModuleName[] = "liburingfs_module.so";

using FileSystemPtr = std::shared_ptr<rocksdb::FileSystem>;

struct RocksDb {
  void* version = nullptr;  // null if it is older than that
  void* default_file_system = nullptr;
  std::string object;  // a shared object that sees it; "": the program
};

bool IsAskedFor() { return !WantedDefault().empty(); }

void Say(const std::string& what) {
  static std::atomic<bool> has_spoken{false};
  if (!has_spoken.exchange(true)) {
    std::fprintf(stderr,
                 "uringfs: %s; RocksDB runs as without uringfs (run `uringfs "
                 "recover` for databases that were killed on it)\n",
                 what.c_str());
  }
}

// Beside the object itself, to which symbolic links may lead.
const std::string& ModuleDirectory() {
  static const std::string* const directory = [] {
    Dl_info info = {};
    ::dladdr(kDefaultSymbol, &info);
    const std::unique_ptr<char, void (*)(void*)> path(
        ::realpath(info.dli_fname, nullptr), &std::free);
    const std::string whole = path != nullptr ? path.get() : info.dli_fname;
    return new std::string(whole.substr(0, whole.find_last_of('/') + 1) +
                           "uringfs/");
  }();
  return *directory;
}

std::string VersionOf(const void* function) {
  using Function = std::string (*)(bool);
  return reinterpret_cast<Function>(const_cast<void*>(function))(false);
}

// uringfs was asked for, is there, and cannot be had. RocksDB's own file system
// would open a database that was killed on uringfs with less than it
// acknowledged, and there is no other way to tell the program.
[[noreturn]] void Refuse(const std::string& why) {
  std::fprintf(stderr,
               "uringfs: nothing is opened, and the process ends: environment "
               "variable %s asks for uringfs, and %s. Mend that, or unset the "
               "variable to go without uringfs\n",
               kDefaultVariable, why.c_str());
  std::_Exit(EXIT_FAILURE);
}

// Whether the modules are there, and only none for this release.
bool IsForOtherReleases(const std::filesystem::path& of_release) {
  namespace files = std::filesystem;
  std::error_code error;
  // Not through a link, which may lead nowhere.
  if (files::symlink_status(of_release, error).type() !=
      files::file_type::not_found) {
    return false;  // a copy that broke off
  }
  for (const auto& entry :
       files::directory_iterator(ModuleDirectory(), error)) {
    if (files::exists(entry.path() / kModuleName, error)) {
      return true;
    }
  }
  return false;
}

// Whether the object goes as far as its header says. dlopen maps what is not
// there, too.
bool IsWhole(const std::string& path) {
  ElfW(Ehdr) header = {};
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(&header), sizeof(header))) {
    return true;  // dlopen knows that
  }
  std::error_code error;
  return header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize <=
         std::filesystem::file_size(path, error);
}

// The path of the module for that RocksDB, or "": there is none.
std::string ModuleFor(const void* version) {
  const std::string release = VersionOf(version);
  const std::string of_release = ModuleDirectory() + "librocksdb.so." + release;
  std::string path = of_release + "/" + kModuleName;
  if (::access(path.c_str(), R_OK) == 0) {
    return path;
  }
  const int error = errno;
  const std::string what = "this process runs RocksDB " + release +
                           ", and the module for it cannot be used: " + path +
                           ": " + std::generic_category().message(error);
  if (IsAskedFor() && !(error == ENOENT && IsForOtherReleases(of_release))) {
    Refuse(what);
  }
  Say(what);
  return "";
}

// Null if it cannot be used. It stays open for good.
void* OpenModule(const std::string& path) {
  const bool is_whole = IsWhole(path);
  void* const module =
      is_whole ? ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (module == nullptr) {
    const char* const error = is_whole ? ::dlerror() : nullptr;
    const std::string what =
        error != nullptr
            ? error
            : path + (is_whole ? " cannot be opened" : " is cut short");
    if (IsAskedFor()) {
      Refuse(what);
    }
    Say(what);
  }
  return module;
}

// Whether this object defines it. The address of ours would not tell: where
// the program exports its own, that comes first for us, too.
bool IsOfThisObject(const void* symbol) {
  Dl_info of_symbol = {};
  Dl_info of_this = {};
  return ::dladdr(symbol, &of_symbol) != 0 &&
         ::dladdr(&kDefaultSymbol, &of_this) != 0 &&
         of_symbol.dli_fbase == of_this.dli_fbase;
}

// The RocksDB that the code at `address` calls. What a program opens for itself
// alone (RTLD_LOCAL) may have one of its own, which RTLD_NEXT does not see.
RocksDb RocksDbOf(void* address) {
  RocksDb found;
  found.version = ::dlsym(RTLD_DEFAULT, kVersionSymbol);
  found.default_file_system = ::dlsym(RTLD_NEXT, kDefaultSymbol);
  Dl_info info = {};
  link_map* map = nullptr;
  if (::dladdr1(address, &info, reinterpret_cast<void**>(&map),
                RTLD_DL_LINKMAP) == 0 ||
      map == nullptr || map->l_name == nullptr || *map->l_name == '\0') {
    return found;  // the program itself
  }
  void* const object = ::dlopen(map->l_name, RTLD_NOLOAD | RTLD_LAZY);
  if (object == nullptr) {
    return found;
  }
  void* const own = ::dlsym(object, kDefaultSymbol);
  if (own != nullptr && !IsOfThisObject(own)) {
    found.default_file_system = own;
    found.version = ::dlsym(object, kVersionSymbol);
    found.object = map->l_name;
  }
  ::dlclose(object);
  return found;
}

// Whether a module that is opened now is bound to that RocksDB.
bool IsForAll(const RocksDb& rocksdb) {
  if (::dlsym(RTLD_DEFAULT, kVersionSymbol) == nullptr &&
      !rocksdb.object.empty()) {
    static_cast<void>(::dlopen(rocksdb.object.c_str(),
                               RTLD_NOLOAD | RTLD_LAZY | RTLD_GLOBAL));
  }
  return ::dlsym(RTLD_DEFAULT, kVersionSymbol) == rocksdb.version;
}

// What the module that is open makes of it, or null.
const void* AskModule(void* module, const RocksDb& rocksdb) {
  const auto function =
      reinterpret_cast<ModuleDefault>(::dlsym(module, kModuleDefault));
  return function != nullptr
             ? function(rocksdb.version, rocksdb.default_file_system)
             : nullptr;
}

// Null if RocksDB's own is to be taken.
const FileSystemPtr* DefaultOfModule(const RocksDb& rocksdb) {
  if (rocksdb.version == nullptr) {
    Say("the RocksDB of this process does not tell its release");
    return nullptr;
  }
  const std::string path = ModuleFor(rocksdb.version);
  if (path.empty()) {
    return nullptr;
  }
  const void* made = nullptr;
  if (IsForAll(rocksdb)) {
    void* const module = OpenModule(path);
    made = module != nullptr ? AskModule(module, rocksdb) : nullptr;
  }
  if (made == nullptr) {
    Refuse("this process has more than one RocksDB, and that of " +
           rocksdb.object + " is not the one that modules see");
  }
  return static_cast<const FileSystemPtr*>(made);
}

// A RocksDB that is linked so that it calls its own functions directly, and
// ours never.
void RefuseToBeDeaf(void* module) {
  const auto is_heard =
      reinterpret_cast<ModuleIsHeard>(::dlsym(module, kModuleIsHeard));
  if (is_heard != nullptr && !is_heard()) {
    Refuse(
        "the RocksDB of this process was linked so that its own functions "
        "cannot be replaced (-Bsymbolic). Name uringfs:// as its file system "
        "instead (--fs_uri)");
  }
}

const bool kIsLoaded = [] {
  // Before the program can go to another directory.
  ModuleDirectory();
  void* const version = ::dlsym(RTLD_DEFAULT, kVersionSymbol);
  if (version == nullptr) {
    return true;
  }
  const bool is_first = IsOfThisObject(::dlsym(RTLD_DEFAULT, kDefaultSymbol));
  if (!is_first && IsAskedFor()) {
    Say("this program has a RocksDB linked into it, or opened this object "
        "itself: its default file system cannot be replaced");
  }
  if (const std::string path = ModuleFor(version); !path.empty()) {
    void* const module = OpenModule(path);
    if (module != nullptr && is_first && IsAskedFor()) {
      RefuseToBeDeaf(module);
    }
  }
  return true;
}();

}  // namespace
}  // namespace uringfs

void uringfs_preload() {}

namespace rocksdb {

// THREADS: any.
__attribute__((visibility("default"))) std::shared_ptr<FileSystem>
FileSystem::Default() {
  const uringfs::RocksDb rocksdb =
      uringfs::RocksDbOf(__builtin_return_address(0));
  if (rocksdb.default_file_system == nullptr) {
    // Nobody without a RocksDB can call this.
    std::fprintf(stderr, "uringfs: RocksDB's default file system is missing\n");
    std::abort();
  }
  if (uringfs::IsAskedFor()) {
    if (const auto* const made = uringfs::DefaultOfModule(rocksdb)) {
      return *made;
    }
  }
  using Function = uringfs::FileSystemPtr (*)();
  return reinterpret_cast<Function>(rocksdb.default_file_system)();
}

}  // namespace rocksdb
