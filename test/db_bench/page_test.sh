#!/usr/bin/env bash
# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
#
# page_test.sh JUDGE REPORT_JSON [CHROMIUM]: opens the page of a report in a
# headless browser and looks at what came out of it. Exit codes: 0 passed, 1
# failed, 77 skipped.
set -euo pipefail

judge=${1:?path of judge}
report=${2:?path of a report.json}
chromium=${3:-chromium}

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; exit 1; }

if ! command -v "$chromium" > /dev/null; then
  [ "${CI:-}" != true ] || fail "CI has to have a Chromium: $chromium"
  skip "there is no Chromium: $chromium"
fi

root=$(mktemp -d "${TMPDIR:-/tmp}/uringfs_test.XXXXXX")
trap 'rm -rf -- "$root"' EXIT

"$judge" --page="$report" --out="$root/result" > /dev/null
page=$root/result/page.html

# The checks are a script behind the page's own, in a copy of the page: it sees
# the report and what was drawn of it, and leaves what it found in the page.
cp -- "$page" "$root/page.html"
cat >> "$root/page.html" <<'END'
<script>
(() => {
  const bad = [];
  const check = (good, what) => { if (!good) bad.push(what); };
  const all = (selector, from) => [...(from || document)
    .querySelectorAll(selector)];
  const bars = (from, name) =>
    all('svg .bar', from).filter(b => b.dataset.candidate === name);
  // Two of them may have one name: by order, as the report has them.
  const sections = all('section.workload');

  function lookAtPage() {
    check(sections.length === report.workloads.length,
      sections.length + ' sections of workloads');
    report.workloads.forEach((workload, i) => {
      const section = sections[i];
      const where = workload.name + ': ';
      check(section.dataset.workload === workload.name, where + 'order');
      for (const text of [workload.title, workload.isolates]) {
        check(section.textContent.includes(text), where + text);
      }
      const rows = all('table', section)[0].tBodies[0]
        .querySelectorAll('tr:not(.more)');
      check(rows.length === workload.results.length, where + 'rows');
      workload.results.forEach((result, row) => {
        const who = where + result.candidate + ': ';
        const text = rows[row].textContent;
        check(text.includes(result.candidate), who + 'no row');
        if (result.ratio !== null) {
          check(text.includes(result.ratio.verdict), who + 'no verdict');
          check(bars(document.getElementById('overview'),
            result.candidate).length > 0, who + 'no bar of the ratio');
        }
        if (result.rounds.length > 0) {
          check(bars(section, result.candidate).length === 1,
            who + 'no bar of the throughput');
        }
        for (const told of [result.command, ...result.doubts]) {
          check(section.textContent.includes(told), who + told);
        }
      });
      const timed = workload.results.filter(r => r.latency.length > 0);
      const moving = workload.results.filter(r => r.series.length > 1);
      check(all('path.line', section).length ===
        2 * timed.length + moving.length, where + 'lines of the charts');
      const busy = moving.some(r => r.compactions.length > 0);
      check((all('.compaction', section).length > 0) === busy,
        where + 'compactions');
    });
    const results = report.workloads.flatMap(w => w.results);
    const doubted = results.filter(r => r.doubts.length > 0);
    check(all('.banner').length ===
      (report.complete ? 0 : 1) + (doubted.length > 0 ? 1 : 0), 'banners');
    check(all('.doubts').length === doubted.length, 'doubts');
    for (const note of report.notes) {
      check(document.body.textContent.includes(note), 'note: ' + note);
    }
    for (const shape of all('svg *')) {
      for (const {name, value} of shape.attributes) {
        check(!/NaN|Infinity|undefined/.test(value),
          shape.tagName + ' ' + name + '=' + value);
      }
    }
    check(!/NaN|Infinity|undefined|\[object/.test(
      document.getElementById('page').textContent), 'a value that is none');
    check(document.documentElement.scrollWidth <= innerWidth,
      'wider than the window');
  }

  function lookOutside() {
    for (const element of all('[src], [href]')) {
      const to = element.getAttribute('src') || element.getAttribute('href');
      check(to.startsWith('#'), 'points outside: ' + to);
      check(document.querySelector(to) !== null, 'points nowhere: ' + to);
    }
    check(performance.getEntriesByType('resource').length === 0,
      'something was loaded');
  }

  // Every kind of value in the report, one after the other, is replaced by
  // something else or is not there: the page must come out all the same. One
  // workload at a time, or this would take minutes.
  function spoil() {
    const seen = new Set();
    const others = [undefined, null, 0, -1, 1e300, '', 'text', [], [null], {}];
    const attempt = (keys, other) => {
      const deep = keys[0] === 'workloads' && keys.length > 1;
      const spoiled = JSON.parse(JSON.stringify({...report,
        workloads: [report.workloads[deep ? keys[1] : 0]]}));
      if (deep) keys = ['workloads', 0, ...keys.slice(2)];
      let at = spoiled;
      for (const key of keys.slice(0, -1)) at = at[key];
      const last = keys[keys.length - 1];
      if (other !== undefined) at[last] = other;
      else if (Array.isArray(at)) at.splice(last, 1);
      else delete at[last];
      try {
        showReport(spoiled);
      } catch (error) {
        bad.push(keys.join('.') + ' = ' + JSON.stringify(other) + ': ' +
          error.stack);
      }
    };
    const walk = (value, keys) => {
      for (const key of Object.keys(value)) {
        const here = [...keys, key];
        const kind = here.join('.').replace(/\.\d+/g, '.0');
        if (!seen.has(kind)) {
          seen.add(kind);
          for (const other of others) attempt(here, other);
        }
        if (value[key] !== null && typeof value[key] === 'object') {
          walk(value[key], here);
        }
      }
    };
    walk(report, []);
    for (const other of others) showReport(other);
    return seen.size;
  }

  // Text of the report is text, whatever is in it.
  function inject() {
    const evil = '<\/script><img src=x onerror=showError(1)>"\'&<b id=evil>';
    const replace = value => typeof value === 'string' ? value + evil
      : Array.isArray(value) ? value.map(replace)
        : value !== null && typeof value === 'object' ? Object.fromEntries(
          Object.entries(value).map(([k, v]) => [k, replace(v)])) : value;
    showReport(replace(report));
    check(all('#page img, #page script, #evil').length === 0,
      'text of the report became markup');
  }

  try {
    lookAtPage();
    lookOutside();
    document.documentElement.dataset.spoiled = spoil();
    inject();
    showReport(report);
  } catch (error) {
    bad.push(error.stack);
  }
  const box = document.createElement('pre');
  box.id = 'page-test';
  box.textContent = bad.length === 0 ? 'page-test: good'
    : bad.slice(0, 20).map(b => 'page-test: ' + b).join('\n');
  document.body.append(box);
})();
</script>
END

# dump NAME WIDTH [FLAG...]: the document as the browser has it at the end.
dump() {
  local name=$1 width=$2
  shift 2
  timeout 120 "$chromium" --headless --no-sandbox --disable-gpu \
    --disable-dev-shm-usage --no-first-run --user-data-dir="$root/user" \
    --host-resolver-rules="MAP * ~NOTFOUND" --window-size="$width,1600" \
    --virtual-time-budget=20000 "$@" --dump-dom "file://$root/page.html" \
    > "$root/$name" 2> "$root/errors" ||
    { cat "$root/errors" >&2; fail "$name: the browser failed"; }
}

# root_value NAME KEY: what the page noted about itself.
root_value() {
  sed -n "s/.*<html[^>]* data-$2=\"\([^\"]*\)\".*/\1/p" "$root/$1" | head -n 1
}

for scheme in dark light narrow; do
  setting=1 width=1200
  [ "$scheme" != dark ] || setting=0
  [ "$scheme" != narrow ] || width=500
  dump "$scheme" "$width" --blink-settings="preferredColorScheme=$setting"
  # An element, not the mention of it in the script of the page.
  if grep -q '<pre id="page-error"' "$root/$scheme"; then
    sed -n '/<pre id="page-error"/,/<\/pre>/p' "$root/$scheme" >&2
    fail "$scheme: an error in a script"
  fi
  grep -q '<pre id="page-test">page-test: good</pre>' "$root/$scheme" || {
    sed -n '/<pre id="page-test">/,/<\/pre>/p' "$root/$scheme" >&2
    fail "$scheme: the page is not what the report says"
  }
  [ "$(root_value "$scheme" spoiled)" -gt 20 ] || fail "hardly any values"
done

[ "$(root_value dark scheme)" = dark ] || fail "dark is not dark"
[ "$(root_value light scheme)" = light ] || fail "light is not light"
background=$(root_value light background)
[ -n "$background" ] || fail "the background is not known"
[ "$background" != "$(root_value dark background)" ] ||
  fail "the same background in the dark: $background"

# Nothing to load, not even from where no reader of the page ever comes.
if grep -Eio 'h[t]tps?://[^ ]*|url\([^)]*|@import[^;]*' "$page"; then
  fail "the page points outside"
fi

# A broken report has to leave a message: the checks above rely on it.
sed 's|^const report = .*|const report = {{;|' "$page" > "$root/page.html"
dump broken 1200
grep -q '<pre id="page-error"' "$root/broken" ||
  fail "a broken report went by without a message"

echo "passed: $(root_value light spoiled) kinds of values, both schemes"
