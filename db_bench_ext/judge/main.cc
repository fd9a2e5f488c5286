// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// judge: holds file systems for RocksDB against each other by db_bench. Called
// by db_bench_ext/run, which builds what it needs; README.md tells how it
// comes to its figures.

#include <gflags/gflags.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#include "db_bench_ext/judge/comparison.h"
#include "db_bench_ext/judge/page.h"
#include "db_bench_ext/judge/seconds.h"
#include "db_bench_ext/judge/syncs.h"
#include "db_bench_ext/judge/table.h"
#include "db_bench_ext/judge/text.h"
#include "db_bench_ext/judge/work_directory.h"

DEFINE_string(preset, "quick",
              "smoke (does it work at all), quick (2 minutes), standard (15), "
              "full (hours)");
DEFINE_string(db, "", "directory for the databases; default: one on a disk");
DEFINE_string(out, "",
              "directory for report.json and page.html; default: "
              "uringfs_bench.DATE-TIME");
DEFINE_string(workloads, "", "only these, by name; --list shows them");
DEFINE_string(candidates, "",
              "other ones than the preset's; the first is what "
              "the others are held against; --list shows them");
DEFINE_uint32(rounds, 0, "other than the preset's");
DEFINE_uint64(seed, 0, "of keys and of the order; 0: another one each time");
DEFINE_string(benchmarks, "",
              "instead of workloads: db_bench's "
              "--benchmarks=LIST, of which the last one counts; db_bench flags "
              "behind -- go to every run");
DEFINE_uint64(num, 100000, "with --benchmarks: db_bench's --num");
DEFINE_double(fail_below, 0,
              "exit with 1 if a uringfs candidate is slower "
              "than that against the first candidate, or with --compare "
              "against itself, and not by chance");
DEFINE_string(compare, "",
              "OLD.json NEW.json: how the newer report stands to "
              "the older one; nothing is run");
DEFINE_string(page, "",
              "a report.json: writes its page into --out; nothing is "
              "run");
DEFINE_uint32(max_run_seconds, 3600, "a run that takes longer has failed");
DEFINE_bool(list, false, "shows workloads, candidates and presets");
DEFINE_string(db_bench, "db_bench", "the program; looked for in PATH");
DEFINE_string(module, URINGFS_MODULE,
              "liburingfs.so; empty if it is built into db_bench");
DEFINE_string(programs, URINGFS_PROGRAMS, "directory of sync_puts and others");
DEFINE_string(workload_dir, URINGFS_WORKLOADS, "directory of the workloads");
DEFINE_string(revision, "", "of the sources, for the report");

namespace uringfs::bench {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kInterrupted = 130;

std::atomic<bool> g_stop{false};

void Stop(int /*signal*/) { g_stop.store(true, std::memory_order_relaxed); }

void CatchSignals() {
  struct sigaction action = {};
  action.sa_handler = Stop;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    ::sigaction(signal, &action, nullptr);
  }
  // A reader of the table who has seen enough ends no comparison; and where
  // somebody had children ignored, nobody would tell how they ended.
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGCHLD, SIG_DFL);
}

int Fail(const std::string& message) {
  std::fprintf(stderr, "db_bench_ext: %s\n", message.c_str());
  return kUsage;
}

std::string Now(const char* format, bool is_utc) {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  is_utc ? ::gmtime_r(&now, &parts) : ::localtime_r(&now, &parts);
  char text[64];
  std::strftime(text, sizeof(text), format, &parts);
  return text;
}

bool ReadReport(const std::string& path, Report* report, std::string* text,
                std::string* error) {
  *text = ReadFile(path);
  if (!FromJson(*text, report, error)) {
    *error = path + " is no report" + (error->empty() ? "" : ": ") + *error;
    return false;
  }
  return true;
}

bool WriteFile(const std::string& path, const std::string& text,
               std::string* error) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  *error = file ? "" : "cannot write " + path;
  return error->empty();
}

// Where the report goes; false if nothing can be written there.
bool MakeOut(std::string* out, std::string* error) {
  *out = FLAGS_out.empty()
             ? "uringfs_bench." + Now("%Y%m%d-%H%M%S", /*is_utc=*/false)
             : FLAGS_out;
  std::error_code code;
  std::filesystem::create_directories(*out, code);
  if (::access(out->c_str(), W_OK) != 0) {
    *error = ErrnoText("cannot write in " + *out, errno) +
             "; give another directory by --out=DIR";
    return false;
  }
  return true;
}

bool Publish(const std::string& json, const std::string& out,
             std::string* error) {
  if (!WriteFile(out + "/report.json", json, error) ||
      !WriteFile(out + "/page.html", PageOf(json), error)) {
    return false;
  }
  std::printf("%s/page.html\n%s/report.json\n", out.c_str(), out.c_str());
  return true;
}

int ShowPage() {
  Report report;
  std::string json;
  std::string out;
  std::string error;
  return ReadReport(FLAGS_page, &report, &json, &error) &&
                 MakeOut(&out, &error) && Publish(json, out, &error)
             ? 0
             : Fail(error);
}

bool IsBelow(const std::string& candidate, const Ratio& ratio) {
  return candidate.rfind("uringfs", 0) == 0 && ratio.verdict == "slower" &&
         ratio.median < FLAGS_fail_below;
}

int CompareReports(const std::string& newer_path) {
  Report older;
  Report newer;
  std::string json;
  std::string error;
  if (!ReadReport(FLAGS_compare, &older, &json, &error) ||
      !ReadReport(newer_path, &newer, &json, &error)) {
    return Fail(error);
  }
  if (older.baseline() != newer.baseline()) {
    return Fail("the reports have different baselines: " + older.baseline() +
                " and " + newer.baseline());
  }
  const std::vector<Change> changes = ChangesOf(older, newer);
  if (changes.empty()) {
    return Fail("the reports have no workload and candidate in common");
  }
  const std::vector<std::string> faults = FaultsOf(older, newer);
  std::fputs((TableOf(changes) + NotesOnBoth(older, newer)).c_str(), stdout);
  for (const std::string& fault : faults) {
    std::printf("!! %s\n", fault.c_str());
  }
  const bool is_below =
      std::any_of(changes.begin(), changes.end(), [](const Change& change) {
        return IsBelow(change.candidate, change.ratio);
      });
  return is_below || !faults.empty() ? kFailed : 0;
}

int ListAll(const std::vector<Workload>& workloads) {
  std::printf("workloads\n");
  for (const Workload& workload : workloads) {
    std::printf("  %-24s %s", workload.name.c_str(), workload.title.c_str());
    for (const std::string& preset : workload.presets) {
      std::printf("%s%s", preset == workload.presets.front() ? "; " : ", ",
                  preset.c_str());
    }
    std::printf("\n");
  }
  std::printf("candidates\n");
  for (const Candidate& candidate : AllCandidates()) {
    std::printf("  %-24s %s\n", candidate.name.c_str(),
                candidate.meaning.c_str());
  }
  return 0;
}

bool MakePlan(const std::vector<Workload>& all, const Preset& preset,
              const std::vector<std::string>& flags, Plan* plan,
              std::string* error) {
  plan->rounds = FLAGS_rounds > 0 ? FLAGS_rounds : preset.rounds;
  plan->warms_up = preset.warms_up;
  plan->seed =
      FLAGS_seed > 0 ? FLAGS_seed : std::random_device()() % 100000 + 1;
  if (FLAGS_fail_below > 0 && plan->rounds < kMinRounds) {
    *error = "--fail_below takes three rounds or more: fewer decide nothing";
    return false;
  }
  if (FLAGS_benchmarks.empty() && !flags.empty()) {
    *error = "db_bench flags behind -- go with --benchmarks=LIST";
    return false;
  }
  bool has_workloads = false;
  if (FLAGS_benchmarks.empty()) {
    has_workloads = ChooseWorkloads(all, preset, SplitList(FLAGS_workloads),
                                    &plan->workloads, error);
  } else {
    has_workloads = GivenWorkload(FLAGS_benchmarks, FLAGS_num, flags,
                                  &plan->workloads.emplace_back(), error);
  }
  return has_workloads &&
         ChooseCandidates(FLAGS_candidates.empty()
                              ? preset.candidates
                              : SplitList(FLAGS_candidates),
                          &plan->candidates, error) &&
         plan->Check(FLAGS_programs, error);
}

void Describe(const Plan& plan, const Runner& runner, Report* report) {
  report->started = Now("%Y-%m-%dT%H:%M:%SZ", /*is_utc=*/true);
  report->preset = FLAGS_preset;
  report->seed = plan.seed;
  report->rounds = plan.rounds;
  report->machine = FactsOfMachine();
  report->disk = runner.disk();
  report->uringfs_version = URINGFS_PROJECT_VERSION;
  report->revision = FLAGS_revision;
  for (const Candidate& candidate : plan.candidates) {
    CandidateInfo info{candidate.name, candidate.meaning, candidate.flags, {}};
    if (candidate.is_uringfs) {
      info.flags.emplace_back("--fs_uri=uringfs://");
      if (!candidate.options.empty()) {
        info.environment.push_back("URINGFS_OPTIONS=" + candidate.options);
      }
    }
    report->candidates.push_back(info);
  }
}

// What the exit code says of a report that is there.
int Judgement(const Report& report, bool all_ran) {
  bool is_bad = !all_ran;
  for (const WorkloadResult& workload : report.workloads) {
    for (const CandidateResult& result : workload.results) {
      is_bad = is_bad || !result.doubts.empty() ||
               (result.ratio && IsBelow(result.candidate, *result.ratio));
    }
  }
  return g_stop ? kInterrupted : is_bad ? kFailed : 0;
}

int RunPlan(const Plan& plan, const Preset& preset) {
  std::string error;
  std::string out;
  if (!MakeOut(&out, &error)) {
    return Fail(error);
  }
  WorkDirectory work;
  if (!work.Make(FLAGS_db.empty() ? DefaultParent() : FLAGS_db, &error) ||
      !work.HasSpace(plan.SpaceBytes(), &error)) {
    return Fail(error);
  }
  const char* const options = std::getenv("URINGFS_OPTIONS");
  Runner runner({FLAGS_db_bench, FLAGS_module, FLAGS_programs,
                 options == nullptr ? "" : options},
                work.path(), g_stop);
  runner.set_max_seconds(FLAGS_max_run_seconds);
  Report report;
  if (!runner.Probe(&report.db_bench_version, &error)) {
    return g_stop ? kInterrupted : Fail(error);
  }
  Describe(plan, runner, &report);
  const auto begin = std::chrono::steady_clock::now();
  bool all_ran = true;
  {
    Progress progress(plan.Seconds() + preset.probe_seconds);
    progress.Begin("the disk itself", preset.probe_seconds);
    report.limits = MeasureLimits(work.path(), preset.probe_seconds, g_stop);
    report.notes = NotesOn(report.disk, report.limits);
    report.notes.insert(report.notes.end(), report.limits->notes.begin(),
                        report.limits->notes.end());
    all_ran = Compare(plan, g_stop, &runner, &progress, &report);
  }
  report.seconds = SecondsSince(begin);
  if (!runner.cache_note().empty()) {
    report.notes.push_back(runner.cache_note());
  }
  // First: whoever reads the table may go away.
  if (!Publish(ToJson(report), out, &error)) {
    return Fail(error);
  }
  std::fputs(("\n" + HeadOf(report)).c_str(), stdout);
  for (const WorkloadResult& workload : report.workloads) {
    std::fputs(TableOf(workload).c_str(), stdout);
  }
  if (g_stop) {
    std::printf("\ninterrupted: this is what was measured until then\n");
  }
  return Judgement(report, all_ran);
}

int Main(const std::vector<std::string>& rest) {
  if (!FLAGS_compare.empty()) {
    return rest.size() == 1 ? CompareReports(rest[0])
                            : Fail("--compare takes OLD.json NEW.json");
  }
  if (!FLAGS_page.empty()) {
    return ShowPage();
  }
  for (const std::string& word : rest) {
    if (word.empty() || word[0] != '-') {
      return Fail("cannot understand '" + word + "'; see --help");
    }
  }
  std::string error;
  std::vector<Workload> all;
  if (!LoadWorkloads(FLAGS_workload_dir, &all, &error)) {
    return Fail(error);
  }
  if (FLAGS_list) {
    return ListAll(all);
  }
  const Preset* preset = FindPreset(FLAGS_preset, &error);
  Plan plan;
  if (preset == nullptr || !MakePlan(all, *preset, rest, &plan, &error)) {
    return Fail(error);
  }
  CatchSignals();
  return RunPlan(plan, *preset);
}

}  // namespace
}  // namespace uringfs::bench

namespace GFLAGS_NAMESPACE {
// Of gflags; its headers do not name it.
extern void (*gflags_exitfunc)(int);
}  // namespace GFLAGS_NAMESPACE

int main(int argc, char** argv) {
  // 1 would say that something is slower.
  GFLAGS_NAMESPACE::gflags_exitfunc = [](int code) {
    std::exit(code == 0 ? 0 : 2);
  };
  gflags::SetUsageMessage(
      "db_bench_ext/run [--preset=quick|standard|full] [--db=DIR] [--out=DIR]");
  gflags::ParseCommandLineFlags(&argc, &argv, /*remove_flags=*/true);
  return uringfs::bench::Main({argv + 1, argv + argc});
}
