# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""Cells whose outcome is broken on purpose: each must be reported."""

import cells

# As by `cp` and `rm`: the log does not tell.
LOSE_SIDES = (
    'rm "$O"/*.log.uringfs; python3 -c "import os, sys\n'
    'for log in sys.argv[1:]: os.removexattr(log, \'user.uringfs\')" '
    '"$O"/*.log')
CUT_LOG = 'truncate -s 1000 "$O"/*.log'

# Title, cell, what is done before it is opened, part of the sentence.
BROKEN = (
    ("nothing is wrong",
     cells.Cell("kill", "nothing", "write", "0", "turns", "same"), "", None),
    ("a side file is gone",
     cells.Cell("kill", "nothing", "write", "0", "turns", "same"),
     LOSE_SIDES, "OK with "),
    ("a side file is gone, read-only",
     cells.Cell("kill", "nothing", "ro", "0", "turns", "same"),
     LOSE_SIDES, "OK with "),
    ("the log is cut, read-only",
     cells.Cell("kill", "nothing", "ro", "1", "small", "same"),
     CUT_LOG, "refused, though all"),
    ("the log is cut, an error were allowed",
     cells.Cell("kill", "cp-live", "write", "1", "small", "same"),
     CUT_LOG, "OK with "),
    ("other values",
     cells.Cell("kill", "nothing", "write", "0", "small", "same"),
     "VALUE=99", "wrong values"),
    ("a key that nobody put",
     cells.Cell("exit", "nothing", "write", "1", "small", "same"),
     'cp "$W/account" "$W/kept"; put keys=41 value=100 sync=1 end=exit; '
     'cp "$W/kept" "$W/account"', "41 found, 40 put"),
    ("no database",
     cells.Cell("kill", "cp-live", "write", "0", "small", "same"),
     'rm "$O/CURRENT"', "without telling the ways out"),
    ("an error, though all must be there",
     cells.Cell("kill", "nothing", "write", "0", "small", "same"),
     'say refused bash -c "echo x.log.uringfs, 5 bytes, uringfs recover '
     '--accept or uringfs recover --discard; exit 2" || true',
     "refused, though all"),
    ("the script fails",
     cells.Cell("kill", "nothing", "write", "0", "small", "same"),
     "false", "the script ended with 1"),
    ("the writer ends otherwise",
     cells.Cell("kill", "nothing", "write", "0", "small", "same"),
     "ENDS=0; put keys=1 value=100 sync=0 end=kill", "nothing was counted"),
)


def run(runner, skips_fail):
    bad = 0
    for title, cell, sabotage, sentence in BROKEN:
        result = runner.run(cell, sabotage)
        told = "; ".join(result.wrong)
        right = told == "" if sentence is None else sentence in told
        if result.skipped:
            right = not skips_fail
            told = f"skipped: {result.skipped}"
        print(f"{'right' if right else 'WRONG'}: {title}: {told or 'passes'}")
        if not right:
            print(result.output)
            bad += 1
    return 1 if bad else 0
