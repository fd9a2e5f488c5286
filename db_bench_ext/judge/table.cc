// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>

#include "db_bench_ext/judge/text.h"

namespace uringfs::bench {
namespace {

constexpr size_t kNameWidth = 16;

std::string Bytes(double bytes) {
  const char* const units[] = {"B", "KB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < std::size(units)) {
    bytes /= 1000;
    ++unit;
  }
  return Short(bytes) + " " + units[unit];
}

std::string Cell(const std::optional<double>& value) {
  return value ? Short(*value) : "-";
}

std::string Verdict(const std::optional<Ratio>& ratio) {
  if (!ratio) {
    return "";
  }
  // Numbers of one digit more than the rest: they are what one looks for.
  return Format("%.2f (%.2f..%.2f) %s", ratio->median, ratio->low, ratio->high,
                ratio->verdict == "slower" ? "SLOWER" : ratio->verdict.c_str());
}

std::string RowOf(const WorkloadResult& workload,
                  const CandidateResult& result) {
  const std::optional<double> user = MedianOf(result, UserSecondsOf);
  const std::optional<double> system = MedianOf(result, SystemSecondsOf);
  return Format("  %-*s %10s  %8s %8s %8s  %11s  %6s  %6s  %s\n",
                static_cast<int>(kNameWidth), result.candidate.c_str(),
                Cell(MedianOf(result, OpsOf)).c_str(),
                Cell(MedianOf(result, P50Of)).c_str(),
                Cell(MedianOf(result, P99Of)).c_str(),
                Cell(MedianOf(result, P999Of)).c_str(),
                (Cell(user) + "+" + Cell(system)).c_str(),
                Cell(MedianOf(result, DeviceBytesPerUserByteOf)).c_str(),
                Cell(PartOfLimit(workload, result)).c_str(),
                Verdict(result.ratio).c_str());
}

std::string Limits(const DiskLimits& limits) {
  std::string text = Format(
      "   durable overwrite: %s us (p99 %s), %s/s; write and flush: %s us\n",
      Short(limits.durable_overwrite.p50_us).c_str(),
      Short(limits.durable_overwrite.p99_us).c_str(),
      Short(limits.durable_overwrite.per_second).c_str(),
      Short(limits.flush.p50_us).c_str());
  const WriteRate* best = nullptr;
  for (const WriteRate& rate : limits.direct_write) {
    best = best == nullptr || rate.bytes_per_second > best->bytes_per_second
               ? &rate
               : best;
  }
  if (best != nullptr) {
    text += Format("   direct writes: up to %s/s (%u KiB, depth %u)\n",
                   Bytes(best->bytes_per_second).c_str(), best->bytes / 1024,
                   best->depth);
  }
  for (const ReadRate& rate : limits.random_read) {
    text += Format("   random reads of 4 KiB, depth %u: %s/s\n", rate.depth,
                   Short(rate.per_second).c_str());
  }
  return text;
}

// Of the rounds a report has measured, by workload and candidate.
const CandidateResult* Find(const Report& report, const std::string& workload,
                            const std::string& candidate) {
  for (const WorkloadResult& one : report.workloads) {
    for (const CandidateResult& result : one.results) {
      if (one.name == workload && result.candidate == candidate) {
        return &result;
      }
    }
  }
  return nullptr;
}

}  // namespace

std::string Short(double number) {
  const double size = std::fabs(number);
  if (size == 0) {
    return "0";
  }
  if (size < 100) {
    const int digits = size < 1 ? 3 : size < 10 ? 2 : 1;
    return Format("%.*f", digits, number);
  }
  std::string digits = Format("%.0f", number);
  for (size_t at = digits.size(); at > 3 + (number < 0 ? 1u : 0u);) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string HeadOf(const Report& report) {
  const DiskFacts& disk = report.disk;
  std::string text = Format(
      "== %s; %u CPUs (%s), %s of memory; Linux %s\n", report.started.c_str(),
      report.machine.cpus, report.machine.cpu.c_str(),
      Bytes(static_cast<double>(report.machine.memory_bytes)).c_str(),
      report.machine.kernel.c_str());
  text += Format("   %s on %s%s%s%s; db_bench %s, uringfs %s\n",
                 disk.file_system.c_str(),
                 disk.device.empty() ? "no disk" : disk.device.c_str(),
                 disk.model.empty() ? "" : (" " + disk.model).c_str(),
                 disk.write_cache.empty() ? "" : ", write cache: ",
                 disk.write_cache.c_str(), report.db_bench_version.c_str(),
                 report.uringfs_version.c_str());
  if (report.limits) {
    text += Limits(*report.limits);
  }
  for (const std::string& note : report.notes) {
    text += "   note: " + note + "\n";
  }
  return text;
}

std::string TableOf(const WorkloadResult& workload) {
  std::string text = "\n" + workload.title;
  if (!workload.isolates.empty()) {
    text += ": " + workload.isolates;
  }
  text += Format("\n  %-*s %10s  %8s %8s %8s  %11s  %6s  %6s  %s\n",
                 static_cast<int>(kNameWidth), "", workload.unit.c_str(),
                 "p50 us", "p99", "p99.9", "CPU s u+s", "disk/B", "limit",
                 workload.metric == "p99_us" ? "p99, as a speed" : "ratio");
  for (const CandidateResult& result : workload.results) {
    text += RowOf(workload, result);
    for (const std::string& doubt : result.doubts) {
      text += "    !! " + doubt + "\n";
    }
  }
  return text;
}

std::vector<Change> ChangesOf(const Report& older, const Report& newer) {
  std::vector<Change> changes;
  for (const WorkloadResult& workload : newer.workloads) {
    for (const CandidateResult& result : workload.results) {
      const CandidateResult* before =
          Find(older, workload.name, result.candidate);
      if (before != nullptr && before->ratio && result.ratio) {
        changes.push_back(
            {workload.name, result.candidate,
             Quotient(result.ratio->rounds, before->ratio->rounds)});
      }
    }
  }
  return changes;
}

std::vector<std::string> FaultsOf(const Report& older, const Report& newer) {
  std::vector<std::string> faults;
  if (!newer.is_complete) {
    faults.emplace_back("the newer report is incomplete");
  }
  for (const WorkloadResult& workload : older.workloads) {
    for (const CandidateResult& result : workload.results) {
      const CandidateResult* now = Find(newer, workload.name, result.candidate);
      if (!result.rounds.empty() && (now == nullptr || now->rounds.empty())) {
        faults.push_back("the newer report lacks " + workload.name + " of " +
                         result.candidate);
      }
    }
  }
  for (const WorkloadResult& workload : newer.workloads) {
    for (const CandidateResult& result : workload.results) {
      for (const std::string& doubt : result.doubts) {
        faults.push_back(workload.name + ", " + result.candidate + ": " +
                         doubt);
      }
    }
  }
  return faults;
}

std::string NotesOnBoth(const Report& older, const Report& newer) {
  std::string notes;
  if (older.machine.cpu != newer.machine.cpu ||
      older.disk.device != newer.disk.device) {
    notes += "note: the reports are of different machines\n";
  }
  if (older.preset != newer.preset) {
    notes += "note: the reports are of different presets: " + older.preset +
             " and " + newer.preset + "\n";
  }
  if (!older.is_complete) {
    notes += "note: the older report is incomplete\n";
  }
  return notes;
}

std::string TableOf(const std::vector<Change>& changes) {
  size_t width = 8;
  for (const Change& change : changes) {
    width = std::max(width, change.workload.size());
  }
  std::string text = Format("%-*s  %-*s  new to old, each to its baseline\n",
                            static_cast<int>(width), "workload",
                            static_cast<int>(kNameWidth), "candidate");
  for (const Change& change : changes) {
    text += Format("%-*s  %-*s  %s\n", static_cast<int>(width),
                   change.workload.c_str(), static_cast<int>(kNameWidth),
                   change.candidate.c_str(), Verdict(change.ratio).c_str());
  }
  return text;
}

}  // namespace uringfs::bench
