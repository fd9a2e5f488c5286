# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""One cell of the matrix: its script, and the verdict on what that printed."""

import dataclasses
import pathlib
import random
import re
import shlex
import struct
import zlib

import table
from table import CHANGES, EVENTS, SIZES, SYNCS, WAYS

HERE = pathlib.Path(__file__).resolve().parent
EXIT_STATUS = {"kill": "137", "busy": "137", "exit": "0", "abort": "134"}
WORDS = ("begun", "acknowledged", "synced", "half", "half_synced")


@dataclasses.dataclass(frozen=True)
class Cell:
    event: str
    change: str
    way: str
    sync: str
    size: str
    boot: str

    @property
    def name(self):
        return (f"{self.event}/{self.change}/{self.way}/sync={self.sync}/"
                f"{self.size}/{self.boot}")

    @property
    def place(self):
        """Of the two that ask for more than a folder, the event's counts."""
        event, change = EVENTS[self.event], CHANGES[self.change]
        return change.place if event.place == table.DIR else event.place

    @property
    def expected(self):
        return table.expected(EVENTS[self.event], CHANGES[self.change],
                              self.boot)

    @property
    def counts(self):
        return CHANGES[self.change].counts or EVENTS[self.event].counts

    @property
    def mounts(self):
        """Whether it needs to mount something."""
        return (self.place != table.DIR or self.boot == "other" or
                self.change == "bind")

    @property
    def other_user(self):
        return "AS=" in CHANGES[self.change].after


def all_cells():
    """Each event x change x way. Syncs, sizes and boots take turns along the
    ways, from another beginning in each box. First in a box is the one that
    has most to lose."""
    for event_name, event in EVENTS.items():
        for change_name, change in CHANGES.items():
            if table.is_cell(event_name, change_name):
                yield from dict.fromkeys(box(event_name, change_name))


def box(event_name, change_name):
    event, change = EVENTS[event_name], CHANGES[change_name]
    turn = zlib.crc32(f"{event_name} {change_name}".encode())
    boots = (change.boot,) if change.boot else event.boots
    sizes = change.sizes or event.sizes
    ways = table.ways_of(event_name, change_name)
    counts = change.counts or event.counts
    yield Cell(event_name, change_name,
               "posix" if "posix" in ways else ways[0],
               "1" if counts.endswith("synced") else "0",
               sizes[turn % min(2, len(sizes))], boots[0])
    for at, way in enumerate(ways):
        for boot in boots:
            yield Cell(event_name, change_name, way,
                       SYNCS[(turn + at) % len(SYNCS)],
                       sizes[(turn // 7 + at) % len(sizes)], boot)


def quick_cells():
    """One way for each box, taking turns, and the first where most is to be
    lost; each way where nothing is changed."""
    boxes = {}
    for cell in all_cells():
        quick = EVENTS[cell.event].quick
        if quick is None or cell.change in quick:
            boxes.setdefault((cell.event, cell.change), []).append(cell)
    for number, ((event, change), cells) in enumerate(boxes.items()):
        if change == "nothing":
            yield from cells
            continue
        chosen = [cells[number % len(cells)]]
        if event in ("kill", "exit"):
            chosen.insert(0, cells[0])
        yield from dict.fromkeys(chosen)


def script(cell, setup, work, sabotage=""):
    """The whole cell in bash; with `live` as its argument the part that runs
    beside the open database."""
    event, change = EVENTS[cell.event], CHANGES[cell.change]
    keys, value, write_buffer = SIZES[cell.size]
    delays = random.Random(cell.name)
    in_image = cell.place != table.DIR
    wal_dir = f"$P/{shlex.quote(change.wal_dir)}" if change.wal_dir else ""
    lines = [
        "#!/usr/bin/env bash",
        f"# {cell.name}: {event.title}; {change.title}; "
        f"{WAYS[cell.way].title}",
        f"W={work}",
        'M=$W/mnt I=$W/image B=$W/boot_id',
        f"P={'$M' if in_image else '$W'}/p",
        'D=$P/db O=$P/db AS="" BOOT=same',
        f"FS={setup.fs} MODULE={setup.module}",
        f"DRIVER={setup.driver} TOOL={setup.tool}",
        f"VALUE={value} "
        f"ENDS='{EXIT_STATUS[event.end]} {event.may_end}'",
        'DELAYS="' + " ".join(str(delays.randrange(4, 60)) for _ in range(6))
        + '"',
        f"WAL_DIR={wal_dir}",
        f"WITH={shlex.quote(change.options)}",
        f". {HERE}/lib.sh",
        "live() {",
        *(text for text in (event.live, change.live) if text), ":", "}",
        'if [ "${1:-}" = live ]; then live; exit; fi', "",
        'mkdir -p "$M"; install -d -m 1777 "$W/out"',
        'echo 00000000-0000-4000-8000-000000000000 > "$B"',
    ]
    if in_image:
        size, make = {table.EXT4: ("128M", "mkfs.ext4 -q -F -m 0 -J size=4"),
                      table.XFS: ("320M", "mkfs.xfs -q")}[cell.place]
        lines.append(f'truncate -s {size} "$I"; {make} "$I"; '
                     'attach "$I" "$M"')
    lines += [
        'mkdir "$P"',
        f"put keys={keys} value={value} sync={cell.sync} "
        f"write_buffer={write_buffer} end={event.end} "
        f"delay_us={delays.randrange(5000)} \\",
        f'  {event.put} {change.put} "live=bash $0 live"',
        f"BOOT={cell.boot}",
        *(text for text in (event.after, change.after, sabotage) if text),
        f"{{ {WAYS[cell.way].script}; }} || way_out",
    ]
    return "\n".join(lines) + "\n"


@dataclasses.dataclass
class Opened:
    title: str
    status: int
    text: str
    is_way_out: bool
    counts: dict

    @property
    def has_ways_out(self):
        return (all(word in self.text for word in (
            "uringfs recover --accept", "uringfs recover --discard",
            ".log.uringfs")) and re.search(r"\d+ bytes", self.text))


def parse(output):
    """Each open that the script tells of."""
    opens = []
    # A line like `open: TITLE`, then what was said, then `exit: STATUS`.
    for match in re.finditer(
            r"^open: (.*)\n((?:.*\n)*?)exit: (\d+)$", output, re.M):
        title, text, status = match.groups()
        counts = re.search(r"found=(\d+) prefix=(\d+) wrong=(\d+)", text)
        opens.append(Opened(
            title, int(status), text,
            "\nway out\n" in output[:match.start()],
            dict(zip(("found", "prefix", "wrong"),
                     map(int, counts.groups()))) if counts else {}))
    return opens


def read_account(path):
    """All zero if the writer never got so far."""
    data = path.read_bytes() if path.exists() else b""
    size = 8 * len(WORDS)
    return dict(zip(WORDS, struct.unpack(
        f"={len(WORDS)}Q", data.ljust(size, b"\0")[:size])))


def judge(cell, output, status, account):
    """What is wrong, one sentence each; nothing if the cell passes."""
    opens = parse(output)
    wrong = [text for entry in opens
             if (text := judge_open(cell, entry, account))]
    refused = any(entry.status for entry in opens)
    if status and not refused:
        wrong.append(f"the script ended with {status}")
    if not any(entry.counts for entry in opens) and not refused:
        wrong.append("nothing was counted")
    if not account["begun"]:
        wrong.append("nothing was put")
    return wrong


def judge_open(cell, entry, account):
    must = account[cell.counts]
    if entry.status:
        if entry.is_way_out:
            return f"{entry.title}: refused behind the way out"
        if not entry.has_ways_out:
            return f"{entry.title}: failed without telling the ways out"
        if cell.expected == table.ALL:
            return f"{entry.title}: refused, though all must be there"
        return ""
    if not entry.counts:
        return ""
    found, prefix, wrong = (entry.counts[word]
                            for word in ("found", "prefix", "wrong"))
    if wrong:
        return f"{entry.title}: {wrong} wrong values"
    if found != prefix:
        return f"{entry.title}: a gap, {prefix} of {found} are a prefix"
    if found > account["begun"]:
        return f"{entry.title}: {found} found, {account['begun']} put"
    if found < must and not entry.is_way_out:
        return f"{entry.title}: OK with {found}, though {must} " \
               f"were {cell.counts.replace('_', ' and ')}"
    return ""
