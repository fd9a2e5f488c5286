// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Reads the report into a structure without surprises: every list is a list,
// every text a string, every number a finite one or null. What is missing or
// of the wrong type is absent, never an error; so nothing behind this file
// has to ask.
'use strict';

const isObject = x =>
  x !== null && typeof x === 'object' && !Array.isArray(x);
const object = x => isObject(x) ? x : {};
const objects = x => Array.isArray(x) ? x.filter(isObject) : [];
const number = x => typeof x === 'number' && isFinite(x) ? x : null;
const positive = x => number(x) !== null && x > 0 ? x : null;
const numbers = x => Array.isArray(x) ? x.map(number) : [];
const string = x =>
  typeof x === 'string' ? x : number(x) !== null ? String(x) : '';
const strings = x =>
  Array.isArray(x) ? x.map(string).filter(s => s !== '') : [];
const known = list => list.filter(x => x !== null);

function pick(from, keys, read) {
  const source = object(from);
  return Object.fromEntries(keys.map(key => [key, read(source[key])]));
}

const VALUES = [
  'ops_per_second', 'operations', 'wall_seconds', 'p50_us', 'p99_us',
  'p999_us', 'user_seconds', 'system_seconds', 'user_bytes', 'device_bytes',
  'device_writes', 'device_flushes', 'device_bytes_per_user_byte', 'of_limit',
];
const readValues = from => pick(from, VALUES, number);

function readRatio(from) {
  if (!isObject(from)) return null;
  const ends = numbers(from.interval);
  const whole = ends.length === 2 && known(ends).length === 2;
  return {
    ...pick(from, ['median', 'low', 'high'], positive),
    rounds: Array.isArray(from.rounds) ? from.rounds.map(positive) : [],
    interval: whole ? ends : null,
    verdict: string(from.verdict),
  };
}

// Buckets that hold something, ascending; the axis is logarithmic, so the
// bucket from 0 begins somewhere below its end.
function readLatency(from) {
  return objects(from)
    .map(b => pick(b, ['from_us', 'to_us', 'count'], number))
    .filter(b => b.count > 0 && b.to_us > 0 && b.from_us < b.to_us)
    .map(b => ({
      from: b.from_us > 0 ? b.from_us : b.to_us / 2,
      to: b.to_us,
      count: b.count,
    }))
    .sort((a, b) => a.from - b.from);
}

// Compactions run side by side: one shade for any number of them.
function readSpans(from) {
  const spans = [];
  const sorted = objects(from)
    .map(s => pick(s, ['begin', 'end'], number))
    .filter(s => s.begin !== null && s.end !== null && s.begin < s.end)
    .sort((a, b) => a.begin - b.begin);
  for (const span of sorted) {
    const last = spans.at(-1);
    if (last && span.begin <= last.end) {
      last.end = Math.max(last.end, span.end);
    } else {
      spans.push(span);
    }
  }
  return spans;
}

function readResult(from) {
  return {
    candidate: string(from.candidate),
    command: string(from.command),
    rounds: objects(from.rounds).map(readValues),
    median: readValues(from.median),
    ratio: readRatio(from.ratio),
    latency: readLatency(from.latency),
    series: objects(from.series)
      .map(p => pick(p, ['second', 'ops_per_second'], number))
      .filter(p => p.second !== null && p.ops_per_second !== null)
      .sort((a, b) => a.second - b.second),
    compactions: readSpans(from.compactions),
    doubts: strings(from.doubts),
  };
}

function readWorkload(from, baseline) {
  const limit = object(from.limit);
  const workload = {
    name: string(from.name),
    title: string(from.title) || string(from.name) || 'workload',
    isolates: string(from.isolates),
    unit: string(from.unit) || 'ops/s',
    byP99: from.metric === 'p99_us',
    limit: positive(limit.per_second) === null ? null : {
      what: string(limit.what),
      perSecond: limit.per_second,
      ofBytes: limit.of_bytes === true,
    },
    results: objects(from.results).map(readResult),
  };
  // A ratio is no better than what it divides by.
  const base = workload.results.find(r => r.candidate === baseline);
  for (const result of workload.results) {
    result.doubtful = result.doubts.length > 0 ||
      (result.ratio !== null && base !== undefined && base.doubts.length > 0);
  }
  return workload;
}

function readLimits(from) {
  const limits = object(from);
  // 0 stands for what was not measured.
  const one = x => pick(x, ['p50_us', 'p99_us', 'per_second'], positive);
  return {
    durableOverwrite: one(limits.durable_overwrite),
    flush: one(limits.flush),
    directWrite: objects(limits.direct_write)
      .map(x => pick(x, ['bytes', 'depth', 'bytes_per_second'], positive))
      .filter(x => x.bytes !== null && x.bytes_per_second !== null),
    randomRead: objects(limits.random_read)
      .map(x => pick(x, ['depth', 'per_second'], positive))
      .filter(x => x.per_second !== null),
  };
}

// The baseline has style 0, the others the next ones in the order given, and
// from the ninth on the same again.
// Whoever has a result is a candidate, even if the list forgot it.
function readCandidates(list, workloads, baseline) {
  const candidates = new Map();
  const add = (name, from) => {
    if (candidates.has(name)) return;
    candidates.set(name, {
      name,
      meaning: string(from.meaning),
      flags: strings(from.flags),
      environment: strings(from.environment),
    });
  };
  for (const from of objects(list)) add(string(from.name), from);
  for (const w of workloads) {
    for (const r of w.results) add(r.candidate, {});
  }
  let others = 0;
  for (const candidate of candidates.values()) {
    candidate.style = candidate.name === baseline ? 0 : others++ % 7 + 1;
  }
  return candidates;
}

function readReport(raw) {
  const from = object(raw);
  const baseline = string(from.baseline);
  const workloads =
    objects(from.workloads).map(w => readWorkload(w, baseline));
  const disk = object(from.disk);
  const flag = x => typeof x === 'boolean' ? x : null;
  return {
    present: isObject(raw),
    complete: from.complete !== false,
    ...pick(from, ['started', 'preset', 'seed'], string),
    ...pick(from, ['seconds', 'rounds'], number),
    machine: {
      ...pick(from.machine, ['cpu', 'kernel', 'system'], string),
      ...pick(from.machine, ['cpus', 'memory_bytes'], number),
    },
    disk: {
      ...pick(disk, ['file_system', 'mount_options', 'device', 'model',
        'write_cache', 'scheduler'], string),
      fua: flag(disk.fua),
      rotational: flag(disk.rotational),
      size: number(disk.size_bytes),
    },
    versions: pick(from.versions, ['uringfs', 'revision', 'db_bench'], string),
    notes: strings(from.notes),
    limits: readLimits(from.limits),
    baseline,
    workloads,
    candidates: readCandidates(from.candidates, workloads, baseline),
  };
}
