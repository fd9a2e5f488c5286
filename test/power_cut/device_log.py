# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""What a recorder has logged, and the disks a power cut may leave of it."""

import bisect
import dataclasses
import errno
import mmap
import os
import struct

SECTOR = 512
HEADER = struct.Struct("<4sIQQQ")
NEVER = 1 << 60

# How much of what no flush covers is on the disk after the cut. With the
# weights by which they are drawn.
STYLES = {"none": 4, "all": 1, "writes": 3, "sectors": 3, "first": 2,
          "last": 3}


@dataclasses.dataclass
class Write:
    """One write. Times are numbers of log entries."""
    begun: int
    offset: int
    length: int
    at: int            # of the bytes, in the log
    done: int = NEVER
    safe: int = NEVER  # a flush that began after `done` was answered


class DeviceLog:
    """A log, read once."""

    def __init__(self, path):
        self.writes = []
        self.acks = []  # (time, text)
        self.clock = []  # of each time: microseconds
        # What a put that was acknowledged so long before is owed, though it was
        # not synced: microseconds. None: nothing.
        self.bound_us = None
        self.length = 0
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._read()

    def _read(self):
        writes, flushes, uncovered = {}, {}, set()
        at = 0
        while at + HEADER.size <= len(self.bytes):
            kind, length, offset, number, clock = HEADER.unpack_from(
                self.bytes, at)
            self.clock.append(clock)
            at += HEADER.size
            now = self.length
            if kind == b"WRIT":
                writes[number] = Write(now, offset, length, at)
                self.writes.append(writes[number])
            elif kind == b"DONE":
                writes[number].done = now
                uncovered.add(number)
            elif kind == b"FLSH":
                flushes[number] = set(uncovered)
            elif kind == b"SAFE":
                for write in flushes.pop(number):
                    writes[write].safe = min(writes[write].safe, now)
                    uncovered.discard(write)
            elif kind == b"ACKN":
                text = self.bytes[at:at + length].decode().strip()
                self.acks.append((now, text))
            else:
                raise ValueError(f"not a log of the recorder: {kind}")
            at += length if kind in (b"WRIT", b"ACKN") else 0
            self.length += 1
        self._begun = [w.begun for w in self.writes]
        self._safe = sorted(w.safe for w in self.writes)

    def loose_at(self, point):
        """How many writes no flush covers at a point."""
        return bisect.bisect_left(self._begun, point) - \
            bisect.bisect_left(self._safe, point)

    def is_bound_over(self, time, point):
        """Whether what was acknowledged at a time is owed at a point."""
        return self.bound_us is not None and point > 0 and \
            self.clock[time] + self.bound_us < self.clock[point - 1]

    def data(self, write):
        return self.bytes[write.at:write.at + write.length]


@dataclasses.dataclass
class Promise:
    """What a database owes after a cut, in puts of each thread."""
    durable: list
    begun: list


def promise(log, point, threads, before=None):
    """What was acknowledged in front of `point`. `before`: what was owed when
    the recording began."""
    owed = before or Promise([0] * threads, [0] * threads)
    owed = dataclasses.replace(owed)
    for time, text in log.acks:
        if time >= point:
            break
        words = text.split()
        if words[0] == "open":
            counts = [int(n) for n in words[1].split(",") if n]
            owed.begun = counts
            # RocksDB has written a table of them, or still has their WAL.
            owed.durable = [max(a, b) for a, b in zip(owed.durable, counts)]
        if words[0] != "put":
            continue
        thread, count = int(words[1]), int(words[2])
        owed.begun[thread] = max(owed.begun[thread], count)
        if words[3] == "1" or log.is_bound_over(time, point):
            seen = [int(n) for n in words[4].split(",") if n]
            seen[thread] = count
            owed.durable = [max(a, b) for a, b in zip(owed.durable, seen)]
    return owed


def sparse_copy(source, target):
    """Copies a file, and its holes as holes."""
    with open(source, "rb") as old, open(target, "wb") as new:
        size = os.fstat(old.fileno()).st_size
        new.truncate(size)
        at = 0
        while True:
            try:
                at = os.lseek(old.fileno(), at, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return
                raise
            end = os.lseek(old.fileno(), at, os.SEEK_HOLE)
            while at < end:
                piece = os.pread(old.fileno(), min(end - at, 1 << 20), at)
                os.pwrite(new.fileno(), piece, at)
                at += len(piece)


class Cutter:
    """Makes images, at points in ascending order. Owns the file `base`: the
    disk with what is safe."""

    def __init__(self, log, base):
        self.log = log
        self.base = base
        self.now = 0

    def _advance(self, point):
        with open(self.base, "r+b") as file:
            for write in self.log.writes:
                if write.begun >= point:
                    break
                if self.now <= write.safe < point:
                    os.pwrite(file.fileno(), self.log.data(write),
                              write.offset)
        self.now = point

    def cut(self, point, style, random, target):
        """Writes the image; says what is in it."""
        self._advance(point)
        sparse_copy(self.base, target)
        loose = [w for w in self.log.writes
                 if w.begun < point and w.safe >= point]
        kept = 0
        with open(target, "r+b") as file:
            for write, ranges in _survivors(loose, style, random):
                data = self.log.data(write)
                for begin, end in ranges:
                    os.pwrite(file.fileno(), data[begin:end],
                              write.offset + begin)
                    kept += end - begin
        total = sum(w.length for w in loose)
        return (f"cut at entry {point}, style {style}: of {len(loose)} writes "
                f"without a flush ({total} bytes) {kept} bytes are there")


def _survivors(loose, style, random):
    """Pairs of a write and the ranges of it that are on the disk."""
    if style == "none" or not loose:
        return
    chance = random.choice((0.1, 0.5, 0.9))
    edge = random.randrange(len(loose) + 1)
    if style == "last":  # a few late ones, the earlier ones hardly
        edge = len(loose) - 1 - random.randrange(min(len(loose), 8))
        chance = random.choice((0.0, 0.2))
    for number, write in enumerate(loose):
        whole = [(0, write.length)]
        if style == "all" or (style == "first" and number < edge) or \
                (style == "last" and number >= edge):
            yield write, whole
        elif style in ("writes", "last"):
            if random.random() < chance:
                yield write, whole
        elif style == "sectors" or number == edge:
            yield write, [
                (at, min(at + SECTOR, write.length))
                for at in range(0, write.length, SECTOR)
                if random.random() < chance]
