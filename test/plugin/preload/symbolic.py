#!/usr/bin/env python3
# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""symbolic.py OBJECT COPY: a copy of a shared object that calls its own
functions directly, as if it had been linked with -Bsymbolic. Exit status 77:
there is no room in it for that."""

import struct
import sys

PT_DYNAMIC, DT_NULL, DT_SYMBOLIC = 2, 0, 16
ENTRY = struct.Struct("<qQ")


def main():
    data = bytearray(open(sys.argv[1], "rb").read())
    headers, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for header in range(headers, headers + size * count, size):
        kind, _, at, _, _, length = struct.unpack_from("<IIQQQQ", data, header)
        if kind != PT_DYNAMIC:
            continue
        end = at + length
        while ENTRY.unpack_from(data, at)[0] != DT_NULL:
            at += ENTRY.size
        if at + 2 * ENTRY.size > end:
            return 77
        ENTRY.pack_into(data, at, DT_SYMBOLIC, 0)
    open(sys.argv[2], "wb").write(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
