# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""Runs a GoogleTest binary to its end, whatever single tests do to it.

A test that crashes or hangs takes its process with it; the tests behind it are
run in another one.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
CRASHED, HUNG = "crashed", "hung"

# One argument of a program has 128 KiB at most.
MAX_FILTER_BYTES = 100_000

# What a test printed last may stand in front, without the end of its line.
_BEGIN = re.compile(r"\[ RUN      \] (\S+)$")
_END = re.compile(r"\[ +(OK|FAILED) +\] ([^\s,]+).*\((\d+) ms\)$")
_SKIP = re.compile(r"(SKIPPED|BYPASSED): |\[  SKIPPED \]")

# Stands for the end of a process all of whose tests were done.
EXIT = "(exit of the process)"


class Result:
    """What became of one test; seconds by its own clock."""

    def __init__(self, outcome, seconds):
        self.outcome = outcome
        self.seconds = seconds


def list_tests(binary, env):
    """Names of the tests in a binary, those that are disabled left out."""
    out = subprocess.run([binary, "--gtest_list_tests"], env=env, check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True).stdout
    names, suite = [], ""
    for line in out.splitlines():
        word = line.split("#")[0].rstrip()
        if word.startswith("  "):
            names.append(suite + word.strip())
        elif word.endswith("."):
            suite = word
    return [name for name in names
            if not any(part.startswith("DISABLED_")
                       for part in re.split(r"[./]", name))]


def chunks(names, max_count):
    """Parts that fit into one filter each."""
    part, size = [], 0
    for name in names:
        if part and (len(part) >= max_count or
                     size + len(name) + 1 > MAX_FILTER_BYTES):
            yield part
            part, size = [], 0
        part.append(name)
        size += len(name) + 1
    if part:
        yield part


class _Reader:
    """Follows the output of one process."""

    def __init__(self, log):
        self.results = {}
        self.running = None
        self.since = time.monotonic()
        self._log = log
        self._skipped = False

    def follow(self, stream):
        for raw in stream:
            self._log.write(raw)
            self._see(raw.decode(errors="replace").rstrip("\n"))

    def _see(self, line):
        begin = _BEGIN.search(line)
        if begin:
            self.running, self._skipped = begin.group(1), False
            self.since = time.monotonic()
            return
        if _SKIP.search(line):
            self._skipped = True
            return
        end = _END.search(line)
        if end and end.group(2) == self.running:
            outcome = PASSED if end.group(1) == "OK" else FAILED
            if outcome == PASSED and self._skipped:
                outcome = SKIPPED
            self.results[self.running] = Result(outcome,
                                                int(end.group(3)) / 1000)
            self.running = None


def end_group(process):
    """Ends a process and what it started: they are one group of processes."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def expected_codes(results):
    failed = any(result.outcome == FAILED for result in results.values())
    return (1,) if failed else (0,)


def _run_once(binary, env, names, log, seconds_per_test):
    process = subprocess.Popen(
        [binary, "--gtest_color=no", "--gtest_filter=" + ":".join(names)],
        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
        cwd=env["TEST_TMPDIR"])
    reader = _Reader(log)
    thread = threading.Thread(target=reader.follow, args=(process.stdout,))
    hung = False
    try:
        thread.start()
        while process.poll() is None:
            if time.monotonic() - reader.since > seconds_per_test:
                hung = True
                break
            time.sleep(0.02)
    finally:
        end_group(process)
        process.wait()
        thread.join()
    seconds = time.monotonic() - reader.since
    if reader.running is not None:
        reader.results[reader.running] = Result(HUNG if hung else CRASHED,
                                                seconds)
    elif hung or process.returncode not in expected_codes(reader.results):
        # Between two tests the next one gets the blame.
        rest = [name for name in names if name not in reader.results]
        blamed = rest[0] if rest else EXIT
        reader.results[blamed] = Result(HUNG if hung else CRASHED, seconds)
    return reader.results


def run_tests(binary, env, names, log_path, tmp_parent, seconds_per_test):
    """Runs the named tests; answers {name: Result}. Those that no process ever
    reported on count as crashed."""
    results = {}
    with open(log_path, "ab") as log:
        rest = list(names)
        while rest:
            directory = tempfile.mkdtemp(dir=tmp_parent)
            try:
                found = _run_once(binary, dict(env, TEST_TMPDIR=directory),
                                  rest, log, seconds_per_test)
            finally:
                shutil.rmtree(directory, ignore_errors=True)
            results.update(found)
            left = [name for name in rest if name not in results]
            if len(left) == len(rest):
                results.update({name: Result(CRASHED, 0) for name in left})
                break
            rest = left
    return results
