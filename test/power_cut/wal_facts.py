#!/usr/bin/env python3
# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""Prints of each WAL in a directory where its whole records end, and what is
behind them: wal_facts.py DIRECTORY"""

import pathlib
import struct
import sys

BLOCK = 32768
TABLE = []
for index in range(256):
    value = index
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    TABLE.append(value)


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def fragment(data, at):
    """(type, payload) of the whole fragment at `at`, or why there is none."""
    if at + 7 > len(data):
        return f"the file ends in the header at {at}"
    crc, length, kind = struct.unpack_from("<IHB", data, at)
    if kind == 0 and length == 0 and crc == 0:
        return f"zeros where a header would be, at {at}"
    payload = data[at + 7:at + 7 + length]
    if len(payload) < length:
        return f"the file ends in the record at {at} of {length} bytes"
    if kind not in (1, 2, 3, 4) or masked_crc(data[at + 6:at + 7 + length]) \
            != crc:
        return f"wrong checksum of the record at {at} of {length} bytes"
    return kind, payload


def walk(data):
    """Ends and sequence numbers of the whole records, and why it stops."""
    at, ends, record = 0, [], None
    while True:
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
        found = fragment(data, at)
        if isinstance(found, str):
            return ends, found
        kind, payload = found
        if kind in (1, 2):
            record = b""
        if record is None:
            return ends, f"a continuation without a begin at {at}"
        record += payload
        at += 7 + len(payload)
        if kind in (1, 4):
            ends.append((at, struct.unpack_from("<QI", record)))
            record = None


def zero_sectors(data, begin):
    """Runs of sectors behind `begin`, as text: zeros or bytes."""
    runs = []
    for at in range(begin - begin % 512, len(data), 512):
        what = "bytes" if any(data[max(at, begin):at + 512]) else "zeros"
        if runs and runs[-1][0] == what:
            runs[-1][2] = min(at + 512, len(data))
        else:
            runs.append([what, max(at, begin), min(at + 512, len(data))])
    text = ", ".join(f"{b}..{e} {w}" for w, b, e in runs[:24])
    return text + (f", and {len(runs) - 24} more" if len(runs) > 24 else "")


def orphans(data, begin):
    """Whole records that begin a block behind the end."""
    first = (begin + BLOCK - 1) // BLOCK * BLOCK
    found = []
    for at in range(first, len(data), BLOCK):
        if isinstance(fragment(data, at), tuple):
            found.append(at)
    return found


def main():
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.log")):
        data = path.read_bytes()
        ends, why = walk(data)
        end = ends[-1][0] if ends else 0
        span = "none"
        if ends:
            last = ends[-1][1]
            span = f"sequence {ends[0][1][0]} to {last[0] + last[1] - 1}"
        print(f"{path.name}: {len(data)} bytes, {len(ends)} whole records, "
              f"{span}, the last ends at {end}: {why}")
        if end < len(data):
            print(f"  behind it: {zero_sectors(data, end)}")
            print(f"  blocks that begin with a whole fragment: "
                  f"{orphans(data, end)[:12]}")


if __name__ == "__main__":
    main()
