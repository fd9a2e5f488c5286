// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/tool/patient.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include "src/tool/elf_look.h"
#include "src/tool/loader_list.h"
#include "src/tool/process_look.h"

namespace uringfs::tool {
namespace {

namespace files = std::filesystem;

constexpr char kPreloadName[] = "liburingfs.so";
constexpr char kModuleName[] = "liburingfs_module.so";
constexpr char kLibraryName[] = "librocksdb.so.";
constexpr size_t kLogBytes = size_t{64} << 10;

std::string NameOf(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

std::string FolderOf(const std::string& path) {
  return path.substr(0, path.find_last_of('/'));
}

// `7.8.3` of `librocksdb.so.7.8.3`.
std::string VersionOfLibrary(const std::string& path) {
  std::error_code error;
  const std::string real = files::canonical(path, error).string();
  const std::string name = NameOf(error ? path : real);
  return name.rfind(kLibraryName, 0) == 0
             ? name.substr(sizeof(kLibraryName) - 1)
             : "";
}

// `7.8` of `7.8.3`.
std::string ReleaseOf(const std::string& version) {
  const size_t dot = version.find('.');
  const size_t next = version.find('.', dot == std::string::npos ? 0 : dot + 1);
  return dot == std::string::npos ? "" : version.substr(0, next);
}

std::string WhyNoUring() {
  // A struct io_uring_params, whose size is part of the kernel's interface.
  alignas(uint64_t) char params[120] = {};
  const auto fd = static_cast<int>(::syscall(__NR_io_uring_setup, 1, params));
  if (fd >= 0) {
    ::close(fd);
    return "";
  }
  return std::generic_category().message(errno);
}

// ---- objects

// `root`: in front of paths of another root directory.
void Add(const ElfLook& look, const std::string& root, const std::string& path,
         Patient* patient) {
  patient->switches_own_uring_on |= look.enables_own_uring;
  if (!look.has_rocksdb) {
    return;
  }
  RocksDbFound found;
  found.path = path;
  found.version = VersionOfLibrary(root + path);
  found.is_library = !found.version.empty();
  if (found.version.empty() && !look.rocksdb_tag.empty() &&
      look.rocksdb_tag.front() == 'v') {
    found.version = look.rocksdb_tag.substr(1);
  }
  found.is_exported = look.exports_rocksdb;
  found.has_own_uring = look.has_own_uring;
  patient->rocksdbs.push_back(found);
}

// What was seen of it; nothing if it cannot be read.
ElfLook LookAtObject(const std::string& root, const std::string& path,
                     Patient* patient) {
  ElfLook look;
  const int error = LookAtElf(root + path, &look);
  if (error == 0) {
    Add(look, root, path, patient);
  } else {
    patient->notes.push_back(path + ": " +
                             std::generic_category().message(error));
  }
  return look;
}

// ---- what is installed here

std::vector<std::string> ReleasesBeside(const std::string& preload) {
  std::vector<std::string> releases;
  std::error_code error;
  for (files::directory_iterator it(FolderOf(preload) + "/uringfs", error), end;
       !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code none;
    if (name.rfind(kLibraryName, 0) == 0 &&
        files::exists(it->path() / kModuleName, none)) {
      releases.push_back(name.substr(sizeof(kLibraryName) - 1));
    }
  }
  std::sort(releases.begin(), releases.end());
  return releases;
}

// Where it is installed, or where it was built.
void FindPreload(Patient* patient) {
  std::error_code error;
  const files::path here =
      files::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* const way :
       {"../" URINGFS_LIBDIR "/", "../../plugin/", "../lib/"}) {
    const files::path path = (here / way / kPreloadName).lexically_normal();
    if (files::exists(path, error)) {
      patient->preload = path.string();
      patient->releases = ReleasesBeside(patient->preload);
      return;
    }
  }
}

// ---- databases

// What a file is for RocksDB: "WAL", "table", "blob file"; else empty.
std::string KindOf(const std::string& name) {
  const size_t dot = name.find('.');
  const bool has_number = dot != std::string::npos && dot > 0 &&
                          name.find_first_not_of("0123456789") == dot;
  const std::string suffix = has_number ? name.substr(dot) : "";
  return suffix == ".log"                       ? "WAL"
         : suffix == ".sst" || suffix == ".ldb" ? "table"
         : suffix == ".blob"                    ? "blob file"
                                                : "";
}

std::string WayOf(const OpenFile& file, const ProcessLook& process) {
  const std::string kind = KindOf(NameOf(file.path));
  if (process.mapped.count(file.path + ".uringfs") > 0) {
    return kind + " written, with a side file";
  }
  return kind + (file.is_written ? " written" : " read") +
         (file.is_direct ? ", direct" : ", through the page cache");
}

// The words behind `text` in its line; empty if it is not there.
std::string RestOfLine(const std::string& log, const std::string& text) {
  const size_t at = log.find(text);
  return at == std::string::npos
             ? ""
             : log.substr(at + text.size(),
                          log.find('\n', at) - at - text.size());
}

void ReadLog(const std::string& path, DatabaseFound* database) {
  std::string log(kLogBytes, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(log.data(), static_cast<std::streamsize>(log.size()));
  log.resize(static_cast<size_t>(file.gcount()));
  database->version = RestOfLine(log, "RocksDB version: ");
  const std::string said = RestOfLine(log, " uringfs ");
  database->by_uringfs = said.substr(0, said.find("; options"));
}

// Of the database in that directory. Somebody else who only tries to open it
// renames it.
bool IsInfoLog(const std::string& name) {
  return name == "LOG" || name.rfind("LOG.old.", 0) == 0;
}

// The one in a db_log_dir, which is named after the database's path.
DatabaseFound LogOfDatabase(const std::map<std::string, DatabaseFound>& logs,
                            const std::string& path) {
  std::string prefix;
  for (const char c : path) {
    const bool stays = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                       c == '-' || c == '.' || c == '_';
    prefix += stays ? std::string(1, c) : prefix.empty() ? "" : "_";
  }
  prefix += "_LOG";
  for (const auto& [name, log] : logs) {
    if (name.rfind(prefix, 0) == 0) {
      return log;
    }
  }
  return {};
}

void FindDatabases(const ProcessLook& process, Patient* patient) {
  std::map<std::string, DatabaseFound> logs;
  std::map<std::string, DatabaseFound> found;
  std::set<std::pair<std::string, std::string>> counted;
  for (const OpenFile& file : process.files) {
    DatabaseFound& database = found[FolderOf(file.path)];
    const std::string name = NameOf(file.path);
    if (IsInfoLog(name) && file.is_written) {
      ReadLog(process.root + file.path, &database);
    } else if (name.find("_LOG") != std::string::npos && file.is_written) {
      ReadLog(process.root + file.path, &logs[name]);
    } else if (!KindOf(name).empty()) {
      // A file may be open several times.
      const std::string way = WayOf(file, process);
      database.files[way] += counted.emplace(file.path, way).second ? 1 : 0;
    }
  }
  for (auto& [path, database] : found) {
    if (database.version.empty()) {
      const DatabaseFound elsewhere = LogOfDatabase(logs, path);
      database.version = elsewhere.version;
      database.by_uringfs = elsewhere.by_uringfs;
    }
    if (!database.files.empty() || !database.version.empty()) {
      database.path = path;
      patient->databases.push_back(database);
    }
  }
}

// ---- verdict

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

std::string WhyNotThisOne(const RocksDbFound& rocksdb, const Patient& patient) {
  if (!rocksdb.is_exported) {
    return "its RocksDB is linked into " + rocksdb.path +
           " and not exported, so nobody can register a file system there";
  }
  const std::string release = ReleaseOf(rocksdb.version);
  const auto& all = patient.releases;
  if (!release.empty() &&
      std::find(all.begin(), all.end(), release) == all.end()) {
    return "no module for RocksDB " + release + " is installed (there is " +
           (all.empty() ? "none" : "one for " + Joined(all)) + ")";
  }
  return "";
}

// The objects are known.
std::string WhyNot(const ElfLook& program, const Patient& patient) {
  if (!patient.module.empty()) {
    return "";
  }
  if (program.is_elf && program.is_program && program.interpreter.empty()) {
    return "it is linked statically, and no object can be preloaded";
  }
  struct stat stat = {};
  if (!patient.is_process && ::stat(patient.program.c_str(), &stat) == 0 &&
      (stat.st_mode & (S_ISUID | S_ISGID)) != 0) {
    return "it changes its user or group, and such programs ignore LD_PRELOAD";
  }
  if (patient.rocksdbs.empty()) {
    return patient.is_process
               ? "there is no RocksDB in it"
               : "there is no RocksDB in it; if it opens one when it runs, "
                 "name that object, or the process";
  }
  std::string why;
  for (const RocksDbFound& rocksdb : patient.rocksdbs) {
    why = WhyNotThisOne(rocksdb, patient);
    if (why.empty()) {
      return patient.preload.empty() ? "no liburingfs.so is beside this tool"
                                     : "";
    }
  }
  return why;
}

// ---- the two kinds of patients

int ExamineProcess(pid_t pid, Patient* patient, std::string* complaint) {
  ProcessLook process;
  *complaint = "process " + std::to_string(pid);
  const int error = LookAtProcess(pid, &process);
  if (error != 0) {
    return error;
  }
  patient->is_process = true;
  patient->name = "process " + std::to_string(pid) + " (" + process.name + ")";
  patient->program = process.program;
  patient->default_variable = process.default_variable;
  patient->has_uring = process.has_uring;
  ElfLook program;
  for (const std::string& path : process.objects) {
    if (NameOf(path) == kPreloadName) {
      patient->has_preload = true;
    } else if (NameOf(path) == kModuleName) {
      patient->module = path;
    } else {
      ElfLook look = LookAtObject(process.root, path, patient);
      program = path == process.program ? std::move(look) : program;
    }
  }
  FindDatabases(process, patient);
  for (RocksDbFound& rocksdb : patient->rocksdbs) {
    if (rocksdb.version.empty() && patient->rocksdbs.size() == 1 &&
        !patient->databases.empty()) {
      rocksdb.version = patient->databases.front().version;
    }
  }
  patient->why_not = WhyNot(program, *patient);
  return 0;
}

// Empty if there is none.
std::string FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    return name;
  }
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string whole = (folder.empty() ? "." : folder) + "/" + name;
    std::error_code error;
    if (::access(whole.c_str(), X_OK) == 0 &&
        files::is_regular_file(whole, error)) {
      return whole;
    }
  }
  std::error_code error;
  return files::exists(name, error) ? "./" + name : "";
}

int ExamineProgram(const std::string& name, Patient* patient,
                   std::string* complaint) {
  const std::string path = FindProgram(name);
  *complaint =
      path.empty() ? name + ": no program of that name is in PATH" : path;
  if (path.empty()) {
    return ENOENT;
  }
  ElfLook program;
  const int error = LookAtElf(path, &program);
  if (error != 0) {
    return error;
  }
  if (!program.is_elf) {
    *complaint += program.script.empty()
                      ? ": no program or shared object of this machine's kind"
                      : ": a script; name what runs it (" + program.script +
                            "), or the process";
    return ENOEXEC;
  }
  patient->name = path;
  patient->program = path;
  Add(program, "", path, patient);
  std::vector<std::string> objects;
  std::vector<std::string> missing;
  if (!program.interpreter.empty() &&
      !ListObjects(program.interpreter, path, &objects, &missing)) {
    patient->notes.push_back("its dynamic loader " + program.interpreter +
                             " does not say which objects it needs");
  }
  if (program.interpreter.empty() && !program.needed.empty()) {
    patient->notes.push_back("what it needs itself was not looked at: " +
                             Joined(program.needed));
  }
  for (const std::string& object : objects) {
    (void)LookAtObject("", object, patient);
  }
  for (const std::string& object : missing) {
    patient->notes.push_back("it needs " + object + ", which is not found");
  }
  patient->why_not = WhyNot(program, *patient);
  return 0;
}

}  // namespace

int Examine(const std::string& name, Patient* patient, std::string* complaint) {
  *patient = Patient();
  patient->why_no_uring = WhyNoUring();
  FindPreload(patient);
  const bool is_number =
      !name.empty() && name.size() < 10 &&
      name.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? ExamineProcess(static_cast<pid_t>(std::stol(name)),
                                    patient, complaint)
                   : ExamineProgram(name, patient, complaint);
}

}  // namespace uringfs::tool
