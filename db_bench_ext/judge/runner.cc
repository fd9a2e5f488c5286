// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/runner.h"

#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "db_bench_ext/judge/text.h"

namespace uringfs::bench {
namespace {

constexpr double kProbeSeconds = 60;

uint64_t MicrosSince1970() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(
          std::chrono::system_clock::now().time_since_epoch())
          .count());
}

// Names that need no care in LD_PRELOAD and URINGFS_OPTIONS, wherever the
// directory is: programs run in it.
constexpr char kModuleLink[] = "./liburingfs.so";
constexpr char kStatsFile[] = "stats";
constexpr double kBesideSeconds = 2;

}  // namespace

Runner::Runner(Tools tools, std::string directory,
               const std::atomic<bool>& stop)
    : tools_(std::move(tools)),
      directory_(std::move(directory)),
      stop_(stop),
      disk_(FactsOf(directory_)) {
  std::error_code error;
  if (!tools_.module.empty()) {
    std::filesystem::create_symlink(std::filesystem::absolute(tools_.module),
                                    Path(kModuleLink), error);
  }
}

std::string Runner::Path(const std::string& name) const {
  return directory_ + "/" + name;
}

Command Runner::CommandFor(const Candidate& candidate) const {
  Command command;
  command.directory = directory_;
  command.output = Path("output");
  if (candidate.is_uringfs) {
    if (!tools_.module.empty()) {
      command.environment.push_back(std::string("LD_PRELOAD=") + kModuleLink);
    }
    std::string options = std::string("stats_file=") + kStatsFile;
    for (const std::string& more :
         {tools_.uringfs_options, candidate.options}) {
      options += more.empty() ? "" : ";" + more;
    }
    command.environment.push_back("URINGFS_OPTIONS=" + options);
  }
  return command;
}

Command Runner::DbBench(const Candidate& candidate) const {
  Command command = CommandFor(candidate);
  command.argv = {tools_.db_bench};
  if (candidate.is_uringfs) {
    command.argv.emplace_back("--fs_uri=uringfs://");
  }
  command.argv.insert(command.argv.end(), candidate.flags.begin(),
                      candidate.flags.end());
  return command;
}

Command Runner::CommandOf(const Workload& workload, const Candidate& candidate,
                          const std::vector<std::string>& flags,
                          const std::string& db, uint64_t seed) const {
  Command command;
  if (workload.program == "db_bench") {
    command = DbBench(candidate);
    command.argv.push_back("--db=" + db);
    command.argv.push_back("--seed=" + std::to_string(seed));
    command.argv.emplace_back("--histogram=1");
    command.argv.emplace_back(workload.has_series ? "--stats_interval_seconds=1"
                                                  : "--stats_per_interval=0");
  } else {
    command = CommandFor(candidate);
    command.argv = {tools_.programs + "/" + workload.program, "--dir=" + db,
                    candidate.is_uringfs ? "--fs=uringfs://" : "--fs=posix"};
  }
  command.argv.insert(command.argv.end(), flags.begin(), flags.end());
  return command;
}

bool Runner::Probe(std::string* version, std::string* error) {
  Command command;
  command.directory = directory_;
  command.output = Path("output");
  command.argv = {tools_.db_bench, "--version"};
  Ended ended = Run(command, kProbeSeconds, stop_);
  *version = ReadFile(command.output);
  *version = version->substr(0, version->find('\n'));
  version->erase(0, version->find_last_of(' ') + 1);
  if (!ended.is_ok) {
    *error = "there is no db_bench that runs ('" + tools_.db_bench +
             "': " + ended.how +
             "); Debian has it in the package rocksdb-tools, or give one by "
             "--db_bench=PATH";
    return false;
  }
  Candidate uringfs = AllCandidates()[0];
  uringfs.is_uringfs = true;
  command = DbBench(uringfs);
  const std::string db = Path("probe");
  command.argv.insert(command.argv.end(),
                      {"--db=" + db, "--benchmarks=fillseq", "--num=1"});
  Remove(Path(kStatsFile));
  ended = Run(command, kProbeSeconds, stop_);
  Remove(db);
  if (ended.is_ok && CheckUsed(/*has_written=*/true, error)) {
    return true;
  }
  *error = "db_bench cannot open uringfs:// (" +
           (ended.is_ok ? *error : ended.how) + "): " +
           (tools_.module.empty()
                ? "the plugin is not built into it, and --module is empty"
                : "it has to be linked with librocksdb.so for " +
                      tools_.module + " to be preloaded");
  return false;
}

void Runner::Remove(const std::string& db) const {
  std::error_code error;
  std::filesystem::remove_all(db, error);
}

void Runner::SettleDisk(bool drops_cache) {
  std::string why_not;
  SyncFileSystem(directory_, &why_not);
  if (drops_cache && cache_note_.empty() && !DropPageCache(&cache_note_)) {
    cache_note_ = "the page cache could not be dropped before the runs (" +
                  cache_note_ + "): reads may find what was written before";
  }
}

bool Runner::Prepare(const Workload& workload, const Candidate& candidate,
                     const std::string& db, uint64_t seed,
                     RunOutcome* outcome) {
  Remove(db);
  if (workload.prepare.empty()) {
    return true;
  }
  const Command command =
      CommandOf(workload, candidate, workload.prepare, db, seed);
  const Ended ended = Run(command, max_seconds_, stop_);
  if (!ended.is_ok) {
    outcome->error = "its preparation failed (" + ended.how + ")\n" +
                     LastLines(ReadFile(command.output));
  }
  return ended.is_ok;
}

bool Runner::StartBeside(const Workload& workload, Child* child,
                         RunOutcome* outcome) const {
  Command command;
  command.directory = directory_;
  command.output = Path("beside.output");
  command.argv = {tools_.db_bench, "--db=" + Path("beside")};
  command.argv.insert(command.argv.end(), workload.beside.begin(),
                      workload.beside.end());
  return child->Start(command, &outcome->error);
}

bool Runner::CheckUsed(bool has_written, std::string* error) const {
  const std::string stats = ReadFile(Path(kStatsFile));
  if (stats.empty()) {
    *error = "uringfs wrote no statistics: it was not used";
    return false;
  }
  // Words such as wal_appended_bytes=123.
  for (size_t at = stats.find("_bytes="); at != std::string::npos;
       at = stats.find("_bytes=", at + 1)) {
    const char digit = stats[at + sizeof("_bytes=") - 1];
    if (digit >= '1' && digit <= '9') {
      return true;
    }
  }
  if (has_written) {
    *error = "uringfs counted no bytes: it was not used";
  }
  return !has_written;
}

void Runner::Measure(const Workload& workload, const Candidate& candidate,
                     const std::string& db, uint64_t seed,
                     RunOutcome* outcome) {
  const Command command =
      CommandOf(workload, candidate, workload.run, db, seed);
  outcome->command = command.ToString();
  Remove(Path(kStatsFile));
  const uint64_t begin_us = MicrosSince1970();
  const DiskCounters before = CountersOf(disk_);
  const Ended ended = Run(command, max_seconds_, stop_);
  // What it left for later is its own, too.
  SettleDisk(/*drops_cache=*/false);
  const DiskCounters used = CountersOf(disk_) - before;
  const std::string output = ReadFile(command.output);
  Measured& measured = outcome->measured;
  const bool is_read = workload.program == "db_bench"
                           ? ReadDbBench(output, workload.measure, &measured)
                           : ReadWords(output, &measured);
  if (!ended.is_ok || !is_read) {
    outcome->error =
        (ended.is_ok ? "it reported no " + workload.measure : ended.how) +
        "\n" + LastLines(output);
    return;
  }
  if (candidate.is_uringfs &&
      !CheckUsed(workload.user_bytes > 0, &outcome->error)) {
    return;
  }
  Round& round = measured.round;
  round.user_seconds = ended.user_seconds;
  round.system_seconds = ended.system_seconds;
  round.user_bytes = workload.user_bytes * round.operations;
  // Where statistics are switched off they stand still.
  if (used.known && (used.writes > 0 || round.user_bytes == 0)) {
    round.device_bytes = used.written_bytes;
    round.device_writes = used.writes;
    if (used.counts_flushes) {
      round.device_flushes = used.flushes;
    }
  }
  if (workload.has_series) {
    outcome->compactions = ReadCompactions(ReadFile(db + "/LOG"), begin_us);
  }
  outcome->is_ok = true;
}

RunOutcome Runner::RunOnce(const Workload& workload, const Candidate& candidate,
                           const std::string& db, bool prepares,
                           uint64_t seed) {
  RunOutcome outcome;
  if (prepares && !Prepare(workload, candidate, db, seed, &outcome)) {
    return outcome;
  }
  SettleDisk(!workload.is_warm);
  if (workload.beside.empty()) {
    Measure(workload, candidate, db, seed, &outcome);
    return outcome;
  }
  Child beside;
  if (StartBeside(workload, &beside, &outcome)) {
    // Until it compacts.
    beside.Wait(kBesideSeconds, stop_, /*ends_it=*/false);
    Measure(workload, candidate, db, seed, &outcome);
    if (outcome.is_ok && !beside.is_running()) {
      outcome.is_ok = false;
      outcome.error = "the program beside it ended before it did\n" +
                      LastLines(ReadFile(Path("beside.output")));
    }
    beside.End();
    Remove(Path("beside"));
  }
  return outcome;
}

}  // namespace uringfs::bench
