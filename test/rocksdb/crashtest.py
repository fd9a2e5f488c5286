#!/usr/bin/env python3
# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""Runs RocksDB's db_crashtest.py on uringfs: db_stress is killed and opened
again, over and over, and checks every key it has written.

Called by `run --crashtest=SECONDS`. Exit codes: 0 no failure, 1 a failure; its
database and the output are kept.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # the checkout stays as it is
import gtest_run  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
MAX_SHOWN = 3000

# For all: what Debian's compression libraries can do, and no faults injected
# (see no_faults), of which posix would need its share. db_stress's
# compaction filter uses a state that is destroyed before the database is
# closed: a compaction at the end crashes it, on posix too.
COMMON = ["--compression_type=lz4", "--bottommost_compression_type=disable",
          "--wal_compression=none", "--max_key=200000", "--threads=8",
          "--checkpoint_one_in=20000", "--backup_one_in=40000",
          "--flush_one_in=20000", "--get_live_files_one_in=20000",
          "--reopen=0", "--progress_reports=1", "--enable_compaction_filter=0"]
BLACKBOX = ["blackbox", "--interval=6"]
WHITEBOX = ["whitebox", "--random_kill_odd=20000", "--ops_per_thread=20000"]

# db_stress opens a checkpoint without transactions, which RocksDB refuses (in
# debug builds by an assertion) while one is prepared.
TRANSACTIONS = ["--txn", "--checkpoint_one_in=0"]

# (name, share of the time, arguments, whether posix opens it every other time)
SCENARIOS = [
    ("simple", 2, BLACKBOX + ["--simple", "--sync=0"], False),
    ("simple_sync", 1, BLACKBOX + ["--simple", "--sync=1"], False),
    ("alternate", 2, BLACKBOX + ["--simple"], True),
    ("columns", 1, BLACKBOX + ["--sync_wal_one_in=200"], False),
    ("no_flush", 1, BLACKBOX + ["--avoid_flush_during_recovery=1",
                                "--write_buffer_size=1048576"], False),
    ("transactions", 1, BLACKBOX + TRANSACTIONS, False),
    ("transactions_alternate", 1, BLACKBOX + TRANSACTIONS + ["--sync=1"], True),
    ("blobs", 1, BLACKBOX + ["--simple", "--enable_blob_files=1",
                             "--min_blob_size=16", "--blob_file_size=1048576",
                             "--enable_blob_garbage_collection=1"], False),
    ("lost_syncs", 1, BLACKBOX + ["--sync_fault_injection=1"], False),
    ("recycled", 1, BLACKBOX + ["--recycle_log_file_num=1",
                                "--manual_wal_flush_one_in=0"], False),
    ("cf_consistency", 1, BLACKBOX + ["--cf_consistency"], False),
    ("whitebox", 2, WHITEBOX + ["--simple"], False),
    ("whitebox_transactions", 1, WHITEBOX + TRANSACTIONS, False),
]


class Campaign:
    def __init__(self, args):
        self.args = args
        self.kills = self.runs = self.operations = 0
        self.failed = []
        self.always = self.no_faults() + self.common()

    def no_faults(self):
        """Arguments that turn off what this release injects by itself."""
        script = pathlib.Path(self.args.script).read_text()
        names = set(re.findall(r'"(\w*fault_one_in)"', script))
        return ([f"--{name}=0" for name in sorted(names)] +
                ["--sync_fault_injection=0"])

    def common(self):
        """COMMON without what this release does not have."""
        flags = set(re.findall(r"^ +-(\w+) ", subprocess.run(
            [self.args.stress, "--helpfull"], stdout=subprocess.PIPE,
            env=dict(os.environ, LD_LIBRARY_PATH=str(self.build())),
            stderr=subprocess.DEVNULL, text=True, check=False).stdout, re.M))
        return [argument for argument in COMMON
                if re.match(r"--(\w+)", argument).group(1) in flags]

    def build(self):
        return pathlib.Path(self.args.stress).resolve().parent.parent

    def run(self, name, seconds, arguments, alternate):
        work = pathlib.Path(tempfile.mkdtemp(prefix=f"uringfs_test.{name}.",
                                             dir=self.args.tmp))
        (work / "db").mkdir()
        # Debian's build leaves the tools without a path to their library.
        env = dict(os.environ, TEST_TMPDIR=str(work / "db"),
                   LD_LIBRARY_PATH=str(self.build()),
                   CRASH_STRESS=self.args.stress, CRASH_TOOL=self.args.tool,
                   CRASH_ALTERNATE="yes" if alternate else "no",
                   CRASH_TURNS=str(work / "turns"),
                   CRASH_OUT=str(work / "out"))
        # Of the same flag the last one counts.
        command = [sys.executable, self.args.script, *self.always,
                   *arguments, f"--duration={seconds}",
                   f"--stress_cmd={HERE / 'crash_stress.sh'}"]
        if self.args.fs != "posix":
            command.append("--fs_uri=" + self.args.fs)
        with open(work / "crashtest", "wb") as log:
            code = self._wait(subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True))
        self._count(name, seconds, code, work)

    @staticmethod
    def _wait(process):
        try:
            return process.wait()
        finally:
            # db_stress too, if we are interrupted.
            gtest_run.end_group(process)

    def _count(self, name, seconds, code, work):
        text = (work / "crashtest").read_text(errors="replace")
        out = work / "out"
        said = out.read_text(errors="replace") if out.exists() else ""
        # Since 11.1 by SIGTERM; db_stress hands it on to itself.
        kills = (len(re.findall(r"^(?:KILLED|TERMINATED) ", text, re.M)) +
                 len(re.findall(r"^WARNING: .* exitcode=-[0-9]+$", text, re.M)))
        runs = len(re.findall(r"^Running db_stress with pid", text, re.M))
        operations = count_operations(said)
        self.kills += kills
        self.runs += runs
        self.operations += operations
        # A run that was killed may have found something before; and one that
        # never came to its check proves nothing.
        told = [line for line in re.findall(r"\*\*\*(.*)\*\*\*", text)
                if not line.startswith("WARNING")]
        checks = said.count("Crash-recovery verification passed")
        too_long = "Killing the run for running too long" in text
        failed = (code != 0 or kills == 0 or operations == 0 or told or
                  too_long or 2 * checks < runs)
        print(f"{name:24} {seconds:5} s: {runs:4} runs, {kills:4} killed, "
              f"{checks:4} checks, {operations:9} operations"
              f"{': FAILED' if failed else ''}", flush=True)
        if failed:
            self.failed.append(name)
            print("\n".join(told) or text[-MAX_SHOWN:])
            print(f"kept: {work}", flush=True)
        else:
            shutil.rmtree(work, ignore_errors=True)


def count_operations(text):
    """Of all threads: the last number before each new run starts again."""
    total = last = 0
    for match in re.finditer(r"finished (\d+) ops", text):
        now = int(match.group(1))
        if now < last:
            total += last
        last = now
    return total + last


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--script", required=True, help="db_crashtest.py")
    parser.add_argument("--stress", required=True, help="db_stress")
    parser.add_argument("--tool", required=True, help="uringfs")
    parser.add_argument("--tmp", required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--fs", default="uringfs://")
    parser.add_argument("--only", action="append", default=[])
    args = parser.parse_args()
    chosen = [scenario for scenario in SCENARIOS
              if not args.only or scenario[0] in args.only]
    if not chosen:
        sys.exit("crashtest: there are only " +
                 ", ".join(scenario[0] for scenario in SCENARIOS))
    shares = sum(scenario[1] for scenario in chosen)
    campaign = Campaign(args)
    for name, share, arguments, alternate in chosen:
        campaign.run(name, max(20, args.seconds * share // shares), arguments,
                     alternate and args.fs != "posix")
    print(f"total: {campaign.runs} runs, {campaign.kills} killed, "
          f"{campaign.operations} operations; failed: "
          f"{', '.join(campaign.failed) or 'none'}")
    return 1 if campaign.failed else 0


if __name__ == "__main__":
    sys.exit(main())
