// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What the charts are made of: scales, ticks, frames, marks. Pictures are
// strings that the HTML parser turns into SVG, at one unit per pixel: text
// has the same size in every chart and on every screen.
'use strict';

function picture(width, height, title, body) {
  return tag('svg', {
    viewBox: `0 0 ${Math.round(width)} ${Math.round(height)}`,
    width, height, role: 'img', 'aria-label': title,
  }, body);
}

const label = (x, y, text, kind, anchor) =>
  tag('text', {x, y, class: kind, 'text-anchor': anchor}, esc(text));
const hint = text => tag('title', {}, esc(text));
const line = (x1, y1, x2, y2, kind) =>
  tag('line', {x1, y1, x2, y2, class: kind});
const path = (points, kind) => points.length === 0 ? '' : tag('path', {
  class: kind,
  d: 'M' + points.map(p => p.map(v => v.toFixed(1)).join(' ')).join('L'),
});

// How wide a text is, roughly: enough to keep labels apart.
const textWidth = text => text.length * 7;

function linear(from, to, begin, end) {
  const span = to - from || 1;
  return x => begin + (x - from) / span * (end - begin);
}

function logarithmic(from, to, begin, end) {
  const scale = linear(Math.log(from), Math.log(to), begin, end);
  return x => scale(Math.log(Math.max(x, from / 1e3)));
}

// Round numbers from 0 to at most `most`: about `wanted` of them, and never
// 0 alone.
function linearTicks(most, wanted) {
  if (!(most > 0)) return [0];
  const raw = most / wanted;
  const power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = power * [1, 2, 5, 10].find(m => m * power >= raw * 0.999);
  const ticks = [];
  for (let i = 0; i * step <= most * 1.0001; i++) ticks.push(i * step);
  return ticks.length > 1 ? ticks : linearTicks(most, wanted * 2);
}

// Powers of ten first, then the numbers between, as long as there is room.
const MANTISSAS = [[1], [2, 5], [1.5, 3, 7], [1.2, 8], [1.1, 1.3, 6, 9]];
function logTicks(from, to, scale, gap, tiers) {
  const ticks = [];
  const first = Math.floor(Math.log10(from));
  const last = Math.ceil(Math.log10(to));
  for (const tier of MANTISSAS.slice(0, tiers)) {
    for (let power = first; power <= last; power++) {
      for (const mantissa of tier) {
        const x = Number((mantissa * Math.pow(10, power)).toPrecision(3));
        if (x < from * 0.999 || x > to * 1.001) continue;
        const near = t => Math.abs(scale(t) - scale(x)) < gap;
        if (!ticks.some(near)) ticks.push(x);
      }
    }
  }
  return ticks.sort((a, b) => a - b);
}

// Grid and labels of a chart with both axes. `box` is the inside.
function frame(box, x, y) {
  let body = '';
  for (const tick of y.ticks) {
    const at = y.scale(tick);
    body += line(box.left, at, box.right, at, 'grid');
    body += label(box.left - 6, at + 4, y.show(tick), 'tick', 'end');
  }
  for (const tick of x.ticks) {
    const at = x.scale(tick);
    body += line(at, box.top, at, box.bottom, 'grid');
    body += label(at, box.bottom + 16, x.show(tick), 'tick', 'middle');
  }
  return body + line(box.left, box.bottom, box.right, box.bottom, 'axis');
}

// One row of rounds: the line from the lowest to the highest, a dot each.
function rounds(at, low, high, values, scale, show) {
  let body = '';
  if (low !== null && high !== null) {
    const [from, to] = [scale(low), scale(high)];
    body += line(from, at, to, at, 'whisker');
    body += line(from, at - 4, from, at + 4, 'whisker');
    body += line(to, at - 4, to, at + 4, 'whisker');
  }
  values.forEach((value, i) => {
    if (value === null) return;
    body += tag('circle', {class: 'dot', cx: scale(value), cy: at, r: 2.8},
      hint(`round ${i + 1}: ${show(value)}`));
  });
  return body;
}
