// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/plan.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace uringfs::bench {
namespace {

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// "posix again" runs what "posix" runs.
std::string KindOf(const Candidate& candidate) {
  return candidate.name.substr(0, candidate.name.find(' '));
}

// "--value_size=10" and "-value_size" are "value_size".
std::string NameOf(const std::string& flag) {
  const size_t begin = flag.find_first_not_of('-');
  return begin == std::string::npos
             ? ""
             : flag.substr(begin, flag.find('=') - begin);
}

}  // namespace

const std::vector<Preset>& AllPresets() {
  static const std::vector<Preset> all = {
      {"smoke", {0.02, 1}, 1, {"posix", "uringfs"}, 0.5, false},
      {"quick", {1, 1}, 7, {"posix", "uringfs"}, 5, true},
      {"standard",
       {3, 3},
       7,
       {"posix", "posix+direct", "posix-tuned", "uringfs", "uringfs-pwrite",
        "uringfs-direct"},
       15,
       true},
      {"full",
       {10, 10},
       9,
       {"posix", "posix+direct", "posix-tuned", "uringfs", "uringfs-pwrite",
        "uringfs-direct"},
       60,
       true},
  };
  return all;
}

std::vector<Candidate> Plan::CandidatesOf(const Workload& workload) const {
  std::vector<Candidate> chosen;
  for (const Candidate& candidate : candidates) {
    if (chosen.empty() || workload.candidates.empty() ||
        Contains(workload.candidates, KindOf(candidate))) {
      chosen.push_back(candidate);
    }
  }
  return chosen;
}

bool Plan::Check(const std::string& programs, std::string* error) const {
  if (workloads.empty()) {
    *error = "there are no workloads for this preset; --list shows them";
    return false;
  }
  for (const Workload& workload : workloads) {
    if (CandidatesOf(workload).size() < 2) {
      *error = "workload '" + workload.name +
               "' has none of the candidates but the first: nothing to compare";
      return false;
    }
    const std::string program = programs + "/" + workload.program;
    if (workload.program != "db_bench" &&
        ::access(program.c_str(), X_OK) != 0) {
      *error = "workload '" + workload.name + "' needs the program " + program +
               ", which is not there; give its directory by --programs=DIR";
      return false;
    }
  }
  return true;
}

double Plan::Seconds() const {
  double seconds = 0;
  for (const Workload& workload : workloads) {
    seconds += workload.seconds *
               static_cast<double>(CandidatesOf(workload).size()) *
               (rounds + (warms_up ? 1 : 0));
  }
  return seconds;
}

uint64_t Plan::SpaceBytes() const {
  uint64_t most = 0;
  for (const Workload& workload : workloads) {
    const uint64_t databases =
        workload.keeps_database ? CandidatesOf(workload).size() : 1;
    most = std::max(most, databases * workload.space_mb << 20);
  }
  return most;
}

const Preset* FindPreset(const std::string& name, std::string* error) {
  std::string known;
  for (const Preset& preset : AllPresets()) {
    if (preset.name == name) {
      return &preset;
    }
    known += " " + preset.name;
  }
  *error = "there is no preset '" + name + "'; there are" + known;
  return nullptr;
}

bool ChooseWorkloads(const std::vector<Workload>& all, const Preset& preset,
                     const std::vector<std::string>& names,
                     std::vector<Workload>* chosen, std::string* error) {
  for (const std::string& name : names) {
    if (std::none_of(all.begin(), all.end(), [&](const Workload& workload) {
          return workload.name == name;
        })) {
      *error =
          "there is no workload '" + name + "'; --list shows what there is";
      return false;
    }
  }
  for (const Workload& workload : all) {
    if (names.empty() ? Contains(workload.presets, preset.name)
                      : Contains(names, workload.name)) {
      chosen->push_back(workload);
      Apply(preset.scale, &chosen->back());
    }
  }
  return true;
}

bool GivenWorkload(const std::string& benchmarks, uint64_t num,
                   const std::vector<std::string>& flags, Workload* workload,
                   std::string* error) {
  uint64_t value_bytes = 100;
  for (const std::string& flag : flags) {
    const std::string name = NameOf(flag);
    if (name == "db" || name == "fs_uri" || name == "env_uri" ||
        name == "seed" || name == "benchmarks" || name == "num") {
      *error = "'" + flag + "' is the judge's to set; see --help";
      return false;
    }
    if (name == "value_size") {
      value_bytes =
          std::strtoull(flag.c_str() + flag.find('=') + 1, nullptr, 0);
    }
  }
  workload->name = workload->title = "given";
  workload->run = {"--benchmarks=" + benchmarks,
                   "--num=" + std::to_string(num)};
  workload->run.insert(workload->run.end(), flags.begin(), flags.end());
  // Without db_bench's repetitions: "readrandom[X3]".
  const std::string last = benchmarks.substr(benchmarks.rfind(',') + 1);
  workload->measure = last.substr(0, last.find('['));
  workload->has_series = true;
  workload->seconds = 5;
  // A compaction holds its inputs and its outputs.
  workload->space_mb = (num * (value_bytes + 32) >> 20) * 2 + 1;
  *error = "--benchmarks ends with no benchmark";
  return !workload->measure.empty();
}

}  // namespace uringfs::bench
