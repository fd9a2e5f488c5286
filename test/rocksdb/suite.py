#!/usr/bin/env python3
# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""Runs RocksDB's test binaries on posix and on uringfs and compares.

Called by `run`, which builds them. Exit codes: 0 no difference but the listed
ones, 1 there is one, 2 cannot run.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import shutil
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import gtest_run  # noqa: E402
from gtest_run import CRASHED, HUNG, PASSED, SKIPPED  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent

# How uringfs gets below a binary; see README.md.
WAYS = ("uri", "default", "fsync")
REPEATS = 3
TESTS_PER_UNIT = 15

Unit = collections.namedtuple("Unit", "binary way names")


class Setup:
    """Where things are, and the environment of each run."""

    def __init__(self, args):
        self.build = pathlib.Path(args.build)
        self.module = pathlib.Path(args.module)
        self.logs = pathlib.Path(args.logs)
        self.tmp = args.tmp
        self.seconds_per_test = args.seconds_per_test
        self._clean = {key: value for key, value in os.environ.items()
                       if not key.startswith(("URINGFS_", "TEST_", "GTEST_")) and
                       key not in ("LD_PRELOAD", "MEM_ENV", "ENCRYPTED_ENV")}

    def env(self, way, on_uringfs):
        env = dict(self._clean, TEST_TMPDIR=self.tmp)
        if way == "fsync":
            env["URINGFS_REAL_FSYNC"] = "1"
        # Debian's build leaves some without a path to their library.
        env["LD_LIBRARY_PATH"] = str(self.build)
        if not on_uringfs:
            return env
        if way == "default":
            env["LD_PRELOAD"] = str(self.module)
            env["URINGFS_DEFAULT"] = "1"
        else:
            env["TEST_FS_URI"] = "uringfs://"
        return env

    def stats(self, binary, way):
        """Where uringfs says what it did in the processes of a row."""
        return self.logs / f"{binary}.{way}.stats"

    def log(self, unit, on_uringfs):
        side = "uringfs" if on_uringfs else "posix"
        return self.logs / f"{unit.binary}.{unit.way}.{side}.log"

    def run(self, unit, on_uringfs, names):
        env = self.env(unit.way, on_uringfs)
        if on_uringfs:
            stats = self.stats(unit.binary, unit.way)
            # So that tables are written by us, and not by posix as well.
            env["URINGFS_OPTIONS"] = f"data_cache=none;stats_file={stats}"
        return gtest_run.run_tests(
            str(self.build / unit.binary), env, names,
            self.log(unit, on_uringfs), self.tmp, self.seconds_per_test)


class Row:
    """One binary, one way."""

    def __init__(self):
        self.tests = 0
        self.posix = {}
        self.uringfs = {}
        self.unsteady = []    # passed when repeated
        self.differences = []
        self.listed = []
        self.listed_that_pass = []

    def seconds(self):
        """Of the tests that both passed, on posix and on uringfs."""
        both = [name for name in self.posix
                if self.posix[name].outcome == PASSED and
                name in self.uringfs and self.uringfs[name].outcome == PASSED]
        return (sum(self.posix[name].seconds for name in both),
                sum(self.uringfs[name].seconds for name in both))


def read_lines(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.split("#")[0].strip()
        if text:
            yield number, text


def read_binaries(path, build):
    """[(binary, way)]; lines are `binary|its_other_name way...`."""
    pairs = []
    for number, text in read_lines(path):
        names, *ways = text.split()
        if not ways or not set(ways) <= set(WAYS):
            sys.exit(f"{path}:{number}: want `binary way...`, ways are "
                     f"{', '.join(WAYS)}")
        built = [name for name in names.split("|") if (build / name).exists()]
        pairs += [((built or [names])[0], way) for way in ways]
    return pairs


def release_of(text):
    """7.8.3, as a list that compares; Debian's revision does not count."""
    return [int(part) for part in re.findall(r"\d+", text.split("-")[0])]


def is_of_release(words, release):
    """Of `since=8.6` and `before=11.2`, which may both be left out."""
    for word in words:
        name, _, value = word.partition("=")
        if (release < release_of(value)) == (name == "since"):
            return False
    return True


def read_known(path, release):
    """{(binary, way, test)} of this release; see known_differences.txt."""
    known = set()
    for number, text in read_lines(path):
        what, _, reason = text.partition(": ")
        words = what.split()
        limits = words[3:]
        if (len(words) < 3 or words[1] not in WAYS or not reason.strip() or
                not all(re.fullmatch(r"(since|before)=[\d.]+", limit)
                        for limit in limits)):
            sys.exit(f"{path}:{number}: want `binary way test [since=RELEASE] "
                     "[before=RELEASE]: reason`")
        if is_of_release(limits, release):
            known.add(tuple(words[:3]))
    return known


def is_worse(posix, uringfs):
    """Passed there, and not here. Skipped here counts: it proves nothing."""
    return posix == PASSED and uringfs != PASSED or (
        posix == SKIPPED and uringfs not in (PASSED, SKIPPED))


def outcome_of(results, name):
    # Only a process that came to a bad end has an entry for that.
    return results[name].outcome if name in results else PASSED


def judge(setup, unit, posix, uringfs, known, row):
    for name in sorted(set(posix) | set(uringfs)):
        is_listed = (unit.binary, unit.way, name) in known
        worse = is_worse(outcome_of(posix, name), outcome_of(uringfs, name))
        if is_listed:
            (row.listed if worse else row.listed_that_pass).append(name)
        elif worse:
            again = passes_when_repeated(setup, unit, name,
                                         outcome_of(uringfs, name))
            (row.unsteady if again else row.differences).append(
                f"{name} ({outcome_of(uringfs, name)})")


def passes_when_repeated(setup, unit, name, outcome):
    """Whether it was chance: passes each time, or fails on posix too. Who took
    the process along is repeated behind the same tests: one of them may have
    been the cause."""
    alone = outcome not in (CRASHED, HUNG)
    names = [name] if alone else unit.names
    for _ in range(REPEATS):
        here = setup.run(unit, True, names)
        there = setup.run(unit, False, names)
        if is_worse(outcome_of(there, name), outcome_of(here, name)):
            return False
    return True


class Progress:
    def __init__(self, total):
        self._lock = threading.Lock()
        self._begin = time.monotonic()
        self._done, self._total = 0, total

    def step(self, unit, part):
        with self._lock:
            self._done += len(unit.names)
            took = time.monotonic() - self._begin
            bad = f", {len(part.differences)} DIFFER" if part.differences else ""
            print(f"[{took:6.0f} s] {self._done}/{self._total} tests: "
                  f"{unit.binary} ({unit.way}){bad}", flush=True)


def run_unit(setup, number, unit, known, rows, lock, progress):
    # Who comes first alternates: the disk drifts.
    order = (False, True) if number % 2 == 0 else (True, False)
    got = {on_uringfs: setup.run(unit, on_uringfs, unit.names)
           for on_uringfs in order}
    part = Row()
    judge(setup, unit, got[False], got[True], known, part)
    with lock:
        row = rows[(unit.binary, unit.way)]
        row.tests += len(unit.names)
        row.posix.update(got[False])
        row.uringfs.update(got[True])
        for field in ("unsteady", "differences", "listed", "listed_that_pass"):
            getattr(row, field).extend(getattr(part, field))
    progress.step(unit, part)


def files_written(path):
    """By uringfs, of all processes of a row; None if it was never there."""
    if not path.exists():
        return None
    counts = re.findall(r" (?:wal|data)_files=(\d+)", path.read_text())
    return sum(int(count) for count in counts)


def count_passed(results):
    return sum(1 for result in results.values() if result.outcome == PASSED)


def summary(setup, rows):
    lines = [f"{'binary':32} {'way':8} {'tests':>6} {'posix':>6} "
             f"{'uringfs':>7} {'listed':>6} {'files':>7} {'posix s':>8} "
             f"{'uringfs s':>9}"]
    totals = [0, 0, 0, 0, 0, 0.0, 0.0]
    for (binary, way), row in sorted(rows.items()):
        values = [row.tests, count_passed(row.posix),
                  count_passed(row.uringfs), len(row.listed),
                  files_written(setup.stats(binary, way)) or 0, *row.seconds()]
        totals = [a + b for a, b in zip(totals, values)]
        lines.append(line_of(binary, way, values))
    lines.append(line_of("total", "", totals))
    if totals[5] > 0:
        lines.append(f"time on uringfs: {totals[6] / totals[5]:.2f} of posix's "
                     "(tests that passed on both)")
    return "\n".join(lines)


def line_of(binary, way, values):
    tests, posix, uringfs, listed, files, posix_s, uringfs_s = values
    return (f"{binary:32} {way:8} {tests:6} {posix:6} {uringfs:7} "
            f"{listed:6} {files:7} {posix_s:8.1f} {uringfs_s:9.1f}")


def verdict(setup, rows, known, has_filter):
    """Prints what is wrong; answers whether anything is."""
    bad = False
    seen = set()
    for binary, way in sorted(rows):
        if count_passed(rows[(binary, way)].posix) == 0:
            print(f"NOTHING PASSES ON POSIX: {binary} ({way})")
            bad = True
        if files_written(setup.stats(binary, way)) is None:
            print(f"WITHOUT URINGFS: {binary} ({way}) never made one")
            bad = True
    for (binary, way), row in sorted(rows.items()):
        for name in row.unsteady:
            print(f"unsteady, passed {REPEATS} times when repeated: "
                  f"{binary} ({way}) {name}")
        for name in row.differences:
            print(f"DIFFERENCE: {binary} ({way}) {name}")
        for name in row.listed_that_pass:
            print(f"LISTED, BUT PASSES: {binary} ({way}) {name}")
        bad = bad or row.differences or row.listed_that_pass
        seen |= {(binary, way, name) for name in row.listed}
        seen |= {(binary, way, name) for name in row.listed_that_pass}
    if not has_filter:
        of_rows = {entry for entry in known if entry[:2] in rows}
        for entry in sorted(of_rows - seen):
            print("LISTED, BUT THERE IS NO SUCH TEST: " + " ".join(entry))
            bad = True
    return bool(bad)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--module", required=True)
    parser.add_argument("--release", type=release_of, required=True,
                        help="of RocksDB")
    parser.add_argument("--logs", required=True)
    parser.add_argument("--tmp", required=True)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--binaries", type=pathlib.Path,
                        default=HERE / "binaries.txt")
    parser.add_argument("--known", type=pathlib.Path,
                        default=HERE / "known_differences.txt")
    parser.add_argument("--only", action="append", default=[],
                        help="binary, or binary:way")
    parser.add_argument("--filter", default="",
                        help="only tests with this in their names")
    parser.add_argument("--seconds-per-test", type=float, default=600)
    return parser.parse_args()


def is_chosen(pair, only):
    return not only or pair[0] in only or ":".join(pair) in only


def make_units(setup, pairs, text):
    units = []
    for binary, way in pairs:
        path = setup.build / binary
        if not path.exists():
            sys.exit(f"suite: {path} was not built")
        names = [name for name in
                 gtest_run.list_tests(str(path), setup.env(way, False))
                 if text in name]
        units += [Unit(binary, way, part)
                  for part in gtest_run.chunks(names, TESTS_PER_UNIT)]
    return units


def main():
    args = parse_args()
    pathlib.Path(args.logs).mkdir(parents=True, exist_ok=True)
    args.tmp = tempfile.mkdtemp(prefix="uringfs_test.", dir=args.tmp)
    try:
        setup = Setup(args)
        pairs = [pair for pair in read_binaries(args.binaries, setup.build)
                 if is_chosen(pair, args.only)]
        known = read_known(args.known, args.release)
        units = make_units(setup, pairs, args.filter)
        if not units:
            sys.exit("suite: nothing is chosen; see binaries.txt")
        rows = {(unit.binary, unit.way): Row() for unit in units}
        lock = threading.Lock()
        progress = Progress(sum(len(unit.names) for unit in units))
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            futures = [pool.submit(run_unit, setup, number, unit, known, rows,
                                   lock, progress)
                       for number, unit in enumerate(units)]
            try:
                for future in concurrent.futures.as_completed(futures):
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        bad = verdict(setup, rows, known, bool(args.filter))
        text = summary(setup, rows)
        print(text)
        (setup.logs / "summary.txt").write_text(text + "\n")
        print(f"logs: {setup.logs}")
        return 1 if bad else 0
    finally:
        shutil.rmtree(args.tmp, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
