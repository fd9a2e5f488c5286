// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include "src/tool/commands.h"
#include "src/tool/json.h"
#include "src/tool/patient.h"

namespace uringfs::tool {
namespace {

std::string OwnUring(const RocksDbFound& rocksdb, const Patient& patient) {
  if (!rocksdb.has_own_uring) {
    return "not compiled in";
  }
  return patient.switches_own_uring_on
             ? "compiled in, and the program has the switch for it"
             : "compiled in, and not switched on";
}

std::string StateOf(const Patient& patient) {
  if (!patient.module.empty()) {
    return "loaded, " + patient.module;
  }
  if (!patient.why_not.empty()) {
    return "cannot be loaded: " + patient.why_not;
  }
  return patient.has_preload ? "preloaded, and no module was opened (see what "
                               "it said on stderr)"
                             : "not loaded, and could be";
}

// What to do, and what that brings; empty: nothing.
std::vector<std::string> Advice(const Patient& patient) {
  std::vector<std::string> advice;
  const bool is_asked_for =
      !patient.default_variable.empty() && patient.default_variable != "0";
  bool has_posix = !patient.is_process;
  for (const DatabaseFound& database : patient.databases) {
    has_posix = has_posix || database.by_uringfs.empty();
  }
  if (!patient.why_not.empty() || !has_posix) {
    return advice;
  }
  advice.push_back(
      patient.module.empty() ? "start it with LD_PRELOAD=" + patient.preload +
                                   " and URINGFS_DEFAULT=1 in its environment"
      : is_asked_for
          ? "it names a file system of its own; name uringfs:// there"
          : "set URINGFS_DEFAULT=1 in its environment, or name uringfs:// as "
            "its file system");
  advice.push_back(
      "synced writes would wait for one device flush, without the file "
      "system's journal; unsynced ones would make no system call, and still "
      "survive kill -9");
  for (const RocksDbFound& rocksdb : patient.rocksdbs) {
    if (!rocksdb.has_own_uring || !patient.switches_own_uring_on) {
      advice.push_back(
          "a MultiGet would read its blocks from the device together, which "
          "this RocksDB does not do by itself");
      break;
    }
  }
  if (!patient.why_no_uring.empty()) {
    advice.push_back("here without io_uring (" + patient.why_no_uring +
                     "): writes would go by pwrite, as fast; reads one by one");
  }
  return advice;
}

std::string Line(const char* name, const std::string& text) {
  return "  " + std::string(name) +
         std::string(12 - std::min<size_t>(11, std::string(name).size()), ' ') +
         text + "\n";
}

std::string FilesOf(const DatabaseFound& database) {
  std::string text;
  for (const auto& [way, count] : database.files) {
    text += (text.empty() ? "" : "; ") + std::to_string(count) + " " + way;
  }
  return text;
}

std::string ToText(const Patient& patient) {
  std::string text = patient.name + "\n";
  if (patient.is_process) {
    text += Line("program", patient.program);
  }
  for (const RocksDbFound& rocksdb : patient.rocksdbs) {
    text += Line("rocksdb",
                 (rocksdb.version.empty() ? "of a release that is not known"
                                          : rocksdb.version) +
                     (rocksdb.is_library    ? ", shared: "
                      : rocksdb.is_exported ? ", linked into and exported by "
                                            : ", linked into ") +
                     rocksdb.path);
    text += Line("  io_uring", OwnUring(rocksdb, patient));
  }
  text += Line("uringfs", StateOf(patient));
  text += Line("kernel", patient.why_no_uring.empty()
                             ? "grants io_uring here"
                             : "no io_uring here: " + patient.why_no_uring);
  for (const DatabaseFound& database : patient.databases) {
    text += Line("database", database.path);
    text += Line("  goes", database.by_uringfs.empty()
                               ? "by RocksDB's own file system, or another one"
                               : "through uringfs " + database.by_uringfs);
    text += Line("  open", FilesOf(database));
  }
  for (const std::string& advice : Advice(patient)) {
    text += Line("advice", advice);
  }
  for (const std::string& note : patient.notes) {
    text += Line("not known", note);
  }
  return text;
}

void AddTo(JsonArray* array, const Patient& patient) {
  JsonObject whole;
  whole.Add("kind", patient.is_process ? "process" : "program")
      .Add("name", patient.name)
      .Add("program", patient.program)
      .AddBool("is_loaded", !patient.module.empty())
      .AddBool("is_preloaded", patient.has_preload)
      .AddBool("can_be_loaded", patient.why_not.empty())
      .Add("why_not", patient.why_not)
      .Add("module", patient.module)
      .Add("preload", patient.preload)
      .Add("default", patient.default_variable)
      .AddBool("has_io_uring_open", patient.has_uring)
      .Add("why_no_io_uring", patient.why_no_uring);
  array->Add(whole);
  for (const RocksDbFound& rocksdb : patient.rocksdbs) {
    array->Add(JsonObject()
                   .Add("kind", "rocksdb")
                   .Add("path", rocksdb.path)
                   .Add("version", rocksdb.version)
                   .AddBool("is_library", rocksdb.is_library)
                   .AddBool("is_exported", rocksdb.is_exported)
                   .AddBool("has_own_io_uring", rocksdb.has_own_uring)
                   .AddBool("switches_it_on", patient.switches_own_uring_on));
  }
  for (const DatabaseFound& database : patient.databases) {
    array->Add(JsonObject()
                   .Add("kind", "database")
                   .Add("path", database.path)
                   .Add("version", database.version)
                   .Add("uringfs", database.by_uringfs)
                   .Add("files", FilesOf(database)));
  }
  const auto add_texts = [array](const char* kind,
                                 const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      array->Add(JsonObject().Add("kind", kind).Add("text", text));
    }
  };
  add_texts("advice", Advice(patient));
  add_texts("note", patient.notes);
}

}  // namespace

ExitCode Doctor(const std::vector<std::string>& names, bool as_json) {
  std::string text;
  JsonArray objects;
  ExitCode code = kDone;
  for (const std::string& name : names) {
    Patient patient;
    std::string complaint;
    const int error = Examine(name, &patient, &complaint);
    if (error != 0) {
      std::cerr << "uringfs: " << complaint << ": "
                << std::generic_category().message(error)
                << (error == EACCES || error == EPERM
                        ? " (try as its user, or as root)"
                        : "")
                << "\n";
      code = kIoError;
      continue;
    }
    text += ToText(patient);
    AddTo(&objects, patient);
  }
  std::cout << (as_json ? objects.ToString() : text);
  return code;
}

}  // namespace uringfs::tool
