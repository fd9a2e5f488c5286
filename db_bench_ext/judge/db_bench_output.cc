// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/db_bench_output.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <utility>

namespace uringfs::bench {
namespace {

constexpr size_t kShownLines = 12;

// Lines, each as it stood at last where it was overwritten by progress.
std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    const size_t at = line.rfind('\r');
    lines.push_back(at == std::string::npos ? line : line.substr(at + 1));
  }
  return lines;
}

std::vector<std::string> WordsOf(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    words.push_back(word);
  }
  return words;
}

double NumberOf(const std::string& word) {
  return std::strtod(word.c_str(), nullptr);
}

// "fillrandom : 543.4 micros/op 1801 ops/sec 2.775 seconds 4999 operations;"
bool ReadSummary(const std::string& line, const std::string& benchmark,
                 Round* round) {
  const std::vector<std::string> words = WordsOf(line);
  if (words.size() < 4 || words[0] != benchmark || words[1] != ":" ||
      words[3] != "micros/op") {
    return false;
  }
  double micros = NumberOf(words[2]);
  for (size_t i = 3; i < words.size(); ++i) {
    const double number = NumberOf(words[i - 1]);
    if (words[i] == "ops/sec") {
      round->ops_per_second = number;
    } else if (words[i] == "seconds") {
      round->wall_seconds = number;
    } else if (words[i].rfind("operations", 0) == 0) {
      round->operations = static_cast<uint64_t>(number);
    }
  }
  // ops/sec is a whole number: useless for a few long operations.
  if (round->ops_per_second < 100 && round->wall_seconds > 0) {
    round->ops_per_second =
        static_cast<double>(round->operations) / round->wall_seconds;
  }
  if (round->operations == 1 && micros > 0) {
    round->ops_per_second = 1e6 / micros;
  }
  return round->ops_per_second > 0;
}

void ReadPercentiles(const std::string& line, Round* round) {
  const std::vector<std::string> words = WordsOf(line);
  for (size_t i = 1; i + 1 < words.size(); i += 2) {
    const double value = NumberOf(words[i + 1]);
    if (words[i] == "P50:") {
      round->p50_us = value;
    } else if (words[i] == "P99:") {
      round->p99_us = value;
    } else if (words[i] == "P99.9:") {
      round->p999_us = value;
    }
  }
}

// "(     110,     170 ]     1974  39.488%  40.548% ########"
bool ReadBucket(const std::string& line, Bucket* bucket) {
  char bracket = 0;
  unsigned long long count = 0;
  if (std::sscanf(line.c_str(), " %c %lf, %lf ] %llu", &bracket,
                  &bucket->from_us, &bucket->to_us, &count) != 4 ||
      (bracket != '(' && bracket != '[')) {
    return false;
  }
  bucket->count = count;
  return true;
}

// As RocksDB does it: by the share of the bucket that it falls into.
double Percentile(const std::vector<Bucket>& buckets, double part) {
  double total = 0;
  for (const Bucket& bucket : buckets) {
    total += static_cast<double>(bucket.count);
  }
  double below = 0;
  for (const Bucket& bucket : buckets) {
    const auto count = static_cast<double>(bucket.count);
    if (below + count >= part * total && count > 0) {
      return bucket.from_us +
             (bucket.to_us - bucket.from_us) * (part * total - below) / count;
    }
    below += count;
  }
  return buckets.empty() ? 0 : buckets.back().to_us;
}

// "... thread 0: (4000,4000) ops and (3137.3,3137.3) ops/second in
// (1.27,1.27) seconds": of the interval, and since the beginning.
class SeriesReader {
 public:
  void See(const std::string& line) {
    const size_t at = line.find("thread ");
    unsigned long long ops = 0;
    double rate = 0;
    double second = 0;
    if (at != std::string::npos &&
        std::sscanf(line.c_str() + at,
                    "thread %*d: (%llu,%*u) ops and (%lf,%*f) ops/second in "
                    "(%*f,%lf)",
                    &ops, &rate, &second) == 3) {
      rates_[std::floor(second)] += rate;
    }
  }

  std::vector<SeriesPoint> Points() const {
    std::vector<SeriesPoint> points;
    for (const auto& [second, rate] : rates_) {
      points.push_back({second, rate});
    }
    return points;
  }

 private:
  // Of all threads, by whole seconds.
  std::map<double, double> rates_;
};

}  // namespace

bool ReadDbBench(const std::string& text, const std::string& benchmark,
                 Measured* measured) {
  bool found = false;
  bool is_ours = false;
  bool is_mixed = false;
  SeriesReader series;
  for (const std::string& line : LinesOf(text)) {
    Round round;
    Bucket bucket;
    if (ReadSummary(line, benchmark, &round)) {
      found = is_ours = true;
      is_mixed = false;
      measured->round = round;
      measured->latency.clear();
      measured->series = series.Points();
      series = {};
    } else if (line.find(" micros/op ") != std::string::npos) {
      is_ours = false;
      series = {};
    } else if (is_ours && line.rfind("Percentiles:", 0) == 0) {
      // A benchmark of reads and writes has one for each, which are added up.
      is_mixed = measured->round.p50_us.has_value();
      ReadPercentiles(line, &measured->round);
    } else if (is_ours && ReadBucket(line, &bucket)) {
      AddTo(&measured->latency, {bucket});
    } else {
      series.See(line);
    }
  }
  if (is_mixed) {
    measured->round.p50_us = Percentile(measured->latency, 0.5);
    measured->round.p99_us = Percentile(measured->latency, 0.99);
    measured->round.p999_us = Percentile(measured->latency, 0.999);
  }
  return found;
}

bool ReadWords(const std::string& text, Measured* measured) {
  std::map<std::string, double> values;
  for (const std::string& line : LinesOf(text)) {
    std::map<std::string, double> words;
    for (const std::string& word : WordsOf(line)) {
      const size_t at = word.find('=');
      if (at != std::string::npos) {
        words[word.substr(0, at)] = NumberOf(word.substr(at + 1));
      }
    }
    if (words.count("seconds") != 0) {
      values = std::move(words);
    }
  }
  const double seconds = values["seconds"];
  const double count =
      std::max({values["puts"], values["dbs"], values["files"]});
  if (seconds <= 0 || count <= 0) {
    return false;
  }
  Round& round = measured->round;
  round.wall_seconds = seconds;
  round.operations = static_cast<uint64_t>(count);
  round.ops_per_second = count / seconds;
  if (values.count("p50") != 0) {
    round.p50_us = values["p50"];
    round.p99_us = values["p99"];
    round.p999_us = values["p999"];
  }
  return true;
}

std::vector<Span> ReadCompactions(const std::string& log, uint64_t begin_us) {
  std::map<int, double> begun;
  std::vector<Span> spans;
  for (const std::string& line : LinesOf(log)) {
    const size_t at = line.find("EVENT_LOG_v1 {\"time_micros\": ");
    unsigned long long micros = 0;
    int job = 0;
    char event[32] = {};
    if (at == std::string::npos ||
        std::sscanf(line.c_str() + at,
                    "EVENT_LOG_v1 {\"time_micros\": %llu, \"job\": %d, "
                    "\"event\": \"%31[a-z_]",
                    &micros, &job, event) != 3) {
      continue;
    }
    const double second =
        (static_cast<double>(micros) - static_cast<double>(begin_us)) / 1e6;
    if (std::string(event) == "compaction_started") {
      begun[job] = second;
    } else if (std::string(event) == "compaction_finished" &&
               begun.count(job) != 0) {
      spans.push_back({begun[job], second});
      begun.erase(job);
    }
  }
  return spans;
}

void AddTo(std::vector<Bucket>* sum, const std::vector<Bucket>& more) {
  for (const Bucket& bucket : more) {
    const auto place = std::lower_bound(
        sum->begin(), sum->end(), bucket,
        [](const Bucket& a, const Bucket& b) { return a.from_us < b.from_us; });
    if (place != sum->end() && place->from_us == bucket.from_us) {
      place->count += bucket.count;
    } else {
      sum->insert(place, bucket);
    }
  }
}

std::string LastLines(const std::string& text) {
  std::vector<std::string> kept;
  for (std::string& line : LinesOf(text)) {
    if (!line.empty() && line.rfind("... ", 0) != 0) {
      kept.push_back(std::move(line));
    }
  }
  std::string last;
  const size_t first = kept.size() - std::min(kept.size(), kShownLines);
  for (size_t i = first; i < kept.size(); ++i) {
    last += kept[i] + "\n";
  }
  return last;
}

}  // namespace uringfs::bench
