// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The charts. Each takes the width it has and gives a picture.
'use strict';

const VERDICT_KINDS = new Map([
  ['faster', 'win'], ['slower', 'loss'], ['no difference', 'even'],
]);

// A doubtful result is neither a win nor a loss, whatever its number.
function verdictKind(result) {
  if (result.doubtful) return 'doubtful';
  return VERDICT_KINDS.get(result.ratio && result.ratio.verdict) || 'open';
}

function verdictText(result) {
  const verdict = result.ratio ? result.ratio.verdict : '';
  if (result.rounds.length === 0) return 'no result';
  if (!result.doubtful) return verdict;
  return verdict === '' ? 'doubtful' : verdict + ', doubtful';
}

// --- ratios of all workloads ------------------------------------------------

const compared = workload =>
  workload.results.filter(r => r.ratio !== null && r.ratio.median !== null);

function ratioScale(workloads, begin, end) {
  const all = workloads.flatMap(compared).flatMap(r =>
    known([r.ratio.median, r.ratio.low, r.ratio.high, ...r.ratio.rounds]));
  const from = Math.min(0.9, ...all) * 0.97;
  const to = Math.max(1.1, ...all) * 1.03;
  const scale = logarithmic(from, to, begin, end);
  return {scale, ticks: logTicks(from, to, scale, 34, 5)};
}

function ratioRow(result, at, scale) {
  const {median, low, high, rounds: values} = result.ratio;
  const [one, end] = [scale(1), scale(median)];
  const kind = verdictKind(result);
  return tag('g', {class: 'row ' + kind}, tag('rect', {
    class: 'bar ' + kind, 'data-candidate': result.candidate,
    x: Math.min(one, end), y: at - 6, height: 12,
    width: Math.max(1, Math.abs(end - one)),
  }, hint(`${result.candidate}: ${ratioText(median)} ` +
    `(${range(low, high)}) ${verdictText(result)}`)) +
    rounds(at, low, high, values, scale, ratioText));
}

// Names at the left and numbers at the right of the bars; on a narrow screen
// both go above them.
function drawRatios(report, width) {
  const workloads = report.workloads.filter(w => compared(w).length > 0);
  const names = workloads.flatMap(compared).map(r => textWidth(r.candidate));
  const narrow = width < 620;
  const left = narrow ? 8 : Math.min(200, 24 + Math.max(...names));
  const right = narrow ? width - 8 : width - 210;
  const {scale, ticks} = ratioScale(workloads, left, right);
  const tall = workloads.flatMap(compared).length > 16;
  let y = tall ? 38 : 22;
  let rows = '';
  const bands = [];  // where the grid is, so that it does not cross titles
  workloads.forEach((workload, i) => {
    y += i === 0 ? 26 : 20;
    rows += tag('a', {href: '#workload-' + report.workloads.indexOf(workload)},
      label(0, y, workload.title + (workload.byP99 ? ' (p99)' : ''),
        'group'));
    y += narrow ? 6 : 4;
    if (!narrow) bands.push([y, y + 24 * compared(workload).length]);
    for (const result of compared(workload)) {
      const kind = verdictKind(result);
      const number = ratioText(result.ratio.median);
      if (narrow) {
        y += 14;
        rows += label(left, y, result.candidate, 'name') +
          label(right, y, `${number} ${verdictText(result)}`,
            'verdict ' + kind, 'end');
        y += 12;
        bands.push([y - 8, y + 8]);
      } else {
        y += 12;
        rows += label(left - 10, y + 4, result.candidate, 'name', 'end') +
          label(right + 66, y + 4, number, 'verdict ' + kind, 'end') +
          label(right + 76, y + 4, verdictText(result), 'verdict ' + kind);
      }
      rows += ratioRow(result, y, scale);
      y += 12;
    }
  });
  const bottom = y + 6;
  let body = '';
  for (const tick of ticks) {
    const at = scale(tick);
    const kind = tick === 1 ? 'one' : 'grid';
    body += bands.map(([from, to]) => line(at, from, at, to, kind)).join('') +
      label(at, bottom + 16, bare(tick) + TIMES, 'tick', 'middle') +
      (tall ? label(at, 34, bare(tick) + TIMES, 'tick', 'middle') : '');
  }
  const room = textWidth('\u2190 slower') + 8;
  if (scale(1) > room) {
    body += label(scale(1) - 8, 14, '\u2190 slower', 'side', 'end');
  }
  if (scale(1) + room < width) {
    body += label(scale(1) + 8, 14, 'faster \u2192', 'side');
  }
  return picture(width, bottom + 24, 'Ratios to ' + report.baseline,
    body + rows);
}

// --- throughput of one workload ---------------------------------------------

// A limit far away would leave no room for what was measured.
function nearLimit(workload, most) {
  const limit = workload.limit;
  return limit !== null && !limit.ofBytes && limit.perSecond <= most * 2.5
    ? limit : null;
}

function limitLabel(limit, at, width) {
  const text = `limit: ${count(limit.perSecond)} ${limit.what} per second`;
  const half = textWidth(text) / 2;
  const [x, anchor] = at + half > width ? [width, 'end']
    : at < half ? [0, 'start'] : [at, 'middle'];
  return line(at, 18, at, 24, 'limit') + label(x, 12, text, 'side', anchor);
}

function drawThroughput(workload, styles, width) {
  const results = workload.results.map(r => {
    const values = r.rounds.map(v => v.ops_per_second);
    return {name: r.candidate, median: r.median.ops_per_second, values,
      all: known([...values, r.median.ops_per_second])};
  }).filter(r => r.all.length > 0);
  const most = Math.max(0, ...results.flatMap(r => r.all));
  const limit = nearLimit(workload, most);
  const end = limit === null ? most : Math.max(most, limit.perSecond);
  const box = {left: 1, right: width - 16, top: limit === null ? 4 : 24};
  const scale = linear(0, end * 1.02, box.left, box.right);
  const show = x => `${count(x)} ${workload.unit}`;
  const bottom = box.top + results.length * 38 + 2;
  let grid = line(box.left, box.top, box.left, bottom, 'axis');
  for (const tick of linearTicks(end, Math.max(2, width / 80))) {
    grid += line(scale(tick), box.top, scale(tick), bottom, 'grid') +
      label(scale(tick), bottom + 16, count(tick, bare), 'tick',
        tick === 0 ? 'start' : 'middle');
  }
  let bars = '';
  let marks = '';
  results.forEach(({name, median, values}, i) => {
    const y = box.top + i * 38;
    const text = name + (median === null ? '' : ': ' + show(median));
    marks += label(box.left + 5, y + 15, text, 'name');
    if (limit !== null) {
      // Not across the text, which may be longer than a bar.
      const at = scale(limit.perSecond);
      const covered = at < box.left + 11 + textWidth(text);
      marks += line(at, covered ? y + 18 : y, at, y + 38, 'limit');
    }
    if (median !== null) {
      bars += tag('rect', {
        class: `bar fill-${styles.get(name)}`, 'data-candidate': name,
        x: box.left, y: y + 20, height: 12,
        width: Math.max(1, scale(median) - box.left),
      }, hint(`${name}: ${show(median)}`));
    }
    const few = known(values);
    marks += rounds(y + 26, few.length > 0 ? Math.min(...few) : null,
      few.length > 0 ? Math.max(...few) : null, values, scale, show);
  });
  if (limit !== null) {
    bars += limitLabel(limit, scale(limit.perSecond), width);
  }
  return picture(width, bottom + 24, 'Throughput of ' + workload.title,
    grid + bars + marks);
}

// --- latency ----------------------------------------------------------------

const withLatency = workload =>
  workload.results.filter(r => r.latency.length > 0);
const total = result => result.latency.reduce((sum, b) => sum + b.count, 0);

function latencyAxis(buckets, box) {
  const from = Math.min(...buckets.map(b => b.from));
  const to = Math.max(...buckets.map(b => b.to));
  const scale = logarithmic(from, to, box.left, box.right);
  return {scale, show: x => micros(x, bare),
    ticks: logTicks(from, to, scale, 46, 2)};
}

const plotBox = (width, height, left) =>
  ({left, right: width - 14, top: 10, bottom: height - 26});

// Buckets too rare to rise from the axis are left to the chart of the tail:
// they would take half of the width.
function drawLatency(workload, styles, width) {
  const results = withLatency(workload).map(r => {
    const all = total(r);
    const buckets = r.latency.map(b => ({...b, share: b.count / all}));
    const least = 0.01 * Math.max(...buckets.map(b => b.share));
    return {candidate: r.candidate,
      buckets: buckets.filter(b => b.share >= least)};
  });
  const box = plotBox(width, 230, 44);
  const x = latencyAxis(results.flatMap(r => r.buckets), box);
  const most = Math.max(
    ...results.flatMap(r => r.buckets.map(b => b.share)));
  const y = {
    scale: linear(0, most * 1.05, box.bottom, box.top),
    ticks: linearTicks(most, 4), show: v => bare(v * 100) + NB + '%',
  };
  let body = frame(box, x, y);
  for (const result of results) {
    const points = [];
    for (const bucket of result.buckets) {
      const [from, to] = [x.scale(bucket.from), x.scale(bucket.to)];
      const last = points.at(-1);
      // An empty bucket is not in the report: down to the axis between.
      if (!last || from - last[0] > 0.5) {
        if (last) points.push([last[0], box.bottom]);
        points.push([from, box.bottom]);
      }
      const height = y.scale(bucket.share);
      points.push([from, height], [to, height]);
    }
    if (points.length > 0) points.push([points.at(-1)[0], box.bottom]);
    body += path(points, `line stroke-${styles.get(result.candidate)}`);
  }
  return picture(width, 230, 'Latency of ' + workload.title, body);
}

// The share of operations slower than x: where the rare slow ones show.
function drawTail(workload, styles, width) {
  const results = withLatency(workload);
  const box = plotBox(width, 230, 66);
  const x = latencyAxis(results.flatMap(r => r.latency), box);
  const least = 1 / Math.max(...results.map(total));
  const floor = Math.max(1e-6, Math.min(0.1,
    Math.pow(10, Math.floor(Math.log10(least) + 1e-9))));
  const scale = logarithmic(floor, 1, box.bottom, box.top);
  const y = {
    scale, ticks: logTicks(floor, 1, scale, 18, 1),
    show: v => bare(v * 100) + NB + '%',
  };
  let body = frame(box, x, y);
  for (const result of results) {
    const all = total(result);
    let rest = all;
    const points = [[x.scale(result.latency[0].from), y.scale(1)]];
    for (const bucket of result.latency) {
      points.push([x.scale(bucket.from), points.at(-1)[1]]);
      rest -= bucket.count;
      points.push([x.scale(bucket.to), rest > 0
        ? Math.min(box.bottom, y.scale(rest / all)) : box.bottom]);
    }
    body += path(points, `line stroke-${styles.get(result.candidate)}`);
  }
  return picture(width, 230, 'Slow operations of ' + workload.title, body);
}

// --- one round over time ----------------------------------------------------

const withSeries = workload =>
  workload.results.filter(r => r.series.length > 1);

// A strip for each candidate, all with the same axes: lines on top of each
// other hide just the moments when one of them stands still.
function drawSeries(workload, styles, width) {
  const results = withSeries(workload);
  const box = {left: 44, right: width - 14, top: 4};
  const last = Math.max(...results.flatMap(r => r.series.map(p => p.second)));
  const most = Math.max(...results.flatMap(
    r => r.series.map(p => p.ops_per_second)));
  const x = linear(0, last, box.left, box.right);
  const [height, head] = [58, 20];
  let top = box.top;
  let body = '';
  for (const result of results) {
    const inside = {...box, top: top + head, bottom: top + head + height};
    for (const span of result.compactions) {
      const [from, to] = [Math.max(0, span.begin), Math.min(last, span.end)];
      if (from >= to) continue;
      body += tag('rect', {
        class: 'compaction', x: x(from), y: inside.top, height,
        width: Math.max(1, x(to) - x(from)),
      }, hint(`compaction from ${digits(from)} s to ${digits(to)} s`));
    }
    const y = linear(0, most * 1.05 || 1, inside.bottom, inside.top);
    body += label(box.left, top + 14, result.candidate, 'name') +
      frame(inside, {ticks: [], scale: x}, {
        ticks: linearTicks(most, 2), scale: y, show: v => count(v, bare),
      }) +
      path(result.series.map(p => [x(p.second), y(p.ops_per_second)]),
        `line solid stroke-${styles.get(result.candidate)}`);
    top = inside.bottom;
  }
  for (const tick of linearTicks(last, Math.max(2, width / 90))) {
    body += label(x(tick), top + 16, bare(tick) + NB + 's', 'tick', 'middle');
  }
  return picture(width, top + 24, 'Throughput over time, ' + workload.title,
    body);
}
