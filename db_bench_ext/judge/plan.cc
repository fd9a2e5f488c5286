// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/plan.h"

#include <algorithm>

namespace uringfs::bench {
namespace {

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// "posix again" runs what "posix" runs.
std::string KindOf(const Candidate& candidate) {
  return candidate.name.substr(0, candidate.name.find(' '));
}

}  // namespace

const std::vector<Preset>& AllPresets() {
  static const std::vector<Preset> all = {
      {"smoke", {0.02, 1}, 1, {"posix", "uringfs"}, 0.5, false},
      {"quick", {1, 1}, 7, {"posix", "uringfs"}, 5, true},
      {"standard",
       {1.5, 1},
       7,
       {"posix", "posix+direct", "posix-tuned", "uringfs", "uringfs-pwrite"},
       15,
       true},
      {"full",
       {10, 10},
       9,
       {"posix", "posix+direct", "posix-tuned", "uringfs", "uringfs-pwrite",
        "uringfs-warm"},
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

Workload GivenWorkload(const std::string& benchmarks, uint64_t num,
                       const std::vector<std::string>& flags) {
  Workload workload;
  workload.name = workload.title = "given";
  workload.run = {"--benchmarks=" + benchmarks, "--num=" + std::to_string(num)};
  workload.run.insert(workload.run.end(), flags.begin(), flags.end());
  workload.measure = benchmarks.substr(benchmarks.find_last_of(',') + 1);
  workload.has_series = true;
  workload.seconds = 5;
  return workload;
}

}  // namespace uringfs::bench
