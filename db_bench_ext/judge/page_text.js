// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Text for people: escaping, and numbers with the digits a measurement earns
// (three) and a unit. All of them give '' for null.
'use strict';

const ESCAPES =
  {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;'};
const esc = text => String(text).replace(/[&<>"']/g, c => ESCAPES[c]);

// Builds an element. Attributes are escaped, the body is markup already.
function tag(name, attributes, body) {
  let text = '<' + name;
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined) continue;
    const plain = typeof value === 'number'
      ? Math.round(value * 10) / 10 : value;
    text += ` ${key}="${esc(plain)}"`;
  }
  return `${text}>${body === undefined ? '' : body}</${name}>`;
}

// Three digits without an exponent; 0 stays 0.
function digits(x) {
  if (x === null) return '';
  if (x === 0) return '0';
  const rounded = Number(x.toPrecision(3));
  const size = Math.abs(rounded);
  if (size >= 100) return rounded.toFixed(0);
  if (size < 1e-6) return rounded.toExponential(1);
  return rounded.toPrecision(3);
}

// Axis labels are round already: no zeros behind.
const bare = x => x === null ? '' : String(Number(x.toPrecision(6)));

function scaled(x, base, units, show) {
  if (x === null) return '';
  // 999.6 is to become 1.00 k; powers of two are not rounded on the way.
  let value = base === 1000 ? Number(x.toPrecision(3)) : x;
  let i = 0;
  while (Math.abs(value) >= base && i + 1 < units.length) {
    value /= base;
    i++;
  }
  const whole = i === 0 && Number.isInteger(value) ? bare : digits;
  return (show || whole)(value) + units[i];
}

const NB = '\u00a0';  // keeps a number and its unit on one line
const TIMES = '\u00d7';
const DASH = '\u2013';
const SI = ['', NB + 'k', NB + 'M', NB + 'G', NB + 'T'];
const count = (x, show) => scaled(x, 1000, SI, show);
const micros = (x, show) =>
  scaled(x, 1000, [NB + '\u00b5s', NB + 'ms', NB + 's'], show || digits);
const bytes = (x, show) => scaled(x, 1000,
  [' B', ' kB', ' MB', ' GB', ' TB'].map(u => u.replace(' ', NB)), show);
const binary = x => scaled(x, 1024,
  [' B', ' KiB', ' MiB', ' GiB', ' TiB'].map(u => u.replace(' ', NB)),
  v => String(Math.round(v * 10) / 10));
const rate = x => x === null ? '' : bytes(x) + '/s';
const seconds = x => x === null ? '' : digits(x) + NB + 's';

function percent(part) {
  if (part === null) return '';
  const value = part * 100;
  return (value >= 10 ? value.toFixed(0) : digits(value)) + NB + '%';
}

function duration(x) {
  if (x === null) return '';
  const all = Math.round(x);
  if (all < 120) return all + NB + 's';
  const min = Math.floor(all / 60);
  if (min < 120) return `${min}${NB}min ${all % 60}${NB}s`;
  return `${Math.floor(min / 60)}${NB}h ${min % 60}${NB}min`;
}

// Two decimals: a ratio of two measurements has no more to say.
function plainRatio(x) {
  if (x === null) return '';
  return x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1)
    : x >= 0.1 ? x.toFixed(2) : x.toPrecision(2);
}
const ratioText = x => x === null ? '' : plainRatio(x) + TIMES;

function range(low, high) {
  return low === null || high === null ? ''
    : plainRatio(low) + DASH + plainRatio(high);
}

function dateText(iso) {
  const date = new Date(iso);
  if (isNaN(date)) return iso;
  return date.toISOString().slice(0, 16).replace('T', ' ') + ' UTC';
}

const few = (n, one, many) => `${n} ${n === 1 ? one : many}`;
