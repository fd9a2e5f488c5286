#!/usr/bin/env python3
# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""Tests of the runner: what a make-believe test binary does must be told as it
is, and every kind of difference must fail the run."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import gtest_run  # noqa: E402

# A GoogleTest binary as far as the runner sees it. A test's name says what it
# does, on uringfs only if it begins with `Ours`.
BINARY = r"""#!/usr/bin/env python3
import os, signal, sys, time
names = NAMES
if "--gtest_list_tests" in sys.argv:
    print("S.")
    for name in names:
        print("  " + name)
    sys.exit(0)
chosen = [a for a in sys.argv if a.startswith("--gtest_filter=")][0]
chosen = chosen.split("=", 1)[1].split(":")
ours = "TEST_FS_URI" in os.environ
open(os.environ["TEST_TMPDIR"] + "/left_behind", "w").close()
if ours and "NeverOurs" not in names:
    stats = os.environ["URINGFS_OPTIONS"].split("stats_file=")[1]
    open(stats, "a").write("x wal_files=2 y data_files=1 ")
failed = False
for name in names:
    if "S." + name not in chosen:
        continue
    print("[ RUN      ] S." + name, flush=True)
    does = name if ours or not name.startswith("Ours") else "Passes"
    if "Once" in name and ours:
        mark = os.path.dirname(os.path.abspath(sys.argv[0])) + "/" + name
        does = "Passes" if os.path.exists(mark) else "Fails"
        open(mark, "w").close()
    if "BehindOthers" in does and len(chosen) == 1:
        does = "Passes"
    if "Crashes" in does:
        os.kill(os.getpid(), signal.SIGABRT)
    if "Hangs" in does:
        time.sleep(1000)
    if "Skips" in does:
        print("SKIPPED: no reason", file=sys.stderr, flush=True)
    failed = failed or "Fails" in does
    print("no end of line", end="")
    print("[  FAILED  ] S.%s (3 ms)" % name if "Fails" in does else
          "[       OK ] S.%s (2 ms)" % name, flush=True)
if ours and "ExitsBadly" in names:
    os.kill(os.getpid(), signal.SIGSEGV)
sys.exit(1 if failed else 0)
"""


class SuiteTest(unittest.TestCase):
    def setUp(self):
        parent = os.environ.get("URINGFS_TEST_DIR")
        self._dir = tempfile.TemporaryDirectory(prefix="uringfs_test.",
                                                dir=parent)
        self.addCleanup(self._dir.cleanup)
        self.dir = pathlib.Path(self._dir.name)
        (self.dir / "binaries").write_text("fake uri # a comment\n")
        self.known("")

    def binary(self, *names):
        path = self.dir / "fake"
        path.write_text(BINARY.replace("NAMES", repr(list(names))))
        path.chmod(0o755)

    def known(self, text):
        (self.dir / "known").write_text(text)

    def run_suite(self, *names):
        self.binary(*names)
        (self.dir / "tmp").mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, HERE / "suite.py", f"--build={self.dir}",
             f"--module={self.dir}/none.so", f"--logs={self.dir}/logs",
             f"--tmp={self.dir}/tmp", "--jobs=2", "--release=9.10.0-1", "--seconds-per-test=1",
             f"--binaries={self.dir}/binaries", f"--known={self.dir}/known"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
        self.assertEqual(os.listdir(self.dir / "tmp"), [], "left behind")
        return done.returncode, done.stdout

    def expect_difference(self, name, outcome):
        code, text = self.run_suite("First", name, "Last")
        self.assertEqual(code, 1, text)
        self.assertIn(f"DIFFERENCE: fake (uri) S.{name} ({outcome})", text)
        # The tests beside it ran all the same.
        self.assertRegex(text, r"fake +uri +3 +3 +2 ")

    def test_no_difference(self):
        code, text = self.run_suite("A", "B", "DISABLED_C")
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"fake +uri +2 +2 +2 ")

    def test_what_fails_on_both_is_no_difference(self):
        code, text = self.run_suite("Fails", "Crashes", "Skips", "Passes")
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"fake +uri +4 +1 +1 ")

    def test_differences(self):
        self.expect_difference("OursFails", "failed")
        self.expect_difference("OursCrashes", "crashed")
        self.expect_difference("OursHangs", "hung")
        self.expect_difference("OursSkips", "skipped")

    def test_a_bad_end_of_the_process(self):
        code, text = self.run_suite("A", "ExitsBadly")
        self.assertEqual(code, 1, text)
        self.assertIn(f"DIFFERENCE: fake (uri) {gtest_run.EXIT}", text)

    def test_nothing_passes_on_posix(self):
        code, text = self.run_suite("Fails", "Crashes")
        self.assertEqual(code, 1, text)
        self.assertIn("NOTHING PASSES ON POSIX: fake (uri)", text)

    def test_uringfs_was_never_there(self):
        code, text = self.run_suite("A", "NeverOurs")
        self.assertEqual(code, 1, text)
        self.assertIn("WITHOUT URINGFS: fake (uri)", text)

    def test_a_crash_that_an_earlier_test_brings_about(self):
        code, text = self.run_suite("Passes", "OursCrashesBehindOthers")
        self.assertEqual(code, 1, text)
        self.assertIn("S.OursCrashesBehindOthers (crashed)", text)

    def test_the_lists_of_other_ways_do_not_matter(self):
        self.known("fake fsync S.OursFails: because\n")
        code, text = self.run_suite("A")
        self.assertEqual(code, 0, text)

    def test_unsteady(self):
        code, text = self.run_suite("OursFailsOnce")
        self.assertEqual(code, 0, text)
        self.assertIn("unsteady", text)

    def test_listed(self):
        self.known("fake uri S.OursFails: because\n")
        code, text = self.run_suite("A", "OursFails")
        self.assertEqual(code, 0, text)
        code, text = self.run_suite("A")
        self.assertEqual(code, 1, text)
        self.assertIn("NO SUCH TEST: fake uri S.OursFails", text)
        self.known("fake uri S.A: because\n")
        code, text = self.run_suite("A")
        self.assertEqual(code, 1, text)
        self.assertIn("LISTED, BUT PASSES: fake (uri) S.A", text)

    def test_a_list_without_a_reason_is_refused(self):
        for line in ("fake uri S.A", "fake uri S.A after=9: because"):
            self.known(line + "\n")
            code, text = self.run_suite("A")
            self.assertNotIn(code, (0,), text)
            self.assertIn("known:1: want", text)

    def test_listed_for_some_releases(self):
        for limits, is_listed in (("since=9.10", True), ("since=9.11", False),
                                  ("before=9.10", False), ("before=10", True),
                                  ("since=8 before=9.10.1", True),
                                  ("since=8 before=9.2", False)):
            self.known(f"fake uri S.OursFails {limits}: because\n")
            code, text = self.run_suite("A", "OursFails")
            self.assertEqual(code == 0, is_listed, limits + text)

    def test_a_binary_of_another_name(self):
        (self.dir / "binaries").write_text("gone|fake uri\n")
        code, text = self.run_suite("A")
        self.assertEqual(code, 0, text)
        (self.dir / "binaries").write_text("gone|lost uri\n")
        code, text = self.run_suite("A")
        self.assertNotEqual(code, 0, text)
        self.assertIn("gone|lost was not built", text)

    def test_filters_stay_short(self):
        names = ["x" * 1000 + str(i) for i in range(500)]
        parts = list(gtest_run.chunks(names, 10**6))
        self.assertEqual(sum(parts, []), names)
        self.assertLess(max(len(":".join(part)) for part in parts), 128 * 1024)


if __name__ == "__main__":
    unittest.main()
