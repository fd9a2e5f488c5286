// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Tables and other text. A column without any data is left out.
'use strict';

const NOTHING = tag('span', {class: 'muted'}, '\u2013');

// columns: {head, of: row -> markup or '', kind, note}. `after` may give
// markup of one more row that spans the table. On a narrow screen a row
// becomes a card, and its cells name themselves by data-head.
function table(rows, columns, after) {
  const shown = columns.map(c => ({...c, cells: rows.map(c.of)}))
    .filter(column => column.cells.some(cell => cell !== ''));
  if (shown.length === 0 || rows.length === 0) return '';
  const head = shown.map(column =>
    tag('th', {class: column.kind, scope: 'col', title: column.note},
      esc(column.head))).join('');
  const body = rows.map((row, i) => {
    const cells = shown.map(column => tag('td',
      {class: column.kind, 'data-head': column.head},
      column.cells[i] || NOTHING)).join('');
    const more = after ? after(row) : '';
    return tag('tr', {class: more ? 'open' : null}, cells) + (more
      ? tag('tr', {class: 'more'}, tag('td', {colspan: shown.length}, more))
      : '');
  }).join('');
  return tag('div', {class: 'scroll'}, tag('table', {},
    tag('thead', {}, tag('tr', {}, head)) + tag('tbody', {}, body)));
}

// [name, markup or ''] pairs.
function facts(pairs) {
  return tag('dl', {class: 'facts'}, pairs.filter(p => p[1] !== '')
    .map(p => tag('div', {}, tag('dt', {}, esc(p[0])) +
      tag('dd', {}, p[1]))).join(''));
}

const swatch = style => tag('svg', {
  class: 'swatch', width: 26, height: 10, viewBox: '0 0 26 10',
  'aria-hidden': 'true',
}, line(0, 5, 26, 5, `line stroke-${style}`));

function joined(parts) {
  return esc(parts.filter(p => p !== '').join(', '));
}

// --- the head of the page ---------------------------------------------------

function machineFacts(report) {
  const {machine: m, disk: d, versions: v} = report;
  const cpus = m.cpus === null ? '' : few(m.cpus, 'CPU', 'CPUs');
  const memory = m.memory_bytes === null ? '' : binary(m.memory_bytes);
  const kind = d.rotational === null ? ''
    : d.rotational ? 'rotating' : 'not rotating';
  const fua = d.fua === null ? '' : d.fua ? 'FUA' : 'no FUA';
  const named = (name, value) => value === '' ? '' : name + ' ' + value;
  return facts([
    ['Machine', joined([m.cpu, cpus, memory])],
    ['System', joined([m.system, named('kernel', m.kernel)])],
    ['Disk', joined([d.device, d.model, d.size === null ? '' : bytes(d.size),
      kind, named('scheduler', d.scheduler)])],
    ['Write cache', joined([d.write_cache, fua])],
    ['File system', joined([d.file_system, d.mount_options])],
    ['Versions', joined([named('uringfs', v.uringfs),
      named('revision', v.revision), named('db_bench', v.db_bench)])],
  ]);
}

function candidateList(report) {
  const items = [...report.candidates.values()].map(c => {
    const how = [...c.environment, ...c.flags];
    const base = c.name === report.baseline
      ? tag('span', {class: 'muted'}, ' baseline') : '';
    return tag('dt', {}, swatch(c.style) + ' ' + esc(c.name) + base) +
      tag('dd', {}, esc(c.meaning) +
        (how.length === 0 ? '' : ' ' + tag('code', {}, esc(how.join(' ')))));
  });
  return tag('dl', {class: 'candidates'}, items.join(''));
}

// "uringfs: faster in 3 of 5 workloads, ...": the page in one line for each.
function scoreLines(report) {
  const lines = [];
  for (const {name} of report.candidates.values()) {
    const results = report.workloads.flatMap(
      w => w.results.filter(r => r.candidate === name));
    if (name === report.baseline || results.length === 0) continue;
    const counts = new Map(
      [...VERDICT_KINDS.keys(), 'doubtful'].map(text => [text, 0]));
    for (const r of results) {
      const text = r.ratio === null ? 'no result'
        : r.doubtful ? 'doubtful' : r.ratio.verdict || 'no verdict';
      counts.set(text, (counts.get(text) || 0) + 1);
    }
    const said = [...counts].filter(([, n]) => n > 0)
      .map(([text, n]) => `${text} in ${n}`);
    lines.push(tag('li', {}, tag('b', {}, esc(name)) +
      esc(`: ${said.join(', ')}, of ` +
        few(results.length, 'workload', 'workloads'))));
  }
  return lines.length === 0 ? '' : tag('ul', {class: 'score'}, lines.join(''));
}

// --- what the disk can do ---------------------------------------------------

function limitTables(limits) {
  const one = [['durable overwrite', limits.durableOverwrite],
    ['flush', limits.flush]]
    .filter(([, v]) => known(Object.values(v)).length > 0);
  const numeric = (head, of) => ({head, of, kind: 'number'});
  const durable = table(one, [
    {head: 'one after the other', of: r => esc(r[0])},
    numeric('p50', r => micros(r[1].p50_us)),
    numeric('p99', r => micros(r[1].p99_us)),
    numeric('per second', r => count(r[1].per_second)),
  ]);
  return [durable, writeTable(limits.directWrite),
    readTable(limits.randomRead)].filter(t => t !== '')
    .map(t => tag('div', {class: 'limit'}, t)).join('');
}

// A number with a bar behind it.
const level = (part, text) => tag('span',
  {class: 'level', style: `--part:${(part * 100).toFixed(1)}%`}, text);

function writeTable(writes) {
  const most = Math.max(...writes.map(w => w.bytes_per_second));
  const sizes = [...new Set(writes.map(w => w.bytes))];
  const depths = [...new Set(writes.map(w => w.depth))];
  return table(sizes, [
    {head: 'direct writes of', of: size => binary(size)},
    ...depths.map(depth => ({
      head: depth === null ? 'bytes/s' : depth + ' in flight',
      kind: 'number',
      of: size => {
        const w = writes.find(x => x.bytes === size && x.depth === depth);
        return w ? level(w.bytes_per_second / most, rate(w.bytes_per_second))
          : '';
      },
    })),
  ]);
}

function readTable(reads) {
  const most = Math.max(...reads.map(r => r.per_second));
  return table(reads, [
    {head: 'random reads', of: r => r.depth === null ? ''
      : r.depth + ' in flight'},
    {head: 'per second', kind: 'number',
      of: r => level(r.per_second / most, count(r.per_second))},
  ]);
}

// --- results of a workload --------------------------------------------------

function ratioCell(result) {
  if (result.ratio === null) return '';
  const {median, low, high} = result.ratio;
  const spread = range(low, high);
  return tag('span', {}, ratioText(median) + (spread === '' ? ''
    : ' ' + tag('small', {}, `(${spread})`)));
}

// What the verdict hangs on, beside the rounds themselves.
function intervalCell(result) {
  const interval = result.ratio && result.ratio.interval;
  return interval ? tag('small', {}, range(interval[0], interval[1])) : '';
}

function verdictCell(result, report) {
  if (result.candidate === report.baseline) {
    return tag('span', {class: 'muted'}, 'baseline');
  }
  const text = verdictText(result);
  return text === '' ? '' : tag('span',
    {class: 'verdict ' + verdictKind(result)}, esc(text));
}

function cpuCell({user_seconds: user, system_seconds: system}) {
  return user === null && system === null ? ''
    : `${digits(user) || '?'} + ${digits(system) || '?'}${NB}s`;
}

function doubtRow(result) {
  if (result.doubts.length === 0) return '';
  return tag('div', {class: 'doubts'}, tag('b', {}, 'Doubtful: ') +
    result.doubts.map(esc).join('; '));
}

function resultTable(workload, report) {
  const numeric = (head, of, note) => ({head, of, note, kind: 'number'});
  const median = (head, key, show, note) =>
    numeric(head, r => show(r.median[key]), note);
  return table(workload.results, [
    {head: 'candidate', kind: 'who', of: r => esc(r.candidate)},
    median(workload.unit, 'ops_per_second', count, 'median of the rounds'),
    numeric(workload.byP99 ? 'ratio of p99' : 'ratio', ratioCell,
      'median of the ratios within each round (lowest and highest)'),
    numeric('99.9 % interval', intervalCell,
      'where the true ratio is to be expected'),
    {head: 'verdict', of: r => verdictCell(r, report)},
    median('p50', 'p50_us', micros),
    median('p99', 'p99_us', micros),
    median('p99.9', 'p999_us', micros),
    numeric('CPU user + sys', r => cpuCell(r.median),
      'seconds of all threads in user code + in the kernel'),
    median('device/user B', 'device_bytes_per_user_byte', digits,
      'bytes written to the device for each byte of the user'),
    median('of limit', 'of_limit', percent,
      'above 100 %: several operations share one write'),
  ], doubtRow);
}

function roundTable(workload) {
  const rows = workload.results.flatMap(r => r.rounds.map((values, i) => ({
    ...values, candidate: r.candidate, round: i + 1,
    ratio: r.ratio && i < r.ratio.rounds.length ? r.ratio.rounds[i] : null,
  })));
  const column = (head, key, show) =>
    ({head, of: r => show(r[key]), kind: 'number'});
  return table(rows, [
    {head: 'candidate', kind: 'who', of: r => esc(r.candidate)},
    column('round', 'round', bare),
    column('ratio', 'ratio', ratioText),
    column(workload.unit, 'ops_per_second', count),
    column('operations', 'operations', count),
    column('wall', 'wall_seconds', seconds),
    column('p50', 'p50_us', micros),
    column('p99', 'p99_us', micros),
    column('p99.9', 'p999_us', micros),
    {head: 'CPU', of: cpuCell, kind: 'number'},
    column('user', 'user_bytes', x => x === 0 ? '' : bytes(x)),
    column('device', 'device_bytes', bytes),
    column('writes', 'device_writes', count),
    column('flushes', 'device_flushes', count),
  ]);
}
