// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// uringfs: looks at, and recovers, what killed processes left behind; and looks
// at processes.

#include <gflags/gflags.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "src/tool/commands.h"

DEFINE_bool(json, false, "answer with a JSON array");
DEFINE_uint32(wait_ms, 10000, "recover: milliseconds to wait for a log");
DEFINE_bool(dry_run, false, "recover: say what would be done");
DEFINE_bool(accept, false, "recover: move what fits out of unusable files");
DEFINE_bool(discard, false, "recover: do without unusable files");
// Defined by gflags; its own help lists flags of its own and exits with 1.
DECLARE_bool(help);
DECLARE_bool(version);

namespace uringfs::tool {
namespace {

constexpr char kHelp[] =
    R"(Usage: uringfs inspect [--json] DIR...
  or:  uringfs recover [--dry_run] [--json] [--wait_ms=N] DIR...
  or:  uringfs recover --accept|--discard [--dry_run] [--json] DIR...
  or:  uringfs doctor [--json] PID|PROGRAM...

A RocksDB on uringfs keeps the end of each open write-ahead log in a side file,
NNNNNN.log.uringfs. A clean close removes it; a killed process leaves it.
Opening the database through uringfs recovers by itself. `recover` does it
before something else opens the database: RocksDB on posix, a copy, a backup.

  inspect   shows each side file in DIR, the verdict on it, the facts behind
            that (for bug reports), the bytes at stake and what `recover` would
            do; changes nothing
  recover   moves what side files of dead owners hold into their logs, makes
            the logs durable and removes the side files. Takes DIR/LOCK first,
            as RocksDB does, where it exists. May be killed and run again.
  doctor    says which RocksDB a process, a program or a shared object has,
            whether uringfs is loaded or could be, which databases go through
            it and which way, and what it would bring; changes nothing

For a database with a separate wal_dir give both directories in one command:
the side files are in the wal_dir, the LOCK in the other one. If only the other
one is given, both commands say so.

  --dry_run     only says what would be done (--dry-run is the same)
  --accept      of unusable side files: moves into the log what fits
  --discard     of unusable side files: leaves the log as it is. With either
                the side file is renamed to NNNNNN.log.uringfs.keptN, and the
                database opens, with less than was acknowledged unless the
                reason was a harmless one. Until the database was opened, the
                old name undoes it; afterwards nobody reads the copy any more
  --json        one object for each side file, in an array on stdout
  --wait_ms=N   how long to wait for last writes of a killed process to land
                (default 10000)
  --help, --version

Verdicts:
  owned     its owner holds the log
  whole     its owner is gone; together with the log it is all that was written
  older     the file system went down; the log counts, as after power loss
  idle      holds nothing
  foreign   another log's, or of a log that is gone; nothing of it is needed
  unusable  acknowledged bytes are missing in the log, and it cannot be applied.
            The database does not open until that is mended, or chosen

Exit status:
  0  recover: nothing is left to do; inspect: no side file needs recovery
  1  the command line makes no sense; nothing was done
  2  a side file is unusable and was left alone
  3  recover: somebody has the database or a log open
  4  a file, directory or process cannot be read or written; nothing is lost
  5  there are side files of dead owners; recover: in a directory of logs that
     the options of the database name, and that was not given
The largest that applies, but 5 only without another.
)";

int Misused(const std::string& complaint) {
  std::cerr << "uringfs: " << complaint << "; see uringfs --help\n";
  return kUsage;
}

int Dispatch(const std::vector<std::string>& words) {
  if (words.empty()) {
    return Misused("name a command: inspect, recover or doctor");
  }
  const std::string& command = words.front();
  if (command != "inspect" && command != "recover" && command != "doctor") {
    return Misused("there is no command '" + command +
                   "'; there are inspect, recover and doctor");
  }
  const std::vector<std::string> names(words.begin() + 1, words.end());
  if (names.empty()) {
    return Misused(command == "doctor"
                       ? "give the number of a process, or name a program"
                       : "name the directory to " + command);
  }
  for (const std::string& name : names) {
    if (name.empty()) {
      return Misused("a name is empty");
    }
  }
  if (command != "recover") {
    return FLAGS_accept || FLAGS_discard || FLAGS_dry_run
               ? Misused(command +
                         " changes nothing; those flags are recover's")
           : command == "doctor" ? Doctor(names, FLAGS_json)
                                 : Inspect(names, FLAGS_json);
  }
  if (FLAGS_accept && FLAGS_discard) {
    return Misused("--accept and --discard are two different ways out");
  }
  RecoverArgs args;
  args.as_json = FLAGS_json;
  args.wait_ms = FLAGS_wait_ms;
  args.is_dry_run = FLAGS_dry_run;
  args.unusable = FLAGS_accept    ? Unusable::kAccept
                  : FLAGS_discard ? Unusable::kDiscard
                                  : Unusable::kLeave;
  return Recover(names, args);
}

int Main(int argc, char** argv) {
  gflags::ParseCommandLineNonHelpFlags(&argc, &argv, /*remove_flags=*/true);
  int code = kDone;
  if (FLAGS_help) {
    std::cout << kHelp;
  } else if (FLAGS_version) {
    std::cout << "uringfs " << URINGFS_PROJECT_VERSION << "\n";
  } else {
    code = Dispatch({argv + 1, argv + argc});
  }
  if (!std::cout.flush()) {
    std::cerr << "uringfs: the answer cannot be written to stdout\n";
    return kIoError;
  }
  return code;
}

}  // namespace
}  // namespace uringfs::tool

int main(int argc, char** argv) { return uringfs::tool::Main(argc, argv); }
