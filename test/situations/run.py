#!/usr/bin/env python3
# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""Runs situations that a database meets, and checks that it opens with all it
acknowledged, or does not open and says why.

Exit codes: 0 all cells pass, 1 one does not, 2 cannot run, 77 none could run.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import sys
import time

sys.dont_write_bytecode = True
import cells  # noqa: E402
import page  # noqa: E402
import self_test  # noqa: E402
import table  # noqa: E402
import world  # noqa: E402
from table import CHANGES  # noqa: E402

SECONDS_PER_CELL = 180


@dataclasses.dataclass
class Setup:
    fs: str
    module: pathlib.Path
    driver: pathlib.Path
    tool: pathlib.Path

    @staticmethod
    def copied(args, folder):
        """Where every user can reach it."""
        target = folder / "bin"
        target.mkdir()
        for path in ("src/tool/uringfs", "test/situations/situations_driver"):
            source = args.build / path
            if not source.exists():
                sys.exit(f"run.py: {source} was not built")
            shutil.copy2(source, target)
        # liburingfs.so, and the module that it opens.
        plugin = folder / "plugin"
        shutil.copytree(args.build / "plugin", plugin,
                        ignore=shutil.ignore_patterns("*.a", "CMakeFiles"))
        return Setup(args.fs, plugin / "liburingfs.so",
                     target / "situations_driver", target / "uringfs")


@dataclasses.dataclass
class Result:
    cell: cells.Cell
    wrong: list
    skipped: str = ""
    account: dict = None
    output: str = ""
    script: str = ""
    logs: str = ""
    seconds: float = 0


class Runner:
    def __init__(self, setup, place, keep):
        self._setup, self._place, self._keep = setup, place, keep
        self._no_mounts = place.why_no_mounts()
        self._no_users = place.why_no_users()

    def why_not(self, cell):
        if cell.mounts and self._no_mounts:
            return self._no_mounts
        return self._no_users if cell.other_user else ""

    def run(self, cell, sabotage=""):
        skipped = self.why_not(cell)
        if skipped:
            return Result(cell, [], skipped)
        begin = time.monotonic()
        work = self._place.folder / re.sub(r"[^\w=-]", ".", cell.name)
        work.mkdir()
        text = cells.script(cell, self._setup, work, sabotage)
        path = work / "cell.sh"
        path.write_text(text)
        status, output = self._place.run(["bash", str(path)],
                                         SECONDS_PER_CELL)
        account = cells.read_account(work / "account")
        wrong = cells.judge(cell, output, status, account)
        logs = logs_of(work) if wrong else ""
        if not self._keep:
            world.clear(work)
        return Result(cell, wrong, "", account, output, text, logs,
                      time.monotonic() - begin)


def logs_of(work):
    """What uringfs wrote into the LOGs of the databases."""
    lines = []
    # Folders that cannot be read, as those of a file system that was shut
    # down, are left out by os.walk().
    for folder, _, names in os.walk(work):
        for name in sorted(names):
            path = pathlib.Path(folder) / name
            if not re.match(r"LOG(\.|$)", name):
                continue
            try:
                text = path.read_text(errors="replace")
            except OSError as error:
                text = f"uringfs' harness: {error}"
            lines += [f"{path.relative_to(work)}: {line}"
                      for line in text.splitlines()
                      if re.search(r"uringfs\W*[a-z]", line)]
    return "\n".join(lines)


def tell(result):
    print(f"FAILED: {result.cell.name}")
    for sentence in result.wrong:
        print(f"  {sentence}")
    for title, text in (("account", str(result.account)),
                        ("output", result.output), ("LOG", result.logs),
                        ("script", result.script)):
        print(f"  -- {title}")
        print("".join(f"  {line[:400]}\n" for line in text.splitlines()),
              end="", flush=True)


def run_all(runner, chosen, jobs, place):
    results = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        try:
            for future in concurrent.futures.as_completed(
                    [pool.submit(runner.run, cell) for cell in chosen]):
                results.append(future.result())
                if results[-1].wrong:
                    tell(results[-1])
        except BaseException:
            place.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return results


def verdict(results, skips_fail):
    """Prints the sums; the exit code."""
    failed = sorted(r.cell.name for r in results if r.wrong)
    skipped = [r for r in results if r.skipped]
    for reason in sorted({r.skipped for r in skipped}):
        names = [r.cell.name for r in skipped if r.skipped == reason]
        print(f"skipped, {reason}:\n  " + "\n  ".join(sorted(names)))
    for name in failed:
        print(f"FAILED: {name}")
    passed = len(results) - len(failed) - len(skipped)
    refused = sum(1 for r in results if not r.wrong and "way out" in r.output)
    print(f"{passed} cells passed ({refused} of them refused to open), "
          f"{len(failed)} failed, {len(skipped)} skipped")
    if failed or (skipped and skips_fail):
        return 1
    return 0 if passed else 77


def choose(args):
    every = list(cells.all_cells())
    if args.cell:
        chosen = [cell for cell in every
                  if any(re.search(text, cell.name) for text in args.cell)]
    else:
        chosen = every if args.long else list(cells.quick_cells())
    if args.fs == "posix":
        # It proves the harness: what posix keeps by itself. It gives no
        # errors of ours, and has nothing to recover.
        chosen = [cell for cell in chosen
                  if cell.way != "recover" and
                  CHANGES[cell.change].expected == table.ALL and
                  CHANGES[cell.change].posix_opens and
                  (args.long or args.cell or cell.event in table.ENDS)]
    if not chosen:
        sys.exit("run.py: no cell has such a name; see --list")
    return chosen


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("cell", nargs="*",
                        help="regular expressions; see --list")
    parser.add_argument("--build", type=pathlib.Path,
                        default=root / "build/release")
    parser.add_argument("--fs", choices=("uringfs", "posix"),
                        default="uringfs")
    parser.add_argument("--long", action="store_true", help="all cells")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep", action="store_true",
                        help="leave the files (of folders; mounts go)")
    for flag, what in (("list", "the names of the chosen cells"),
                       ("table", "the table of plugin/docs/situations.md"),
                       ("check-table", "whether it is the one there"),
                       ("write-table", "puts it there"),
                       ("self-test", "whether broken outcomes are noticed")):
        parser.add_argument("--" + flag, action="store_true", help=what)
    return parser.parse_args()


def main():
    args = parse_args()
    args.build = args.build.resolve()
    if args.table:
        print(page.text())
        return 0
    if args.check_table or args.write_table:
        return page.put(write=args.write_table)
    if args.list:
        print("\n".join(cell.name for cell in choose(args)))
        return 0
    world.enter_namespace()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    parent = os.environ.get("URINGFS_TEST_DIR") or args.build / "test_files"
    os.makedirs(parent, exist_ok=True)
    skips_fail = bool(os.environ.get("CI") == "true" or
                      os.environ.get("URINGFS_REQUIRE_URING"))
    begin = time.monotonic()
    with world.World(os.path.realpath(parent), args.keep) as place:
        setup = Setup.copied(args, place.folder)
        runner = Runner(setup, place, args.keep)
        if args.self_test:
            return self_test.run(runner, skips_fail)
        results = run_all(runner, choose(args), args.jobs, place)
    code = verdict(results, skips_fail)
    print(f"{time.monotonic() - begin:.0f} s, on {args.fs}")
    return code


if __name__ == "__main__":
    sys.exit(main())
