// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/workload.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>
#include <system_error>
#include <utility>

#include "db_bench_ext/judge/candidates.h"
#include "db_bench_ext/judge/plan.h"
#include "db_bench_ext/judge/text.h"

namespace uringfs::bench {
namespace {

using Setter = std::function<bool(const std::string&)>;

bool SetFlag(const std::string& text, bool* flag) {
  *flag = text == "yes";
  return text == "yes" || text == "no";
}

template <typename Number>
bool SetNumber(const std::string& text, Number* number) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const bool is_good =
      !text.empty() && *end == '\0' && value >= 0 && value < 1e9;
  *number = is_good ? static_cast<Number>(value) : Number{};
  return is_good;
}

Setter Text(std::string* field) {
  return [=](const std::string& text) {
    *field = text;
    return !text.empty();
  };
}

// Several lines of the same key are one list.
Setter Words(std::vector<std::string>* field) {
  return [=](const std::string& text) {
    std::istringstream stream(text);
    for (std::string word; stream >> word;) {
      field->push_back(word);
    }
    return !text.empty();
  };
}

Setter OneOf(std::string* field, std::vector<std::string> allowed) {
  return [=](const std::string& text) {
    *field = text;
    return std::find(allowed.begin(), allowed.end(), text) != allowed.end();
  };
}

Setter Flag(bool* field) {
  return [=](const std::string& text) { return SetFlag(text, field); };
}

template <typename Number>
Setter NumberIn(Number* field) {
  return [=](const std::string& text) { return SetNumber(text, field); };
}

// THE table of keys.
std::map<std::string, Setter> SettersOf(Workload* workload) {
  return {
      {"title", Text(&workload->title)},
      {"isolates", Text(&workload->isolates)},
      {"unit", Text(&workload->unit)},
      {"presets", Words(&workload->presets)},
      {"candidates", Words(&workload->candidates)},
      {"program", OneOf(&workload->program,
                        {"db_bench", "sync_puts", "small_dbs", "small_files"})},
      {"run", Words(&workload->run)},
      {"prepare", Words(&workload->prepare)},
      {"beside", Words(&workload->beside)},
      {"measure", Text(&workload->measure)},
      {"metric", OneOf(&workload->metric, {"ops_per_second", "p99_us"})},
      {"limit", OneOf(&workload->limit,
                      {"durable_overwrite", "direct_write", "random_read"})},
      {"sync_every", NumberIn(&workload->sync_every)},
      {"user_bytes", NumberIn(&workload->user_bytes)},
      {"keep", Flag(&workload->keeps_database)},
      {"warm", Flag(&workload->is_warm)},
      {"series", Flag(&workload->has_series)},
      {"space_mb", NumberIn(&workload->space_mb)},
      {"seconds", NumberIn(&workload->seconds)},
  };
}

bool SetLine(const std::map<std::string, Setter>& setters,
             const std::string& line, std::string* error) {
  const size_t colon = line.find(':');
  const std::string key = Trim(line.substr(0, colon));
  const auto setter = setters.find(key);
  if (colon == std::string::npos || setter == setters.end()) {
    *error = "there is no key '" + key + "'; there are";
    for (const auto& entry : setters) {
      *error += " " + entry.first;
    }
    return false;
  }
  const std::string value = Trim(line.substr(colon + 1));
  if (!setter->second(value)) {
    *error = "'" + key + "' cannot be '" + value + "'";
    return false;
  }
  return true;
}

bool CheckWhole(const Workload& workload, std::string* error) {
  if (workload.title.empty() || workload.run.empty()) {
    *error = "it needs a title and a run";
    return false;
  }
  for (const std::string& preset : workload.presets) {
    if (FindPreset(preset, error) == nullptr) {
      return false;
    }
  }
  std::vector<Candidate> candidates;
  if (!workload.candidates.empty() &&
      !ChooseCandidates(workload.candidates, &candidates, error)) {
    return false;
  }
  if (workload.program == "db_bench" && workload.measure.empty()) {
    *error = "it needs 'measure', the benchmark that counts";
    return false;
  }
  return true;
}

// "{200000}" and "{seconds}" in a word.
std::string Fill(const Scale& scale, std::string word) {
  const size_t open = word.find('{');
  const size_t close = word.find('}', open);
  if (open == std::string::npos || close == std::string::npos) {
    return word;
  }
  const std::string what = word.substr(open + 1, close - open - 1);
  const double number =
      what == "seconds"
          ? scale.seconds
          : std::max(1.0, std::strtod(what.c_str(), nullptr) * scale.numbers);
  return word.substr(0, open) + std::to_string(std::llround(number)) +
         Fill(scale, word.substr(close + 1));
}

}  // namespace

uint32_t Workload::Threads() const {
  uint32_t threads = 1;
  for (const std::string& flag : run) {
    if (flag.rfind("--threads=", 0) == 0) {
      SetNumber(flag.substr(flag.find('=') + 1), &threads);
    }
  }
  return std::max(threads, uint32_t{1});
}

bool ParseWorkload(const std::string& name, const std::string& text,
                   Workload* workload, std::string* error) {
  *workload = {};
  workload->name = name;
  const auto setters = SettersOf(workload);
  std::istringstream stream(text);
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    line = Trim(line.substr(0, line.find('#')));
    if (!line.empty() && !SetLine(setters, line, error)) {
      *error = "line " + std::to_string(number) + ": " + *error;
      return false;
    }
  }
  return CheckWhole(*workload, error);
}

bool LoadWorkloads(const std::string& directory,
                   std::vector<Workload>* workloads, std::string* error) {
  std::error_code code;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(directory, code)) {
    if (entry.path().extension() == ".workload") {
      paths.push_back(entry.path());
    }
  }
  if (code || paths.empty()) {
    *error = "there are no workloads in " + directory;
    return false;
  }
  std::sort(paths.begin(), paths.end());
  for (const std::filesystem::path& path : paths) {
    if (!ParseWorkload(path.stem().string(), ReadFile(path.string()),
                       &workloads->emplace_back(), error)) {
      *error = path.string() + ": " + *error;
      return false;
    }
  }
  return true;
}

void Apply(const Scale& scale, Workload* workload) {
  bool has_duration = false;
  for (std::vector<std::string>* words :
       {&workload->run, &workload->prepare, &workload->beside}) {
    for (std::string& word : *words) {
      has_duration =
          has_duration || word.find("{seconds}") != std::string::npos;
      word = Fill(scale, std::move(word));
    }
  }
  workload->space_mb = static_cast<uint64_t>(
      static_cast<double>(workload->space_mb) * std::max(scale.numbers, 0.1));
  if (has_duration) {
    workload->seconds += scale.seconds - 1;
  } else {
    // A process takes a while to start and end.
    workload->seconds = 0.3 + workload->seconds * scale.numbers;
  }
}

std::vector<std::string> SplitList(const std::string& text) {
  std::string spaced = text;
  std::replace(spaced.begin(), spaced.end(), ',', ' ');
  std::istringstream stream(spaced);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    words.push_back(word);
  }
  return words;
}

}  // namespace uringfs::bench
