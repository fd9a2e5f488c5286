// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The report as JSON. README.md has the table of its fields.

#include <utility>

#include "db_bench_ext/judge/report.h"
#include <nlohmann/json.hpp>

namespace uringfs::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;

template <typename Value>
Json OrNull(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

template <typename Value>
std::optional<Value> Maybe(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null()
             ? std::nullopt
             : std::optional<Value>(found->get<Value>());
}

Json ToJson(const MachineFacts& machine) {
  return {{"cpu", machine.cpu},
          {"cpus", machine.cpus},
          {"memory_bytes", machine.memory_bytes},
          {"kernel", machine.kernel},
          {"system", machine.system}};
}

Json ToJson(const DiskFacts& disk) {
  return {{"file_system", disk.file_system},
          {"mount_options", disk.mount_options},
          {"device", disk.device},
          {"model", disk.model},
          {"write_cache", disk.write_cache},
          {"fua", disk.has_fua},
          {"rotational", disk.is_rotational},
          {"scheduler", disk.scheduler},
          {"size_bytes", disk.size_bytes}};
}

Json ToJson(const Latency& latency) {
  return {{"fastest_us", latency.fastest_us},
          {"p50_us", latency.p50_us},
          {"p99_us", latency.p99_us},
          {"per_second", latency.per_second}};
}

Json ToJson(const DiskLimits& limits) {
  Json writes = Json::array();
  for (const WriteRate& rate : limits.direct_write) {
    writes.push_back({{"bytes", rate.bytes},
                      {"depth", rate.depth},
                      {"bytes_per_second", rate.bytes_per_second}});
  }
  Json reads = Json::array();
  for (const ReadRate& rate : limits.random_read) {
    reads.push_back({{"depth", rate.depth}, {"per_second", rate.per_second}});
  }
  return {{"durable_overwrite", ToJson(limits.durable_overwrite)},
          {"flush", ToJson(limits.flush)},
          {"direct_write", std::move(writes)},
          {"random_read", std::move(reads)}};
}

Json ToJson(const Round& round) {
  return {{"position", round.position},
          {"ops_per_second", round.ops_per_second},
          {"operations", round.operations},
          {"wall_seconds", round.wall_seconds},
          {"p50_us", OrNull(round.p50_us)},
          {"p99_us", OrNull(round.p99_us)},
          {"p999_us", OrNull(round.p999_us)},
          {"user_seconds", round.user_seconds},
          {"system_seconds", round.system_seconds},
          {"user_bytes", round.user_bytes},
          {"device_bytes", OrNull(round.device_bytes)},
          {"device_writes", OrNull(round.device_writes)},
          {"device_flushes", OrNull(round.device_flushes)}};
}

void FromJson(const Json& json, Round* round) {
  round->position = json.at("position");
  round->ops_per_second = json.at("ops_per_second");
  round->operations = json.at("operations");
  round->wall_seconds = json.at("wall_seconds");
  round->p50_us = Maybe<double>(json, "p50_us");
  round->p99_us = Maybe<double>(json, "p99_us");
  round->p999_us = Maybe<double>(json, "p999_us");
  round->user_seconds = json.at("user_seconds");
  round->system_seconds = json.at("system_seconds");
  round->user_bytes = json.at("user_bytes");
  round->device_bytes = Maybe<uint64_t>(json, "device_bytes");
  round->device_writes = Maybe<uint64_t>(json, "device_writes");
  round->device_flushes = Maybe<uint64_t>(json, "device_flushes");
}

Json MediansToJson(const WorkloadResult& workload,
                   const CandidateResult& result) {
  return {{"ops_per_second", OrNull(MedianOf(result, OpsOf))},
          {"p50_us", OrNull(MedianOf(result, P50Of))},
          {"p99_us", OrNull(MedianOf(result, P99Of))},
          {"p999_us", OrNull(MedianOf(result, P999Of))},
          {"user_seconds", OrNull(MedianOf(result, UserSecondsOf))},
          {"system_seconds", OrNull(MedianOf(result, SystemSecondsOf))},
          {"device_bytes_per_user_byte",
           OrNull(MedianOf(result, DeviceBytesPerUserByteOf))},
          {"of_limit", OrNull(PartOfLimit(workload, result))}};
}

Json ToJson(const Ratio& ratio) {
  return {{"rounds", ratio.rounds},
          {"median", ratio.median},
          {"low", ratio.low},
          {"high", ratio.high},
          {"interval", {ratio.interval_low, ratio.interval_high}},
          {"verdict", ratio.verdict}};
}

Json ToJson(const WorkloadResult& workload, const CandidateResult& result) {
  Json rounds = Json::array();
  for (const Round& round : result.rounds) {
    rounds.push_back(ToJson(round));
  }
  Json latency = Json::array();
  for (const Bucket& bucket : result.latency) {
    latency.push_back({{"from_us", bucket.from_us},
                       {"to_us", bucket.to_us},
                       {"count", bucket.count}});
  }
  Json series = Json::array();
  for (const SeriesPoint& point : result.series) {
    series.push_back(
        {{"second", point.second}, {"ops_per_second", point.ops_per_second}});
  }
  Json compactions = Json::array();
  for (const Span& span : result.compactions) {
    compactions.push_back({{"begin", span.begin}, {"end", span.end}});
  }
  return {{"candidate", result.candidate},
          {"command", result.command},
          {"rounds", std::move(rounds)},
          {"median", MediansToJson(workload, result)},
          {"ratio", result.ratio ? ToJson(*result.ratio) : Json(nullptr)},
          {"latency", std::move(latency)},
          {"series", std::move(series)},
          {"compactions", std::move(compactions)},
          {"doubts", result.doubts}};
}

void FromJson(const Json& json, CandidateResult* result) {
  result->candidate = json.at("candidate");
  result->command = json.at("command");
  result->doubts = json.at("doubts").get<std::vector<std::string>>();
  for (const Json& round : json.at("rounds")) {
    FromJson(round, &result->rounds.emplace_back());
  }
  for (const Json& bucket : json.at("latency")) {
    result->latency.push_back(
        {bucket.at("from_us"), bucket.at("to_us"), bucket.at("count")});
  }
  for (const Json& point : json.at("series")) {
    result->series.push_back({point.at("second"), point.at("ops_per_second")});
  }
  for (const Json& span : json.at("compactions")) {
    result->compactions.push_back({span.at("begin"), span.at("end")});
  }
}

Json ToJson(const WorkloadResult& workload) {
  Json results = Json::array();
  for (const CandidateResult& result : workload.results) {
    results.push_back(ToJson(workload, result));
  }
  Json limit = nullptr;
  if (workload.limit) {
    limit = {{"what", workload.limit->what},
             {"per_second", workload.limit->per_second},
             {"of_bytes", workload.limit->is_of_bytes}};
  }
  return {{"name", workload.name},         {"title", workload.title},
          {"isolates", workload.isolates}, {"unit", workload.unit},
          {"metric", workload.metric},     {"limit", std::move(limit)},
          {"results", std::move(results)}};
}

void FromJson(const Json& json, WorkloadResult* workload) {
  workload->name = json.at("name");
  workload->title = json.at("title");
  workload->isolates = json.at("isolates");
  workload->unit = json.at("unit");
  workload->metric = json.at("metric");
  if (const Json& limit = json.at("limit"); !limit.is_null()) {
    workload->limit = {limit.at("what"), limit.at("per_second"),
                       limit.at("of_bytes")};
  }
  for (const Json& result : json.at("results")) {
    FromJson(result, &workload->results.emplace_back());
  }
  Judge(workload);
}

Json ToJson(const CandidateInfo& candidate) {
  return {{"name", candidate.name},
          {"meaning", candidate.meaning},
          {"flags", candidate.flags},
          {"environment", candidate.environment}};
}

}  // namespace

std::string ToJson(const Report& report) {
  Json candidates = Json::array();
  for (const CandidateInfo& candidate : report.candidates) {
    candidates.push_back(ToJson(candidate));
  }
  Json workloads = Json::array();
  for (const WorkloadResult& workload : report.workloads) {
    workloads.push_back(ToJson(workload));
  }
  const Json json = {
      {"format", kFormat},
      {"complete", report.is_complete},
      {"started", report.started},
      {"seconds", report.seconds},
      {"preset", report.preset},
      {"seed", report.seed},
      {"rounds", report.rounds},
      {"machine", ToJson(report.machine)},
      {"disk", ToJson(report.disk)},
      {"versions",
       {{"uringfs", report.uringfs_version},
        {"revision", report.revision},
        {"db_bench", report.db_bench_version}}},
      {"notes", report.notes},
      {"limits", report.limits ? ToJson(*report.limits) : Json(nullptr)},
      {"candidates", std::move(candidates)},
      {"baseline", report.baseline()},
      {"workloads", std::move(workloads)}};
  // What a program printed may be no UTF-8.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool FromJson(const std::string& text, Report* report, std::string* error) {
  try {
    const Json json = Json::parse(text);
    if (json.at("format") != kFormat) {
      *error = "a report of another format: " + json.at("format").dump();
      return false;
    }
    report->is_complete = json.at("complete");
    report->started = json.at("started");
    report->preset = json.at("preset");
    report->machine.cpu = json.at("machine").at("cpu");
    report->disk.device = json.at("disk").at("device");
    report->uringfs_version = json.at("versions").at("uringfs");
    report->revision = json.at("versions").at("revision");
    for (const Json& candidate : json.at("candidates")) {
      report->candidates.emplace_back().name = candidate.at("name");
    }
    for (const Json& workload : json.at("workloads")) {
      FromJson(workload, &report->workloads.emplace_back());
    }
  } catch (const Json::exception& problem) {
    *error = problem.what();
    return false;
  }
  return true;
}

}  // namespace uringfs::bench
