// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Puts the page together, and draws the charts again whenever the room they
// have changes. The last of the scripts.
'use strict';

// Charts wait here until their places are on the page and have a width.
let charts = [];

function chart(title, explanation, draw) {
  charts.push({draw, width: 0});
  return tag('figure', {}, tag('figcaption', {}, tag('b', {}, esc(title)) +
    ' ' + tag('span', {class: 'muted'}, esc(explanation))) +
    tag('div', {class: 'chart', 'data-chart': charts.length - 1}));
}

// All widths first: each one read after a picture would be a new layout.
function drawCharts() {
  const places = [...document.querySelectorAll('[data-chart]')];
  const widths = places.map(place => Math.max(240, place.clientWidth));
  places.forEach((place, i) => {
    const one = charts[place.dataset.chart];
    if (one.width === widths[i]) return;
    one.width = widths[i];
    place.innerHTML = one.draw(widths[i]);
  });
}

// --- parts of the page ------------------------------------------------------

function banners(report) {
  const said = [];
  if (!report.complete) {
    said.push('This report is incomplete: the run ended early, or part of ' +
      'it failed. What is here was measured; what is missing was not.');
  }
  const doubtful = report.workloads.flatMap(w =>
    w.results.filter(r => r.doubts.length > 0)
      .map(r => `${r.candidate} in \u201c${w.title}\u201d`));
  if (doubtful.length > 0) {
    said.push(few(doubtful.length, 'result is', 'results are') +
      ` in doubt: ${doubtful.join('; ')}. See below why.`);
  }
  return said.map(text =>
    tag('p', {class: 'banner', role: 'note'}, esc(text))).join('');
}

function heading(report) {
  const names = [...report.candidates.keys()].join(', ');
  const line = [
    report.started === '' ? '' : dateText(report.started),
    report.preset === '' ? '' : 'preset ' + report.preset,
    report.rounds === null ? '' : few(report.rounds, 'round', 'rounds'),
    report.seed === '' ? '' : 'seed ' + report.seed,
    report.seconds === null ? '' : duration(report.seconds),
  ];
  const notes = report.notes.length === 0 ? '' : tag('ul', {class: 'notes'},
    report.notes.map(n => tag('li', {}, esc(n))).join(''));
  return tag('header', {}, tag('h1', {}, 'db_bench' +
    (names === '' ? '' : ': ' + esc(names))) +
    tag('p', {class: 'summary'}, joined(line)) + machineFacts(report) +
    banners(report) + notes);
}

function overview(report) {
  const any = report.workloads.some(w => compared(w).length > 0);
  const picture = any ? chart(`Ratio to ${report.baseline || 'baseline'}`,
    'bar: median of the rounds; line: lowest to highest; dots: rounds. ' +
    'Log axis.', width => drawRatios(report, width)) : '';
  return tag('section', {id: 'overview'}, tag('h2', {}, 'Overview') +
    scoreLines(report) + picture +
    (report.candidates.size > 0 ? candidateList(report) : ''));
}

function limits(report) {
  const tables = limitTables(report.limits);
  return tables === '' ? '' : tag('section', {id: 'limits'},
    tag('h2', {}, 'What the disk can do') +
    tag('p', {class: 'lead'},
      'Plain system calls without RocksDB, in the same file system.') +
    tag('div', {class: 'limits'}, tables));
}

function legend(results, report) {
  return tag('p', {class: 'legend'}, results.map(r => tag('span', {},
    swatch(report.candidates.get(r.candidate).style) + ' ' +
    esc(r.candidate))).join(' '));
}

function plots(workload, report) {
  const styles = new Map([...report.candidates.values()]
    .map(c => [c.name, c.style]));
  const drawn = draw => width => draw(workload, styles, width);
  const drawings = [];
  const add = (...one) => drawings.push(chart(...one));
  const measured = workload.results.some(r =>
    r.median.ops_per_second !== null ||
    known(r.rounds.map(v => v.ops_per_second)).length > 0);
  if (measured) {
    add('Throughput', workload.unit + ', median and rounds',
      drawn(drawThroughput));
  }
  if (withSeries(workload).length > 0) {
    const shaded = withSeries(workload).some(r => r.compactions.length > 0);
    add('One round over time', workload.unit +
      (shaded ? '; shaded: a compaction runs' : ''), drawn(drawSeries));
  }
  const timed = withLatency(workload);
  if (timed.length > 0) {
    add('Latency', 'share of operations by time',
      drawn(drawLatency));
    add('Slow operations', 'share that took longer',
      drawn(drawTail));
  }
  return (timed.length > 0 ? legend(timed, report) : '') +
    (drawings.length === 0 ? '' : tag('div',
      {class: drawings.length === 3 ? 'plots three' : 'plots'},
      drawings.join('')));
}

function details(title, body) {
  return body === '' ? '' : tag('details', {},
    tag('summary', {}, title) + body);
}

function workloadSection(workload, index, report) {
  const {limit} = workload;
  const lead = [
    workload.isolates === '' ? '' : `Isolates ${workload.isolates}.`,
    limit === null ? '' : `The disk\u2019s limit: ${limit.ofBytes
      ? rate(limit.perSecond) + ' ' + limit.what.replace(/^bytes /, '')
      : count(limit.perSecond) + ' ' + limit.what + ' per second'}.`,
    workload.byP99 ? 'Judged by its p99, not by throughput: faster is a ' +
      'shorter one.' : '',
  ].filter(s => s !== '').join(' ');
  const commands = workload.results.filter(r => r.command !== '').map(r =>
    tag('p', {}, esc(r.candidate)) + tag('pre', {}, esc(r.command))).join('');
  return tag('section', {
    class: 'workload', id: 'workload-' + index,
    'data-workload': workload.name,
  }, tag('h2', {}, esc(workload.title)) +
    tag('p', {class: 'lead'}, esc(lead)) +
    resultTable(workload, report) + plots(workload, report) +
    details('Every round', roundTable(workload)) +
    details('Exact commands', commands));
}

// --- the page ---------------------------------------------------------------

function showReport(raw) {
  const report = readReport(raw);
  const page = document.getElementById('page');
  charts = [];
  if (!report.present) {
    page.innerHTML = tag('p', {class: 'banner'}, 'No report in this page.');
    return;
  }
  page.innerHTML = heading(report) + overview(report) + limits(report) +
    report.workloads.map((w, i) => workloadSection(w, i, report)).join('') +
    tag('footer', {}, 'A ratio is taken within a round, where all candidates ' +
      'run one after the other, and the median of the ratios counts. ' +
      '\u201cNo difference\u201d: the rounds, or the 99.9 % interval ' +
      'around them, lie on both sides of 1.');
  drawCharts();
}

// For tests, and for whoever wonders: which colours the page came out in.
function noteScheme() {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const note = () => {
    const root = document.documentElement;
    root.dataset.scheme = dark.matches ? 'dark' : 'light';
    root.dataset.background =
      getComputedStyle(document.body).backgroundColor;
  };
  note();
  dark.addEventListener('change', note);
}

try {
  noteScheme();
  showReport(report);
  addEventListener('resize', drawCharts);
} catch (error) {
  showError(error && error.stack || String(error));
}
